import pytest

from datamodules.dataset_json import declared_channels, is_decathlon, read_description
from datamodules.formats.errors import DataError


def test_channels_come_in_order(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_bytes(b'\xef\xbb\xbf{"modality": {"1": "T2", "0": "T1"}}')  # as some editors save it
    assert declared_channels(read_description(path)) == ["T1", "T2"]
    assert declared_channels(read_description(tmp_path / "absent.json")) == []


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"channel_names": ["CT"]}', '{"channel_names": {"1": "CT"}}', '{"modality": "CT"}', "\xff"],
)
def test_a_broken_dataset_json_is_refused(tmp_path, text):
    path = tmp_path / "dataset.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"dataset\.json"):
        read_description(path)


@pytest.mark.parametrize("training", [None, [], ["a"], [{"image": "a.nii"}], [{"image": "gone", "label": "a.nii"}]])
def test_a_list_of_files_that_are_not_there_is_not_the_decathlon(tmp_path, training):
    assert not is_decathlon(tmp_path, {"training": training})


def test_a_list_of_files_is_the_decathlon(tmp_path):
    (tmp_path / "a.nii").touch()
    assert is_decathlon(tmp_path, {"training": [{"image": "./a.nii", "label": "./b.nii"}]})
