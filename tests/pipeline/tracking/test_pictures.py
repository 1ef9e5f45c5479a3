import cv2
import numpy as np
import pytest

from pipeline.tracking.pictures import dice_by_class_png, loss_curve_png


def _drawn(path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 5  # something is drawn
    return picture


def test_losses_and_scores_get_a_panel_each(tmp_path):
    losses = {"train/loss": [(s, 1.0 / (s + 1)) for s in range(300)], "val/loss": [(0, 1.0), (299, 0.5)]}
    loss_curve_png(losses, tmp_path / "pictures" / "loss.png")
    one = _drawn(tmp_path / "pictures" / "loss.png")
    loss_curve_png({**losses, "val/dice": [(0, 0.1), (299, 0.8)], "empty": []}, tmp_path / "both.png")
    assert _drawn(tmp_path / "both.png").shape[0] == 2 * one.shape[0]


def test_a_single_point_and_not_a_number_are_drawn(tmp_path):
    loss_curve_png({"loss": [(0, float("nan")), (1, 0.5)]}, tmp_path / "loss.png")
    _drawn(tmp_path / "loss.png")


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one curve"):
        loss_curve_png({"loss": []}, tmp_path / "loss.png")
    with pytest.raises(ValueError, match="at least one row"):
        dice_by_class_png([], tmp_path / "dice.png")


def test_dice_by_class(tmp_path):
    rows = [{"case": str(n), "class": "liver", "dice": 0.9 + n / 100} for n in range(5)]
    rows += [
        {"case": "0", "class": "left kidney", "dice": 0.2},
        {"case": "0", "class": "spleen", "dice": None},
    ]
    dice_by_class_png(rows, tmp_path / "dice.png")
    _drawn(tmp_path / "dice.png")
