"""The predict command, from a model folder and files to masks and what lies beside them."""

import itertools
import json
import logging
import shutil
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest

from pipeline.commands.predict import predict


def oblique():
    affine = np.diag([0.8, 1.1, 2.5, 1.0])
    angle = 0.3
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ affine
    affine[:3, 3] = [-31.5, 12.25, 100.0]
    return affine


def stored_as(array, affine, axes, flips):
    """Return the same voxels in the same places, in another order of axes and directions."""
    order = np.zeros((4, 4))
    order[3, 3] = 1
    for new, old in enumerate(axes):
        order[old, new] = -1 if flips[new] else 1
        order[old, 3] = array.shape[old] - 1 if flips[new] else order[old, 3]
    turned = np.flip(array.transpose(axes), [axis for axis in range(3) if flips[axis]])
    return np.ascontiguousarray(turned), affine @ order


@pytest.mark.parametrize("spacing", [None, [1.5, 1.5, 1.5]])
def test_masks_come_back_on_the_grid_of_their_input(tmp_path, make_model, write_scan, spacing):
    model = make_model(tmp_path / "model", spacing_mm=spacing)
    array = write_scan(tmp_path / "unused.nii.gz")
    folder = tmp_path / "in"
    folder.mkdir()
    variants = [
        ((0, 1, 2), (0, 0, 0)),
        ((0, 1, 2), (1, 1, 0)),
        ((2, 0, 1), (0, 1, 0)),
        ((1, 2, 0), (1, 1, 1)),
    ]
    for number, (axes, flips) in enumerate(variants):
        turned, affine = stored_as(array, oblique(), axes, flips)
        write_scan(folder / f"case{number}_0000.nii.gz", array=turned, affine=affine)
    assert predict(str(model), folder, tmp_path / "out") == 0
    reference = nib.load(tmp_path / "out" / "case0.nii.gz").get_fdata()
    assert set(np.unique(reference)) == {0, 1}
    for number, (axes, flips) in enumerate(variants):
        source, mask = (
            nib.load(folder / f"case{number}_0000.nii.gz"),
            nib.load(tmp_path / "out" / f"case{number}.nii.gz"),
        )
        assert mask.shape == source.shape
        np.testing.assert_array_equal(mask.affine, source.affine)
        assert mask.get_data_dtype() == np.uint8
        expected, _ = stored_as(reference, oblique(), axes, flips)
        assert (mask.get_fdata() == expected).mean() > 0.999  # float32 affines differ in the last digit


def test_names_of_labels_and_extras_lie_beside_the_masks(tmp_path, model, write_scan):
    write_scan(tmp_path / "scan.nii.gz")
    out = tmp_path / "out"
    assert predict(model, tmp_path / "scan.nii.gz", out, probabilities=True, overlays=True, mirror=True) == 0
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == [
        "labels.json",
        "overlays/scan.png",
        "probabilities/scan.nii.gz",
        "report.json",
        "scan.nii.gz",
    ]
    probabilities = nib.load(out / "probabilities" / "scan.nii.gz").get_fdata()
    assert probabilities.shape == (12, 10, 9, 2)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(-1), nib.load(out / "scan.nii.gz").get_fdata())
    names = [item["name"] for item in json.loads((out / "labels.json").read_text())["structures"]]
    assert names == ["background", "organ"]
    assert cv2.imread(str(out / "overlays" / "scan.png")).std() > 0


def test_png_gives_png_with_the_stored_values(tmp_path, make_model):
    model = make_model(tmp_path / "model", dims=2, labels={"background": 0, "membrane": 255})
    image = np.random.default_rng(0).integers(0, 255, (30, 21), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "slice_00.png"), image)
    assert predict(str(model), tmp_path / "in", tmp_path / "out", overlays=True) == 0
    mask = cv2.imread(str(tmp_path / "out" / "slice_00.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (30, 21)
    assert set(np.unique(mask)) == {0, 255}


def test_overlapping_structures_are_one_mask_each(tmp_path, make_model, write_scan):
    model = make_model(tmp_path / "model", labels={"background": 0, "whole": [1, 2], "core": [2]})
    write_scan(tmp_path / "scan.nii.gz")
    assert predict(str(model), tmp_path / "scan.nii.gz", tmp_path / "out", overlays=True, probabilities=True) == 0
    mask = nib.load(tmp_path / "out" / "scan.nii.gz").get_fdata()
    assert mask.shape == (12, 10, 9, 2)
    probabilities = nib.load(tmp_path / "out" / "probabilities" / "scan.nii.gz").get_fdata()
    np.testing.assert_array_equal(mask, probabilities > 0.5)


def test_channels_may_lie_in_files_or_in_one_4d_file(tmp_path, make_model, write_scan):
    model = str(make_model(tmp_path / "model", channels=2))
    (tmp_path / "in").mkdir()
    first, second = (write_scan(tmp_path / "in" / f"a_000{n}.nii.gz", seed=n) for n in range(2))
    write_scan(tmp_path / "in" / "b.nii.gz", array=np.stack([first, second], axis=-1))
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    a, b = (nib.load(tmp_path / "out" / f"{name}.nii.gz").get_fdata() for name in "ab")
    np.testing.assert_array_equal(a, b)


def test_the_summary_says_where_results_are(tmp_path, model, write_scan, caplog):
    caplog.set_level(logging.INFO)
    write_scan(tmp_path / "scan.nii.gz")
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "out") == 0
    assert "1 done, 0 skipped, 0 failed" in caplog.text
    assert str(tmp_path / "out" / "report.json") in caplog.text


@pytest.mark.shared_data
def test_real_ct_keeps_shape_and_affine(tmp_path, make_model, shared_data: Path):
    model = make_model(tmp_path / "model", crop="air", spacing_mm=[4.0, 4.0, 4.0])
    (tmp_path / "in").mkdir()
    for path in itertools.islice(sorted((shared_data / "head_neck_ct" / "imagesTr").iterdir()), 2):
        shutil.copy(path, tmp_path / "in")
    assert predict(str(model), tmp_path / "in", tmp_path / "out", overlap=0.0) == 0
    for path in (tmp_path / "in").iterdir():
        source, mask = nib.load(path), nib.load(tmp_path / "out" / path.name.replace("_0000", ""))
        assert mask.shape == source.shape
        np.testing.assert_array_equal(mask.affine, source.affine)
