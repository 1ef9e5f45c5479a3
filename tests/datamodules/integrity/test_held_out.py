import shutil

import cv2
import numpy as np
import pytest

from datamodules.integrity.check import CheckSettings, check_data_set
from datamodules.integrity.held_out import inspect_held_out
from datamodules.layouts import find_cases

TWO = CheckSettings(folds=2)


@pytest.fixture
def root(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    (root / "imagesTs").mkdir()
    return root


def add(root, name, write_volume, label=None, affine=None):
    voxels = np.random.default_rng(9).normal(100, 20, (12, 10, 8)).astype(np.float32)
    write_volume(root / "imagesTs" / f"{name}_0000.nii.gz", voxels)
    if label is not None:
        write_volume(root / "labelsTs" / f"{name}.nii.gz", label, affine)


def test_test_images_are_read_under_names_of_their_own(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    (root / "imagesTs").mkdir()
    for name in ("a", "x"):
        shutil.copy(root / "imagesTr" / "a_0000.nii.gz", root / "imagesTs" / f"{name}_0000.nii.gz")
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    assert list(outcome.tests) == ["imagesTs/a", "imagesTs/x"]
    twins = [f for f in outcome.findings if f.code == "duplicate-test-image"]
    assert [f.cases for f in twins] == [("a",)]
    assert "imagesTs/a, imagesTs/x (test)" in twins[0].message


def test_a_folder_of_tests_that_holds_none_is_told(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    (root / "imagesTs").mkdir()
    (root / "imagesTs" / "notes.txt").write_text("none yet")
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    assert [(f.code, f.severity) for f in outcome.findings if f.code == "test-images"] == [("test-images", "warning")]


@pytest.mark.parametrize(
    ("label", "affine", "code"),
    [
        (np.full((12, 10, 7), 1, np.uint8), None, "label-shape"),
        (np.full((12, 10, 8), 9, np.uint8), None, "label-undeclared"),
        (np.full((12, 10, 8), 1, np.uint8), np.eye(4), "label-affine"),
    ],
)
def test_labels_of_test_images_are_checked_with_warnings(root, tmp_path, write_volume, label, affine, code):
    add(root, "x", write_volume, label, affine)
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    found = [(f.code, f.severity, f.cases) for f in outcome.findings if "imagesTs/x" in f.cases]
    assert found == [(code, "warning", ("imagesTs/x",))]
    assert outcome.usable == 2


def test_sound_test_images_with_labels_have_no_findings(root, tmp_path, write_volume):
    add(root, "x", write_volume, np.full((12, 10, 8), 1, np.uint8))
    held_out = inspect_held_out(find_cases(root), TWO, tmp_path / "cache", 0)
    assert held_out.findings == ()
    assert held_out.facts["imagesTs/x"].voxel_counts == {"left": 960, "right": 0}


def test_labels_without_a_test_image_are_told(root, tmp_path, write_volume):
    add(root, "x", write_volume, np.full((12, 10, 8), 1, np.uint8))
    shutil.copy(root / "labelsTs" / "x.nii.gz", root / "labelsTs" / "y.nii.gz")
    (finding,) = inspect_held_out(find_cases(root), TWO, tmp_path / "cache", 0).findings
    assert (finding.code, finding.severity) == ("label-without-image", "warning")
    assert "y.nii.gz" in finding.message


def test_the_stated_spacing_holds_for_test_images_too(root, tmp_path):
    pages = np.random.default_rng(0).integers(0, 255, (5, 10, 12)).astype(np.uint8)
    assert cv2.imwritemulti(str(root / "imagesTs" / "x_0000.tif"), list(pages))
    stated = CheckSettings(folds=2, spacing_mm=(0.5, 0.5, 2.0))
    held_out = inspect_held_out(find_cases(root), stated, tmp_path / "cache", 0)
    assert held_out.facts["imagesTs/x"].spacing_mm == (0.5, 0.5, 2.0)


def test_f17_a_group_of_training_in_the_test_set_is_told(root, tmp_path, write_volume):
    add(root, "a2", write_volume)
    outcome = check_data_set(root, CheckSettings(folds=2, group_pattern="^(.)"), tmp_path / "cache", 0)
    assert [(f.code, f.cases) for f in outcome.findings if "patient" in f.code] == [("patient-in-test-set", ("a",))]
