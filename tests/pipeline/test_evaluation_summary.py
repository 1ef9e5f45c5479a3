import csv
import json

import numpy as np
import pytest

from datamodules.labels import LabelSet
from pipeline.evaluation import METRICS, scores_of_case
from pipeline.evaluation_summary import format_table, summarise, write_scores, write_summary

LABELS = LabelSet.from_json({"background": 0, "liver": 1, "spleen": 2})


@pytest.fixture
def rows():
    both = np.zeros((6, 6, 6), dtype=np.uint8)
    both[1:3, 1:3, 1:3] = 1
    both[4, 4, 4] = 2
    liver = np.where(both == 1, 1, 0)
    spacing = (1, 1, 1)
    return [
        *scores_of_case(both, both, LABELS, spacing, case="a"),
        *scores_of_case(liver, both, LABELS, spacing, case="b"),
        *scores_of_case(liver, liver, LABELS, spacing, case="c"),
        *scores_of_case(both, both, LABELS, spacing, case="d"),
    ]


def test_f16_missed_structures_are_in_the_mean_and_empty_ones_are_counted_apart(rows):
    summary = summarise(rows, tolerance_mm=2.0)
    spleen = summary["structures"]["spleen"]
    assert spleen["dice"]["mean"] == pytest.approx(2 / 3)
    assert spleen["dice"]["count"] == 3
    assert {key: spleen[key] for key in ("found", "missed", "invented", "both_empty")} == {
        "found": 2,
        "missed": 1,
        "invented": 0,
        "both_empty": 1,
    }
    assert spleen["hd95_mm"]["mean"] == pytest.approx(np.sqrt(108) / 3)
    assert summary["mean"]["dice"]["mean"] == pytest.approx((1 + 2 / 3) / 2)
    assert summary["error_rate"]["mean"] == pytest.approx(1 / 216 / 4)
    assert summary["error_rate"]["count"] == 4


def test_intervals_hold_the_mean_and_follow_the_seed(rows):
    summary = summarise(rows, tolerance_mm=2.0, seed=1)
    for metric in METRICS:
        interval = summary["mean"][metric]
        assert interval["lower"] <= interval["mean"] <= interval["upper"]
    assert summary == summarise(rows, tolerance_mm=2.0, seed=1)
    dice = summary["structures"]["spleen"]["dice"]
    assert dice["lower"] < dice["mean"] < dice["upper"]


def test_a_summary_of_nothing_has_no_means_and_says_how_many_failed(tmp_path):
    summary = summarise([], tolerance_mm=2.0, failed=3)
    assert summary["cases"] == {"scored": 0, "failed": 3}
    assert set(summary["mean"].values()) == {None}
    assert "-" in format_table(summary)
    assert json.loads(write_summary(summary, tmp_path).read_text())["error_rate"] is None


def test_f16_a_structure_that_no_case_holds_has_no_mean():
    empty = np.zeros((4, 4, 4), dtype=np.uint8)
    summary = summarise(scores_of_case(empty, empty, LABELS, (1, 1, 1), case="a"), tolerance_mm=2.0)
    assert summary["mean"]["dice"] is None
    assert summary["structures"]["liver"]["both_empty"] == 1
    assert "1 both empty" in format_table(summary)


def test_table_names_structures_intervals_tolerance_and_remarks(rows):
    lines = format_table(summarise(rows, tolerance_mm=1.5)).splitlines()
    assert "NSD at 1.5 mm" in lines[0]
    assert lines[1].split()[:4] == ["liver", "1.000", "[1.000,", "1.000]"]
    assert lines[2].endswith("1 missed, 1 both empty")
    assert lines[3].startswith("mean")
    assert lines[4].startswith("error rate")
    assert max(map(len, lines)) < 160


def test_files_are_readable_and_hold_no_nan(rows, tmp_path):
    with write_scores(rows, tmp_path).open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 8
    assert [row["case"] for row in table[::2]] == ["a", "b", "c", "d"]
    empty = next(row for row in table if row["status"] == "both_empty")
    assert all(empty[metric] == "" for metric in METRICS)
    summary = json.loads(write_summary(summarise(rows, tolerance_mm=2.0), tmp_path).read_text())
    assert summary["nsd_tolerance_mm"] == 2.0
    assert "NaN" not in (tmp_path / "summary.json").read_text()
    assert "both_empty" in summary["conventions"]
