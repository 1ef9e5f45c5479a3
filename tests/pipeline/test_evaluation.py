import math

import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from pipeline.evaluation import scores_of_case

LABELS = LabelSet.from_json({"background": 0, "liver": 1, "spleen": 2, "lesion": 7})
SPACING = (1.0, 2.0, 4.0)
SHAPE = (10, 10, 5)
DIAGONAL = math.hypot(10, 20, 20)


def volume(**boxes):
    array = np.zeros(SHAPE, dtype=np.uint8)
    for name, corner in boxes.items():
        value = {"liver": 1, "spleen": 2, "lesion": 7}[name]
        array[tuple(slice(start, start + 3) for start in corner)] = value
    return array


def by_name(rows):
    return {row.structure: row for row in rows}


def test_a_single_overlapping_structure_is_read_back_as_the_mask_that_it_was_written_as():
    labels = LabelSet.from_json({"background": 0, "tumour": [2, 3]})
    reference = np.zeros(SHAPE, dtype=np.uint8)
    reference[2:4, 2:4, 2], reference[4, 4, 2] = 2, 3
    mask = labels.decode(labels.encode(reference))
    assert mask.shape == (1, *SHAPE)
    (row,) = scores_of_case(mask, reference, labels, SPACING)
    assert row.dice == 1.0


def test_scores_by_hand():
    reference = volume(liver=(1, 1, 1), spleen=(6, 6, 1))
    prediction = volume(liver=(2, 1, 1), spleen=(6, 6, 1))
    rows = scores_of_case(prediction, reference, LABELS, SPACING, case="a", tolerance_mm=0.5)
    assert [row.structure for row in rows] == ["liver", "spleen", "lesion"]
    liver, spleen, lesion = rows
    assert liver.status == spleen.status == "found"
    assert liver.dice == pytest.approx(18 * 2 / 54)
    assert liver.iou == pytest.approx(18 / 36)
    assert liver.hd95_mm == pytest.approx(1)
    # 26 surface voxels each: the leftover face is 1 mm off, of the far face only its inner voxel is.
    assert liver.assd_mm == pytest.approx(10 / 26)
    assert liver.nsd == pytest.approx(16 / 26)
    assert (liver.volume_error_ml, liver.volume_error_relative) == (0, 0)
    assert liver.reference_ml == pytest.approx(27 * 8 / 1000)
    assert (spleen.dice, spleen.hd95_mm, spleen.assd_mm, spleen.nsd) == (1, 0, 0, 1)
    assert lesion.status == "both_empty"
    assert {row.error_rate for row in rows} == {18 / 500}
    assert {row.case for row in rows} == {"a"}


def test_f16_missed_and_invented_score_zero_and_the_diagonal():
    rows = by_name(scores_of_case(volume(spleen=(1, 1, 1)), volume(liver=(1, 1, 1)), LABELS, SPACING))
    assert (rows["liver"].status, rows["spleen"].status) == ("missed", "invented")
    for name in ("liver", "spleen"):
        assert (rows[name].dice, rows[name].iou, rows[name].nsd) == (0, 0, 0)
        assert rows[name].hd95_mm == rows[name].assd_mm == pytest.approx(DIAGONAL)
    assert rows["liver"].volume_error_relative == -1
    assert rows["spleen"].volume_error_relative is None
    assert rows["spleen"].volume_error_ml == pytest.approx(27 * 8 / 1000)


def test_f16_both_empty_has_no_score_and_never_nan():
    for row in scores_of_case(volume(), volume(), LABELS, SPACING):
        assert row.status == "both_empty"
        scores = {k: v for k, v in row.to_dict().items() if k not in ("case", "structure", "status")}
        assert scores.pop("reference_ml") == scores.pop("error_rate") == 0
        assert set(scores.values()) == {None}


def test_cropping_changes_nothing_at_the_image_border_or_in_one_slice():
    reference = np.zeros((12, 12, 6), dtype=np.uint8)
    reference[0:5, 3:9, 2] = 1
    prediction = np.zeros_like(reference)
    prediction[0:4, 4:10, 2] = 1
    row = scores_of_case(prediction, reference, LABELS, (1, 1, 3))[0]
    assert row.hd95_mm == pytest.approx(1)
    padded = [np.pad(a, 4) for a in (prediction, reference)]
    wide = scores_of_case(*padded, LABELS, (1, 1, 3))[0]
    assert (row.hd95_mm, row.assd_mm, row.nsd) == (wide.hd95_mm, wide.assd_mm, wide.nsd)


def test_f14_undeclared_values_are_refused():
    wrong = volume()
    wrong[0, 0, 0] = 9
    with pytest.raises(DataError, match="undeclared: 9"):
        scores_of_case(wrong, volume(), LABELS, SPACING)
    with pytest.raises(DataError, match="undeclared: 9"):
        scores_of_case(volume(), wrong, LABELS, SPACING)


def test_overlapping_structures_as_masks_or_values():
    labels = LabelSet.from_json({"whole": [1, 2], "core": [2]})
    reference = volume(liver=(1, 1, 1), spleen=(6, 6, 1))
    masks = np.stack([reference > 0, reference == 2]).astype(np.uint8)
    for prediction in (masks, reference):
        rows = by_name(scores_of_case(prediction, reference, labels, SPACING))
        assert (rows["whole"].dice, rows["core"].dice) == (1, 1)
    masks[1, 1:4, 1:4, 1:4] = 1
    rows = by_name(scores_of_case(masks, reference, labels, SPACING))
    assert (rows["whole"].dice, rows["core"].dice) == (1, pytest.approx(2 / 3))
    assert rows["core"].error_rate == 27 / 500


def test_a_label_map_mends_the_reference_alone():
    labels = LabelSet.from_json({"background": 0, "liver": 1, "spleen": 2}, label_map={1: 2, 5: 1})
    reference = np.where(volume(liver=(1, 1, 1)) == 1, 5, 0)
    assert scores_of_case(volume(liver=(1, 1, 1)), reference, labels, SPACING)[0].dice == 1


def test_2d_images():
    labels = LabelSet.from_json({"membrane": 0, "cell": 255})
    reference = np.zeros((8, 8, 1), dtype=np.uint8)
    reference[2:6, 2:6] = 255
    row = scores_of_case(np.roll(reference, 1, axis=1), reference, labels, (1, 1, 1))[0]
    assert row.structure == "cell"
    assert row.dice == pytest.approx(0.75)
    assert row.hd95_mm == 1
    assert row.error_rate == 8 / 64
    assert scores_of_case(reference * 0, reference, labels, (1, 1, 1))[0].hd95_mm == pytest.approx(math.hypot(8, 8))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        scores_of_case(volume()[:5], volume(), LABELS, SPACING)
