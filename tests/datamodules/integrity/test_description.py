import json

import pytest

from datamodules.formats.errors import DataError
from datamodules.integrity.description import findings_of_description, of_layout
from datamodules.layouts import find_cases


def describe(root, **changes):
    path = root / "dataset.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def found(root):
    return [(f.code, f.severity, f.cases) for f in findings_of_description(find_cases(root, complete=False))]


@pytest.fixture
def root(tmp_path, write_dataset):
    return write_dataset(tmp_path, ["a", "b", "c"])


def test_a_complete_set_has_no_findings(root):
    assert found(root) == []


def test_images_without_a_label_and_the_reverse(root):
    (root / "labelsTr" / "b.nii.gz").rename(root / "labelsTr" / "z.nii.gz")
    assert found(root) == [("image-without-label", "error", ("b",)), ("label-without-image", "warning", ())]


def test_what_dataset_json_lacks_and_what_it_states_wrongly(root):
    describe(root, file_ending=None, numTraining=4)
    assert found(root) == [("dataset-json-incomplete", "warning", ()), ("num-training", "warning", ())]


def test_files_of_another_ending(root):
    (root / "imagesTr" / "d_0000.nrrd").write_bytes(b"")
    (finding,) = findings_of_description(find_cases(root))
    assert (finding.code, finding.severity) == ("file-ending", "warning")
    assert "d_0000.nrrd" in finding.message


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["imagesTr/A_0000.nii.gz", "labelsTr/A.nii.gz"], "name-twins"),
        (["imagesTr/d.nii.gz"], "channel-names"),
        (["imagesTr/a_0001.nii.gz"], "missing-channel"),
    ],
)
def test_the_refusal_of_a_layout_has_a_kind(root, write_volume, files, code):
    for name in files:
        (root / name).write_bytes((root / "imagesTr" / "a_0000.nii.gz").read_bytes())
    with pytest.raises(DataError) as refused:
        find_cases(root)
    assert of_layout(refused.value).code == code
    assert of_layout(refused.value).severity == "error"


def test_any_other_refusal_is_one_of_the_layout(tmp_path):
    with pytest.raises(DataError) as refused:
        find_cases(tmp_path / "nowhere")
    assert of_layout(refused.value).code == "layout"
