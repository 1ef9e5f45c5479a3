"""The predict command on volumes of every format: one mask in the same place, whatever it came in."""

import json

import cv2
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- its usual name

from pipeline.cli import main
from pipeline.commands.predict import predict

SPACING = (1.0, 1.25, 2.0)


@pytest.fixture(scope="module")
def voxels():
    return np.random.default_rng(0).integers(0, 200, (12, 10, 9)).astype(np.uint8)


@pytest.fixture
def reference(tmp_path, model, voxels):
    """The mask of the voxels as NIfTI, [X, Y, Z] with columns to the right, rows to the front and slices up."""
    nib.save(nib.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), tmp_path / "scan.nii.gz")
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "reference") == 0
    mask = np.asarray(nib.load(tmp_path / "reference" / "scan.nii.gz").dataobj)
    assert set(np.unique(mask)) == {0, 1}
    return mask


def as_itk(path, voxels):
    """Write [X, Y, Z] so that its axes are those of the reference in RAS."""
    image = sitk.GetImageFromArray(voxels.transpose(2, 1, 0))
    image.SetSpacing(SPACING)
    image.SetDirection(np.diag([-1.0, -1.0, 1.0]).ravel().tolist())
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize(
    ("name", "written"), [("a.nrrd", "a.nrrd"), ("a.mha", "a.mha"), ("a.nhdr", "a.nrrd"), ("a.mhd", "a.mha")]
)
def test_nrrd_and_metaimage_come_back_as_such(tmp_path, model, voxels, reference, name, written):
    (tmp_path / "in").mkdir()
    as_itk(tmp_path / "in" / name, voxels)
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("a.*")) == [written]
    image = sitk.ReadImage(str(tmp_path / "out" / written))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), reference)
    source = sitk.ReadImage(str(tmp_path / "in" / name))
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(image, get)(), getattr(source, get)(), atol=1e-6)


def test_a_tiff_stack_needs_its_spacing_and_gives_nifti(tmp_path, model, voxels, reference):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [np.ascontiguousarray(page) for page in voxels.T])
    assert predict(model, tmp_path / "a.tif", tmp_path / "out") == 1
    spacing = [str(number) for number in SPACING]
    words = ["--model", model, "--input", str(tmp_path / "a.tif"), "--output", str(tmp_path / "out")]
    assert main(["predict", *words, "--slice-spacing-mm", *spacing]) == 0
    mask = nib.load(tmp_path / "out" / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), reference)
    np.testing.assert_allclose(mask.header.get_zooms(), SPACING)


def test_a_folder_of_slices_is_one_volume(tmp_path, model, voxels, reference):
    folder = tmp_path / "in" / "slices"
    folder.mkdir(parents=True)
    for number, page in enumerate(voxels.T):
        cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(page))
    (folder / "spacing.json").write_text(json.dumps({"spacing_mm": SPACING}))
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    assert predict(model, folder, tmp_path / "out") == 0
    mask = np.asarray(nib.load(tmp_path / "out" / "slices.nii.gz").dataobj)
    np.testing.assert_array_equal(mask, reference)
    (case,) = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
    assert case["status"] == "skipped"


def test_one_volume_in_several_formats_holds_the_same_mask(tmp_path, model, reference):
    words = ["--model", model, "--input", str(tmp_path / "scan.nii.gz"), "--output", str(tmp_path / "out")]
    assert main(["predict", *words, "--format", "nifti", "nrrd"]) == 0
    image = sitk.ReadImage(str(tmp_path / "out" / "scan.nrrd"))
    axes = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    mask = nib.load(tmp_path / "out" / "scan.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), reference)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), reference)
    np.testing.assert_allclose(np.diag([-1.0, -1.0, 1.0]) @ axes, mask.affine[:3, :3], atol=1e-6)


def test_overlapping_structures_go_to_nrrd_too(tmp_path, make_model, voxels):
    model = str(make_model(tmp_path / "model", labels={"background": 0, "whole": [1, 2], "core": [2]}))
    nib.save(nib.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), tmp_path / "scan.nii.gz")
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "out", format=["nifti", "nrrd"]) == 0
    assert nib.load(tmp_path / "out" / "scan.nii.gz").shape == (12, 10, 9, 2)
    assert (tmp_path / "out" / "scan.nrrd").exists()
