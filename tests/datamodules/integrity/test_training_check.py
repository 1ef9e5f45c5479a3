import logging
import shutil

import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.integrity.training_check import inspect_for_training
from datamodules.layouts import find_cases
from datamodules.splits import Split

SPLIT = Split(("a", "b"), ("c",))
SHEAR = np.array([[2.0, 0.3, 0, 0], [0, 2.0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])


@pytest.fixture
def root(tmp_path, write_dataset):
    return write_dataset(tmp_path / "set", ["a", "b", "c"])


def run(root, tmp_path, **options):
    return inspect_for_training(find_cases(root), SPLIT, tmp_path / "cache", 0, **options)


def test_warnings_are_logged_with_a_hint_to_the_whole_check(root, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert list(run(root, tmp_path)) == ["a", "b", "c"]
    assert caplog.messages[0].startswith("duplicate-label: the same label in a and b and c")
    assert caplog.messages[-1] == f"`pipeline check {root}` shows all that was found, and what to do"


def test_f06_training_refuses_nan_and_names_every_such_case(root, tmp_path, write_volume):
    for name in ("a", "c"):
        write_volume(root / "imagesTr" / f"{name}_0000.nii.gz", np.full((12, 10, 8), np.nan, np.float32))
    with pytest.raises(DataError, match=r"2 of 3 that are not:\n  a: .*a_0000.nii.gz.*NaN.*\n  c: .*NaN"):
        run(root, tmp_path)


def test_f17_the_same_image_twice_is_refused(root, tmp_path):
    shutil.copy(root / "imagesTr" / "a_0000.nii.gz", root / "imagesTr" / "b_0000.nii.gz")
    with pytest.raises(DataError, match=r"2 of 3 .*\n  a, b: the same voxels in a and b"):
        run(root, tmp_path)


def test_f16_nothing_to_learn_is_refused(root, tmp_path, write_volume):
    for name in "abc":
        write_volume(root / "labelsTr" / f"{name}.nii.gz", np.zeros((12, 10, 8), np.uint8))
    with pytest.raises(DataError, match="the data set: empty labels in all 3 cases"):
        run(root, tmp_path)


def test_f05_shear_is_refused_unless_it_is_welcome(root, tmp_path, write_volume):
    for path in (root / "imagesTr" / "b_0000.nii.gz", root / "labelsTr" / "b.nii.gz"):
        write_volume(path, np.ones((12, 10, 8), np.uint8), SHEAR)
    with pytest.raises(DataError, match=r"b: axes that are not at right angles.*data.preprocessing.sheared"):
        run(root, tmp_path)
    assert list(run(root, tmp_path, sheared=True)) == ["a", "b", "c"]


def test_many_warnings_are_counted(root, tmp_path, write_volume, caplog):
    for number, name in enumerate("abc"):
        image = np.full((12, 10, 8), number, np.int16)
        write_volume(root / "imagesTr" / f"{name}_0000.nii.gz", image, np.diag([2.0, 2.0, 21.0 + 10 * number, 1.0]))
        label = np.zeros((12, 10, 8), np.uint8)
        label[0, 0, number] = 1
        write_volume(root / "labelsTr" / f"{name}.nii.gz", label, np.diag([2.0, 2.0, 21.0 + 10 * number, 1.0]))
    with caplog.at_level(logging.WARNING):
        run(root, tmp_path)
    kinds = [message.split(":")[0] for message in caplog.messages[:-1]]
    assert {"absurd-spacing", "constant-channel", "empty-channel", "one-voxel-structure", "class-missing"} <= set(kinds)
