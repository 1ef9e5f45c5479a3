from pathlib import Path
from typing import NamedTuple

import pytest

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from datamodules.splits import Split, check_split, split_cases


def make_cases(groups: dict[str, int]) -> list[Case]:
    return [
        Case(f"{group}_{scan}", group, (Path(f"{group}_{scan}.nii.gz"),))
        for group, scans in groups.items()
        for scan in range(scans)
    ]


CASES = make_cases({f"p{i}": 1 + i % 3 for i in range(11)})


def test_folds_part_the_cases():
    folds = [split_cases(CASES, fold=fold, folds=4, seed=0) for fold in range(4)]
    everything = {case.id for case in CASES}
    assert sorted(id_ for split in folds for id_ in split.validation) == sorted(everything)
    for split in folds:
        assert set(split.train) | set(split.validation) == everything
        assert not set(split.train) & set(split.validation)


@pytest.mark.parametrize("fold", range(3))
def test_a_group_is_never_parted(fold):
    split = split_cases(CASES, fold=fold, folds=3, seed=5)
    groups = {case.id: case.group for case in CASES}
    assert not {groups[id_] for id_ in split.train} & {groups[id_] for id_ in split.validation}


def test_folds_are_about_equal():
    sizes = [len(split_cases(CASES, fold=fold, folds=4, seed=3).validation) for fold in range(4)]
    assert max(sizes) - min(sizes) <= 3  # the largest group


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    split = split_cases(CASES, fold=0, folds=4, seed=0)
    assert split == split_cases(list(reversed(CASES)), fold=0, folds=4, seed=0)
    assert split != split_cases(CASES, fold=0, folds=4, seed=1)


def test_the_split_stays_the_same_for_ever():
    split = split_cases(make_cases({f"p{i}": 1 for i in range(6)}), fold=0, folds=3, seed=0)
    assert split.to_dict() == {"train": ["p1_0", "p3_0", "p4_0", "p5_0"], "validation": ["p0_0", "p2_0"]}


@pytest.mark.parametrize(("fold", "folds"), [(0, 1), (4, 4), (-1, 4)])
def test_a_fold_that_does_not_exist_is_refused(fold, folds):
    with pytest.raises(DataError, match=r"data\.split\.fold"):
        split_cases(CASES, fold=fold, folds=folds, seed=0)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(DataError, match=r"1 group\(s\).*lower data.split.folds"):
        split_cases(make_cases({"p": 5}), fold=0, folds=2, seed=0)


class Frame(NamedTuple):
    id: str
    group: str


def test_whatever_has_a_name_and_a_group_is_split():
    frames = [Frame(f"{video}/{number}", video) for video in "abcd" for number in range(3)]
    split = split_cases(frames, fold=1, folds=4, seed=0)
    assert len({name[0] for name in split.validation}) == 1
    assert len(split.validation) == 3


SPLIT = Split(train=("p0_0", "p1_0"), validation=("p2_0",))
THREE = make_cases({"p0": 1, "p1": 1, "p2": 1})


def test_a_stated_split_is_checked_and_cases_in_no_part_are_told():
    assert check_split(SPLIT, THREE, Path("split.json")) == ()
    notes = check_split(SPLIT, [*THREE, *make_cases({"p3": 2})], Path("split.json"))
    assert notes == ("split.json: 2 case(s) neither train nor validate: p3_0, p3_1",)


def test_f17_a_patient_in_both_parts_of_a_stated_split_is_refused():
    split = Split(train=("p0_0", "p1_0"), validation=("p1_1",))
    with pytest.raises(DataError, match=r"split\.json.*1 in both training and validation: p1 \(p1_0, p1_1\)"):
        check_split(split, make_cases({"p0": 1, "p1": 2}), Path("split.json"))


def test_f17_groups_that_differ_by_case_alone_are_not_parted_by_a_stated_split():
    split = Split(train=("p0_0", "P2_0"), validation=("p1_0", "p2_0"))
    with pytest.raises(DataError, match=r"1 in both training and validation: p2 \(P2_0, p2_0\)"):
        check_split(split, make_cases({"p0": 1, "P2": 1, "p1": 1, "p2": 1}), Path("split.json"))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(train=("p0_0", "gone"), validation=("p1_0",)), "1 that are not there: gone"),
        (Split(train=(), validation=("p1_0",)), "0 for training and 1 for validation"),
        (Split(train=("p0_0",), validation=()), "1 for training and 0 for validation"),
        (Split(train=("p0_0",), validation=("p0_0",)), r"p0 \(p0_0\)"),
    ],
)
def test_a_stated_split_that_makes_no_sense_is_refused(split, message):
    with pytest.raises(DataError, match=message):
        check_split(split, THREE, Path("split.json"))
