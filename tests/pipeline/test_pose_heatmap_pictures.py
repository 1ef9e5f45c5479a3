import cv2
import numpy as np
import pytest

from pipeline.pose_heatmap_pictures import DrawnHeatmaps, coloured, heatmaps_png

COLOURS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def subject(stacks=2, case="walker"):
    maps = np.zeros((2, 16, 16), np.float32)
    maps[0, 4, 4], maps[1, 12, 12] = 1.0, 0.5
    image = np.full((64, 64, 3), 120, np.uint8)
    return DrawnHeatmaps(case, image, [maps] * stacks, np.array([[16.0, 16.0], [48.0, 48.0]]))


def test_each_stack_has_a_row_and_each_subject_a_column(tmp_path):
    heatmaps_png([subject()], ["a", "b"], tmp_path / "one.png")
    heatmaps_png([subject(3), subject(3, "$_$" * 40)], ["a", "b"], tmp_path / "two.png")
    one, two = (cv2.imread(str(tmp_path / name)) for name in ("one.png", "two.png"))
    assert two.shape[0] > 1.2 * one.shape[0]
    assert two.shape[1] > 1.2 * one.shape[1]


def test_a_peak_is_drawn_in_the_colour_of_its_joint():
    drawn = subject()
    shown = coloured(drawn.image, drawn.stacks[0], COLOURS)
    # Cell 4 of 16 covers pixels 16 to 19 of 64; its middle half reaches almost the full value.
    assert shown[17, 17, 0] > 0.6
    assert shown[17, 17, 1] < 0.2
    assert shown[49, 49, 1] > shown[49, 49, 0] + 0.2
    assert np.ptp(shown[32, 32]) == 0  # where there is no heatmap the image is grey


def test_answers_of_no_use_are_drawn_all_the_same(tmp_path):
    drawn = subject()
    for value in (-3.0, 40.0, np.nan):
        maps = [np.full((2, 16, 16), value, np.float32)]
        shown = coloured(drawn.image, maps[0], COLOURS)
        assert ((shown >= 0) & (shown <= 1)).all()
        heatmaps_png([DrawnHeatmaps("bad", drawn.image, maps, drawn.points)], ["a", "b"], tmp_path / "bad.png")


def test_nobody_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one subject"):
        heatmaps_png([], ["a"], tmp_path / "none.png")
