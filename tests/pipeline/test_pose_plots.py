import cv2
import numpy as np
import pytest

from datamodules.keypoints import Skeleton
from pipeline.calibration_report import reliability_bins
from pipeline.pose_plots import (
    THRESHOLDS,
    joint_errors_png,
    pck_curves_png,
    reliability_png,
    shares_within,
)

SKELETON = Skeleton(("_nose", "left_$hand", "right_hand"), (), ((1, 2),))


@pytest.fixture
def errors():
    found = np.random.default_rng(0).gamma(2, 0.05, (40, 3))
    found[:, 2] = np.nan  # a joint that is never labelled
    found[3, 0] = np.nan
    return found


def opened(path):
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 5  # something is drawn
    return picture


def test_a_share_within_counts_errors_at_the_threshold():
    shares = shares_within(np.array([0.0, 0.2, 0.3, 2.0]))
    assert shares[0] == 0.25
    assert shares[np.isclose(THRESHOLDS, 0.2)] == 0.5
    assert shares[-1] == 0.75


def test_curves_and_bars_are_drawn_also_for_a_joint_without_truth(errors, tmp_path):
    pck_curves_png(errors, SKELETON, "torso", tmp_path / "pck.png")
    joint_errors_png(errors * 100, SKELETON.names, tmp_path / "errors.png")
    for name in ("pck", "errors"):
        opened(tmp_path / f"{name}.png")


def test_nothing_to_score_is_drawn_as_empty_axes(tmp_path):
    nothing = np.full((2, 3), np.nan)
    pck_curves_png(nothing, SKELETON, "box", tmp_path / "pck.png")
    joint_errors_png(nothing, SKELETON.names, tmp_path / "errors.png")
    assert (tmp_path / "pck.png").stat().st_size > 1000
    assert (tmp_path / "errors.png").stat().st_size > 1000


def test_reliability_is_drawn_before_and_after(tmp_path):
    rng = np.random.default_rng(0)
    raw = rng.random(300)
    right, in_view = rng.random(300) < raw**2, rng.random(300) > 0.3
    curves = {"before": reliability_bins(raw, right), "after": reliability_bins(raw**2, right)}
    reliability_png(curves, raw**2, in_view, tmp_path / "reliability.png")
    opened(tmp_path / "reliability.png")


def test_reliability_without_a_single_joint_is_drawn(tmp_path):
    nothing = np.empty(0)
    reliability_png({"before": [], "after": []}, nothing, nothing.astype(bool), tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").stat().st_size > 1000
