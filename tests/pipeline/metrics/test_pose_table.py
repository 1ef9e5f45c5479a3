import pytest

from pipeline.metrics.keypoints import PoseSummary
from pipeline.metrics.pose_table import format_table


def summary(overall=None, **figures):
    """Two joints of the same figures, the second of which was never labelled."""
    rows = ({"points": 3.0, **figures}, {"points": 0.0, **dict.fromkeys(figures)})
    counts = {"points": 3}
    return PoseSummary(("nose", "left_wrist"), rows, figures | (overall or {}), counts, ("a note",))


def test_shares_are_in_percent_and_errors_in_pixels():
    lines = format_table(summary({"pck_joint_mean@0.2": 0.25}, **{"pck@0.2": 0.5, "epe_px": 3.456})).splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["joint", "points", "pck@0.2", "epe_px"],
        ["nose", "3", "50.0", "3.46"],
    ]
    assert lines[2].split() == ["left_wrist", "0", "-", "-"]
    assert lines[3].split() == ["all", "points", "3", "50.0", "3.46"]
    assert lines[4].split() == ["mean", "of", "joints", "25.0"]
    assert lines[5:] == ["Shares in %, errors in pixels of the original images.", "a note"]


def test_columns_are_aligned_to_the_right():
    lines = format_table(summary(**{"pck@0.2": 1.0, "rmse_px": 1234.5})).splitlines()
    assert len({len(line) for line in lines[:4]}) == 1


@pytest.mark.parametrize("names", [["pck@0.5", "pckh@0.5"], ["pckh@0.5", "pck@0.5"]])
def test_a_figure_of_two_names_has_one_column(names):
    head = format_table(summary(**dict.fromkeys(names, 0.5))).splitlines()[0]
    assert head.split() == ["joint", "points", "pckh@0.5"]


def test_similarity_stands_in_a_line_of_its_own_where_there_is_one():
    figures = {"epe_px": 1.0}
    assert "oks_ap 40.0, oks_ar 55.0" in format_table(summary({"oks_ap": 0.4, "oks_ar": 0.55}, **figures)).splitlines()
    assert "oks" not in format_table(summary(**figures))
