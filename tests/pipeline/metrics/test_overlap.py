import numpy as np
import pytest
import torch

from datamodules.labels import LabelSet
from pipeline.metrics.overlap import Overlap, dice_per_class, error_rate, overlap


def mask(*voxels, shape=(4, 4, 4)):
    array = np.zeros(shape, dtype=bool)
    for voxel in voxels:
        array[voxel] = True
    return array


def test_overlap_by_hand():
    first = mask((0, 0, 0), (0, 0, 1), (0, 0, 2))
    second = mask((0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 1, 1), (1, 1, 2))
    counts = overlap(first, second)
    assert counts == Overlap(common=2, prediction=3, reference=5)
    assert counts.dice == pytest.approx(4 / 8)
    assert counts.iou == pytest.approx(2 / 6)
    assert counts.volume_error_ml((1, 2, 5)) == pytest.approx(-0.02)
    assert counts.volume_error_relative == pytest.approx(-2 / 5)
    assert counts.reference_ml((1, 2, 5)) == pytest.approx(0.05)


def test_equal_masks_are_perfect():
    counts = overlap(mask((1, 2, 3)), mask((1, 2, 3)))
    assert (counts.dice, counts.iou, counts.volume_error_relative) == (1, 1, 0)


@pytest.mark.parametrize("swap", [False, True])
def test_what_is_missed_or_invented_scores_zero(swap):
    pair = [mask((0, 0, 0)), mask()]
    counts = overlap(*(reversed(pair) if swap else pair))
    assert (counts.dice, counts.iou) == (0, 0)
    assert counts.volume_error_relative == (-1 if swap else None)


def test_both_empty_has_no_score():
    counts = overlap(mask(), mask())
    assert counts.both_empty
    assert (counts.dice, counts.iou, counts.volume_error_relative) == (None, None, None)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        overlap(mask(), mask(shape=(4, 4, 1)))
    with pytest.raises(ValueError, match="one shape"):
        error_rate(mask(), mask(shape=(4, 4, 1)))
    labels = LabelSet.from_json({"background": 0, "a": 1})
    with pytest.raises(ValueError, match="one shape"):
        dice_per_class(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4, 1), labels)


def test_error_rate_counts_wrong_voxels_once():
    reference = np.array([[[0, 1, 2, 2]]])
    assert error_rate(np.array([[[0, 1, 1, 0]]]), reference) == 0.5
    masks = np.zeros((2, 1, 1, 4), dtype=np.uint8)
    wrong = masks.copy()
    wrong[:, 0, 0, 3] = 1
    wrong[0, 0, 0, 1] = 1
    assert error_rate(wrong, masks) == 0.5


def test_dice_per_class_of_indices():
    labels = LabelSet.from_json({"background": 0, "a": 1, "b": 2, "c": 3, "d": 4})
    prediction = torch.tensor([[[0, 1, 1, 2, 4]]])
    reference = torch.tensor([[[0, 1, 0, 3, 4]]])
    scores = dice_per_class(prediction, reference, labels)
    assert scores == pytest.approx({"a": 2 / 3, "b": 0, "c": 0, "d": 1})


def test_dice_per_class_of_overlapping_masks_leaves_out_what_both_lack():
    labels = LabelSet.from_json({"whole": [1, 2], "core": [2], "none": [3]})
    prediction = torch.tensor([[[1, 1, 0]], [[0, 1, 1]], [[0, 0, 0]]])
    reference = torch.tensor([[[1, 1, 0]], [[0, 1, 0]], [[0, 0, 0]]])
    assert dice_per_class(prediction, reference, labels) == pytest.approx({"whole": 1, "core": 2 / 3})
