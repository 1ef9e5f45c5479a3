import json

import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases
from datamodules.layouts.splits_final import read_splits

FOLDS = [{"train": ["b", "a"], "val": ["c"]}, {"train": ["a", "c"], "val": ["b"]}]


def write(root, content):
    (root / "splits_final.json").write_text(json.dumps(content), encoding="utf-8")


def test_the_fold_that_is_asked_for_is_read(tmp_path):
    assert read_splits(tmp_path, 0) is None
    write(tmp_path, FOLDS)
    assert read_splits(tmp_path, 0).to_dict() == {"train": ["a", "b"], "validation": ["c"]}
    assert read_splits(tmp_path, 1).to_dict() == {"train": ["a", "c"], "validation": ["b"]}
    with pytest.raises(DataError, match=r"data\.split\.fold from 0 to 1.*found fold 2"):
        read_splits(tmp_path, 2)


@pytest.mark.parametrize(
    "content", [{}, [], [{}], [[]], [{"train": ["a"], "val": "b"}], [{"train": [1], "val": ["b"]}]]
)
def test_another_content_is_refused(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(DataError, match="a list of"):
        read_splits(tmp_path, 0)


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "splits_final.json").write_bytes(b"[\xff")
    with pytest.raises(DataError, match="expected JSON"):
        read_splits(tmp_path, 0)


def test_the_split_of_a_data_set_is_used_and_told(tmp_path, write_dataset, caplog):
    root = write_dataset(tmp_path, ["a", "b", "c", "d"])
    write(root, FOLDS)
    with caplog.at_level("INFO"):
        listing = find_cases(root, fold=1)
    assert listing.split.to_dict() == {"train": ["a", "c"], "validation": ["b"]}
    assert "its own split is used" in caplog.text
    assert listing.notes == ("splits_final.json: 1 case(s) neither train nor validate: d",)


def test_a_split_of_cases_that_are_not_there_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a", "b"])
    write(root, FOLDS)
    with pytest.raises(DataError, match=r"1 that are not there: c"):
        find_cases(root)


def test_f17_a_patient_in_both_parts_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["p1_a", "p1_b", "p2_a"])
    write(root, [{"train": ["p1_a", "p2_a"], "val": ["p1_b"]}])
    assert find_cases(root).split.validation == ("p1_b",)
    with pytest.raises(DataError, match=r"p1 \(p1_a, p1_b\)"):
        find_cases(root, group_pattern=r"(p\d)")


def test_cases_that_have_no_label_leave_the_split_where_that_is_allowed(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a", "b", "c"])
    write(root, FOLDS)
    (root / "labelsTr" / "b.nii.gz").unlink()
    listing = find_cases(root, complete=False)
    assert listing.split.to_dict() == {"train": ["a"], "validation": ["c"]}
    assert listing.notes == ("splits_final.json names cases that have no label: b",)
