"""The files of a case, named and shaped after its image."""

import nibabel as nib
import numpy as np
import pytest
import torch

from datamodules.cases import Case
from datamodules.formats import ReadOptions, read_volume
from datamodules.intensity import ChannelIntensity
from datamodules.labels import LabelSet
from datamodules.preprocessing import Preprocessing
from pipeline.inference.dicom_seg import NOTHING_FOUND, Origin
from pipeline.inference.outputs import output_names, write_outputs
from pipeline.inference.predictor import PredictionSettings

PLAIN = LabelSet.from_json({"background": 0, "organ": 1})
OVERLAPPING = LabelSet.from_json({"background": 0, "whole": [1, 2], "core": [2]})


def written(tmp_path, write_scan, shape, labels=PLAIN):
    """Write the outputs of a scan of that shape, of logits that follow its voxels."""
    write_scan(tmp_path / "scan.nii.gz", shape=shape)
    case = Case("scan", "scan", (tmp_path / "scan.nii.gz",))
    volume = read_volume(case.images[0], ReadOptions(volume_index=0))
    spatial = volume.array[0]
    grid = Preprocessing(None, "none", (ChannelIntensity("none"),)).apply(volume).grid
    logits = torch.from_numpy(np.stack([-spatial, spatial]))
    (tmp_path / "out").mkdir()
    write_outputs(
        tmp_path / "out",
        output_names(case, labels, PredictionSettings(probabilities=True)),
        labels,
        logits,
        grid,
        None,
    )
    mask, scores = (nib.load(tmp_path / "out" / name / "scan.nii.gz") for name in ("", "probabilities"))
    return spatial, mask, scores


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 9), (8, 9)), ((8, 9, 1), (8, 9, 1)), ((8, 9, 10, 1), (8, 9, 10, 1)), ((8, 9, 10, 2), (8, 9, 10))],
)
def test_masks_have_the_stored_shape_of_their_image(tmp_path, write_scan, shape, expected):
    spatial, mask, scores = written(tmp_path, write_scan, shape)
    assert mask.shape == expected
    np.testing.assert_array_equal(mask.affine, nib.load(tmp_path / "scan.nii.gz").affine)
    np.testing.assert_array_equal(mask.get_fdata().reshape(spatial.shape), spatial > 0)
    assert scores.shape == (*spatial.shape, 2)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 10, 1)])
def test_overlapping_masks_are_always_4d(tmp_path, write_scan, shape):
    spatial, mask, scores = written(tmp_path, write_scan, shape, OVERLAPPING)
    assert mask.shape == scores.shape == (*spatial.shape, 2)


def test_names_follow_the_format_of_the_input(tmp_path):
    settings = PredictionSettings(overlays=True)
    for suffix, labels, expected in (
        (".nii", PLAIN, "a.nii"),
        (".TIF", PLAIN, "a.png"),
        (".png", OVERLAPPING, "a.nii.gz"),
    ):
        names = output_names(Case("a", "a", (tmp_path / f"b{suffix}",)), labels, settings)
        assert names.all == (expected, "overlays/a.png")


def test_a_series_has_a_dicom_seg_beside_its_mask(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct", shape=(4, 3, 2))
    case = Case("a", "a", (tmp_path / "ct",))
    names = output_names(case, PLAIN, PredictionSettings(probabilities=True))
    assert names.all == ("a.nii.gz", "a.dcm", "probabilities/a.nii.gz")
    assert names.labels == "a.nii.gz"
    only = output_names(case, PLAIN, PredictionSettings(formats=("dicom-seg",)))
    assert (only.masks, only.all) == ((), ("a.dcm",))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dicom_seg_is_written_where_something_is_found(tmp_path, make_dicom_series, sign):
    make_dicom_series(tmp_path / "ct", shape=(6, 5, 4))
    case = Case("a", "a", (tmp_path / "ct",))
    volume = read_volume(case.images[0])
    grid = Preprocessing(None, "none", (ChannelIntensity("none"),)).apply(volume).grid
    inside = torch.full(grid.shape, -1.0)
    inside[1:3, 1:3, 1:3] = sign
    logits = torch.stack([torch.zeros(grid.shape), inside])
    names = output_names(case, PLAIN, PredictionSettings())
    told = write_outputs(tmp_path, names, PLAIN, logits, grid, None, Origin("a" * 64, "c" * 64, "f" * 64))
    assert told == ([] if sign > 0 else [NOTHING_FOUND])
    assert (tmp_path / "a.dcm").exists() == (sign > 0)
    assert np.count_nonzero(nib.load(tmp_path / "a.nii.gz").get_fdata()) == (8 if sign > 0 else 0)
