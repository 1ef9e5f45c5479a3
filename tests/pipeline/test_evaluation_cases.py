import gzip
import json
import logging

import numpy as np
import pytest

from datamodules.formats import write_labels
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from pipeline.evaluation_cases import Pair, find_labels, find_pairs, score_pair

LABELS = LabelSet.from_json({"background": 0, "liver": 1})
OVERLAPPING = LabelSet.from_json({"whole": [1, 2], "core": [2]})


def write(path, array=None, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    if array is None:
        array = np.zeros((5, 6, 7), dtype=np.uint8)
        array[1:3, 1:3, 1:3] = 1
    write_labels(path, array, np.diag([1, 2, 3, 1.0]) if affine is None else affine)
    return path


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "masks" / f"{name}.nii.gz")
        write(tmp_path / "data" / "labelsTr" / f"{name}.nii.gz")
    return tmp_path / "masks", tmp_path / "data" / "labelsTr"


def test_files_are_paired_by_name_whatever_their_format(folders):
    masks, labels = folders
    (masks / "b.nii.gz").rename(masks / "c.nii.gz")
    (masks / "report.json").write_text("{}")
    write(masks / "b.nii")
    assert find_pairs(masks, labels) == [
        Pair("a", masks / "a.nii.gz", labels / "a.nii.gz"),
        Pair("b", masks / "b.nii", labels / "b.nii.gz"),
        Pair("c", masks / "c.nii.gz", None),
    ]


def test_a_dicom_seg_beside_a_mask_is_passed_over(folders):
    expected = find_pairs(*folders)
    (folders[0] / "a.dcm").write_bytes(b"")
    assert find_pairs(*folders) == expected


def test_two_files_are_a_pair_whatever_their_names(folders):
    masks, labels = folders
    assert find_pairs(masks / "a.nii.gz", labels / "b.nii.gz") == [Pair("a", masks / "a.nii.gz", labels / "b.nii.gz")]


def test_f31_names_equal_but_for_case_are_refused(folders):
    masks, labels = folders
    write(masks / "A.nii.gz")
    with pytest.raises(DataError, match=r"A\.nii\.gz"):
        find_pairs(masks, labels)


def test_empty_and_absent_folders_are_refused(folders, tmp_path):
    with pytest.raises(DataError, match="label volumes"):
        find_pairs(folders[0], folders[1].parent)
    with pytest.raises(DataError, match="check the path"):
        find_pairs(tmp_path / "nowhere", folders[1])


def test_labels_are_those_declared_then_the_sidecar_then_dataset_json(folders, caplog):
    masks, labels = folders
    pairs = find_pairs(masks, labels)
    with caplog.at_level(logging.WARNING):
        assert find_labels(masks, labels, None, pairs).names == ("label_1",)
    assert "values found are scored: 1" in caplog.text
    (labels.parent / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "organ": 1}}))
    assert find_labels(masks, labels, None, pairs).names == ("organ",)
    (masks / "labels.json").write_text(json.dumps(OVERLAPPING.to_dict()))
    assert find_labels(masks, labels, None, pairs) == OVERLAPPING
    assert find_labels(masks, labels, {"membrane": 0, "cell": 255}, pairs).names == ("cell",)
    one = (masks / "a.nii.gz", labels / "a.nii.gz")
    assert find_labels(*one, None, find_pairs(*one)) == OVERLAPPING


@pytest.mark.parametrize("content", ["{", "[]", '{"structures": [{"name": "a"}]}', "{}"])
def test_a_sidecar_that_is_none_is_refused(folders, content):
    masks, labels = folders
    (masks / "labels.json").write_text(content)
    with pytest.raises(DataError, match=r"labels\.json"):
        find_labels(masks, labels, None, find_pairs(masks, labels))


def test_references_without_any_structure_ask_for_labels(tmp_path):
    empty = np.zeros((3, 3, 3), dtype=np.uint8)
    masks = write(tmp_path / "masks" / "a.nii.gz", empty).parent
    labels = write(tmp_path / "labels" / "a.nii.gz", empty).parent
    (labels / "b.nii.gz").write_bytes(b"no volume")
    with pytest.raises(DataError, match="give --labels"):
        find_labels(masks, labels, None, find_pairs(masks, labels))


def test_a_case_is_scored_on_its_own_spacing(folders):
    pair = find_pairs(*folders)[0]
    result, rows = score_pair(pair, labels=LABELS, tolerance_mm=2.0)
    assert (result.id, result.status, result.messages) == ("a", "done", ())
    assert rows[0].dice == 1
    assert rows[0].reference_ml == pytest.approx(8 * 6 / 1000)


def failure(pair):
    result, rows = score_pair(pair, labels=LABELS, tolerance_mm=2.0)
    assert result.status == "failed"
    assert rows == []
    return result.messages[0]


def test_a_file_without_its_partner_fails_by_name(folders):
    masks, labels = folders
    assert "a prediction of the same name" in failure(Pair("a", None, labels / "a.nii.gz"))
    assert "a reference of the same name" in failure(Pair("a", masks / "a.nii.gz", None))


def test_f01_a_truncated_prediction_fails_its_case(folders):
    masks, labels = folders
    path = masks / "a.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert str(path) in failure(Pair("a", path, labels / "a.nii.gz"))


def test_f02_a_flipped_bit_fails_its_case(folders):
    masks, labels = folders
    path = masks / "a.nii.gz"
    content = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0))
    content[400] ^= 1
    path.write_bytes(content)
    assert str(path) in failure(Pair("a", path, labels / "a.nii.gz"))


def test_f14_an_undeclared_value_fails_its_case(folders):
    masks, labels = folders
    array = np.full((5, 6, 7), 3, dtype=np.uint8)
    assert "undeclared: 3" in failure(Pair("a", write(masks / "a.nii.gz", array), labels / "a.nii.gz"))


def test_f15_another_shape_or_affine_fails_its_case(folders):
    masks, labels = folders
    path = write(masks / "a.nii.gz", np.zeros((5, 6, 8), dtype=np.uint8))
    assert "(5, 6, 7)" in failure(Pair("a", path, labels / "a.nii.gz"))
    moved = np.diag([1, 2, 3, 1.0])
    moved[0, 3] = 0.01
    path = write(masks / "a.nii.gz", affine=moved)
    assert "differs by 0.01" in failure(Pair("a", path, labels / "a.nii.gz"))
    moved[0, 3] = 1e-4
    path = write(masks / "a.nii.gz", affine=moved)
    assert score_pair(Pair("a", path, labels / "a.nii.gz"), labels=LABELS, tolerance_mm=2)[1][0].dice == 1


def test_overlapping_masks_are_read_from_4d_files(tmp_path):
    reference = np.zeros((4, 5, 6), dtype=np.uint8)
    reference[1:3], reference[2] = 1, 2
    masks = np.stack([reference > 0, reference == 2]).astype(np.uint8)
    pair = Pair("a", write(tmp_path / "p.nii.gz", masks), write(tmp_path / "r.nii.gz", reference))
    result, rows = score_pair(pair, labels=OVERLAPPING, tolerance_mm=2.0)
    assert result.status == "done", result.messages
    assert [row.dice for row in rows] == [1, 1]


def test_images_are_paired_as_volumes_are(tmp_path):
    array = np.zeros((7, 5, 1), dtype=np.uint8)
    array[2:5, 1:4] = 255
    pair = Pair("a", write(tmp_path / "p.png", array), write(tmp_path / "r.tif", array))
    labels = LabelSet.from_json({"membrane": 0, "cell": 255})
    assert score_pair(pair, labels=labels, tolerance_mm=1)[1][0].dice == 1
