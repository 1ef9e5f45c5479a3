"""Rows on disk survive a kill, and what was cut short is taken off."""

import logging

import numpy as np
import pytest

from pipeline.inference import pose_rows
from pipeline.inference.pose_rows import RowStore, empty_rows


def rows(start, stop):
    made = empty_rows(stop - start, 3)
    made["index"] = np.arange(start, stop)
    made["points"] = np.arange(start, stop)[:, None, None]
    return made


@pytest.fixture
def store(tmp_path):
    return RowStore(tmp_path / "parts" / "video", "origin", 3)


def test_rows_come_back_in_parts(store):
    store.append(rows(0, 5))
    store.append(rows(5, 8))
    assert len(store) == 8
    assert store.read(-3, 2)["index"].tolist() == [0, 1]
    assert store.read(6, 99)["index"].tolist() == [6, 7]
    assert len(store.read(9, 12)) == 0
    np.testing.assert_array_equal(store.read(0, 8)["points"], rows(0, 8)["points"])


def test_empty_rows_have_no_numbers():
    made = empty_rows(2, 3)
    assert np.isnan(made["points"]).all()
    assert np.isnan(made["time_s"]).all()


def test_another_start_with_the_same_origin_finds_the_rows_and_another_origin_none(store, tmp_path):
    store.append(rows(0, 5))
    assert len(RowStore(store.folder, "origin", 3)) == 5
    assert len(RowStore(store.folder, "other", 3)) == 0
    assert len(RowStore(store.folder, "origin", 3)) == 0


def test_f18_a_row_that_was_cut_short_is_removed(store):
    store.append(rows(0, 5))
    path = store.folder / "rows.bin"
    path.write_bytes(path.read_bytes()[:-7])
    assert store.keep_whole(1) == 4
    store.append(rows(4, 6))
    assert store.read(0, 9)["index"].tolist() == list(range(6))


def test_whole_batches_alone_are_kept(store):
    store.append(rows(0, 11))
    assert store.keep_whole(4) == 8
    assert len(store) == 8


def test_f18_zeros_that_a_failing_power_left_are_removed_with_the_row_before(store):
    store.append(rows(0, 6))
    path = store.folder / "rows.bin"
    size = path.stat().st_size // 6
    path.write_bytes(path.read_bytes()[: 4 * size] + bytes(2 * size))
    assert store.keep_whole(1) == 3


def test_an_origin_that_was_cut_short_begins_anew(store):
    store.append(rows(0, 5))
    (store.folder / "origin.json").write_text('{"orig')
    assert len(RowStore(store.folder, "origin", 3)) == 0


def test_rows_are_removed_with_their_folder(store):
    store.append(rows(0, 5))
    store.clear()
    assert len(store) == 0
    store.remove()
    assert not store.folder.exists()


@pytest.mark.parametrize("wrong", [None, 0, 1, 4, 5, 8, 10])
def test_f18_rows_are_checked_in_chunks(store, monkeypatch, wrong):
    made = rows(0, 11)
    if wrong is not None:
        made["index"][wrong] = -1
    store.append(made)
    read, most = RowStore.read, []
    monkeypatch.setattr(pose_rows, "_CHECKED", 4)
    monkeypatch.setattr(RowStore, "read", lambda self, a, b: most.append(b - a) or read(self, a, b))
    assert store.keep_whole(1) == (11 if wrong is None else max(wrong - 1, 0))
    assert max(most) == 4


def test_findings_are_kept_with_the_rows_of_their_origin(store):
    assert store.noted() is None
    store.note(["dark"])
    store.clear()
    assert RowStore(store.folder, "origin", 3).noted() == ["dark"]
    assert RowStore(store.folder, "other", 3).noted() is None


def test_dropped_rows_are_told_of(store, caplog):
    caplog.set_level(logging.INFO)
    store.append(rows(0, 5))
    RowStore(store.folder, "origin", 3)
    assert not caplog.text
    RowStore(store.folder, "other", 3)
    assert "5 rows are dropped" in caplog.text
