import shutil
from dataclasses import replace

import numpy as np
import pytest

from datamodules.fingerprint import (
    MAX_SAMPLES,
    data_digest,
    foreground_statistics,
    read_case_summary,
    read_summaries,
)
from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases


@pytest.fixture(scope="module")
def listing(tmp_path_factory, write_dataset):
    return find_cases(write_dataset(tmp_path_factory.mktemp("set"), ["a", "b", "c"], channels=2))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_summary_says_what_a_case_holds(listing):
    summary = read_case_summary(listing.cases[0], listing.labels)
    assert summary.shape == (12, 10, 8)
    assert summary.spacing_mm == pytest.approx((2, 2, 3))
    assert summary.voxel_counts == {"left": 96, "right": 72}
    assert summary.samples.shape == (2, 168)
    assert summary.samples.mean() == pytest.approx(100 * (96 + 2 * 72) / 168, abs=3)
    assert len(summary.limits) == 2


def test_spacing_is_in_canonical_order(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path, ["a"])
    turned = np.array([[0, 0, -3.0, 0], [1.0, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    for path in ("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"):
        write_volume(root / path, np.ones((4, 5, 6), np.int16), turned)
    summary = read_case_summary(find_cases(root).cases[0], find_cases(root).labels)
    assert summary.spacing_mm == pytest.approx((3, 1, 2))
    assert summary.shape == (6, 4, 5)


def test_samples_are_bounded_and_always_the_same(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path, ["a"])
    shape = (30, 30, 30)
    write_volume(root / "imagesTr" / "a_0000.nii.gz", np.arange(27000, dtype=np.int32).reshape(shape))
    write_volume(root / "labelsTr" / "a.nii.gz", np.ones(shape, np.uint8))
    found = find_cases(root)
    first, second = (read_case_summary(found.cases[0], found.labels) for _ in range(2))
    assert first.samples.shape == (1, MAX_SAMPLES)
    assert len(np.unique(first.samples)) == MAX_SAMPLES
    np.testing.assert_array_equal(first.samples, second.samples)


def test_overlapping_structures_are_counted_each(listing):
    labels = find_cases(listing.root, labels={"both": [1, 2], "right": 2}).labels
    summary = read_case_summary(listing.cases[0], labels)
    assert summary.voxel_counts == {"both": 168, "right": 72}
    assert summary.samples.shape == (2, 168)


def test_a_second_start_reads_the_cache_alone(listing, tmp_path):
    first = read_summaries(listing, tmp_path, 0)
    before = stamps(tmp_path)
    second = read_summaries(listing, tmp_path, 0)
    assert stamps(tmp_path) == before
    assert len(before) == 3
    for case_id, summary in first.items():
        other = second[case_id]
        assert (other.content, other.spacing_mm, other.limits, other.voxel_counts) == (
            summary.content,
            summary.spacing_mm,
            summary.limits,
            summary.voxel_counts,
        )
        np.testing.assert_array_equal(other.samples, summary.samples)


def test_worker_processes_give_the_same(listing, tmp_path):
    in_turn = read_summaries(listing, tmp_path / "0", 0)
    in_processes = read_summaries(listing, tmp_path / "2", 2)
    assert list(in_processes) == ["a", "b", "c"]
    for case_id, summary in in_turn.items():
        np.testing.assert_array_equal(in_processes[case_id].samples, summary.samples)


def test_a_changed_file_and_changed_labels_are_read_anew(tmp_path, write_dataset, write_volume):
    root, cache = write_dataset(tmp_path / "set", ["a", "b"]), tmp_path / "cache"
    digest = data_digest(read_summaries(find_cases(root), cache, 0).values())
    write_volume(root / "labelsTr" / "b.nii.gz", np.zeros((12, 10, 8), np.uint8))
    summaries = read_summaries(find_cases(root), cache, 0)
    assert summaries["b"].voxel_counts == {"left": 0, "right": 0}
    assert data_digest(summaries.values()) != digest
    assert len(stamps(cache)) == 3
    read_summaries(find_cases(root, labels={"both": [1, 2]}), cache, 0)
    assert len(stamps(cache)) == 5


def test_the_digest_does_not_depend_on_the_order(listing, tmp_path):
    summaries = list(read_summaries(listing, tmp_path, 0).values())
    assert data_digest(summaries) == data_digest(reversed(summaries))


def test_statistics_are_those_of_the_foreground(listing, tmp_path):
    summaries = list(read_summaries(listing, tmp_path, 0).values())
    statistics = foreground_statistics(summaries)
    pooled = np.concatenate([summary.samples[1] for summary in summaries]).astype(float)
    assert len(statistics) == 2
    assert statistics[1].mean == pytest.approx(pooled.mean())
    assert statistics[1].std == pytest.approx(pooled.std())
    assert statistics[1].lower == pytest.approx(np.percentile(pooled, 0.5))
    assert statistics[1].upper == pytest.approx(np.percentile(pooled, 99.5))


def empty_masks(root, write_volume, names):
    for name in names:
        write_volume(root / "labelsTr" / f"{name}.nii.gz", np.zeros((12, 10, 8), np.uint8))


def test_f16_statistics_pass_over_empty_masks(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    empty_masks(root, write_volume, ["a"])
    (statistics,) = foreground_statistics(list(read_summaries(find_cases(root), tmp_path, 0).values()))
    assert np.isfinite([statistics.lower, statistics.upper, statistics.mean, statistics.std]).all()


def test_f16_statistics_of_nothing_are_refused(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    empty_masks(root, write_volume, ["a", "b"])
    with pytest.raises(DataError, match="empty masks in all 2"):
        foreground_statistics(list(read_summaries(find_cases(root), tmp_path, 0).values()))


def test_f06_training_refuses_nan_and_names_every_such_case(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path / "set", ["a", "b", "c"])
    for name in ("a", "c"):
        write_volume(root / "imagesTr" / f"{name}_0000.nii.gz", np.full((12, 10, 8), np.nan, np.float32))
    with pytest.raises(DataError, match=r"2 of 3 that are not:\n  a: .*NaN.*\n  c: .*NaN"):
        read_summaries(find_cases(root), tmp_path / "cache", 0)
    assert len(stamps(tmp_path / "cache")) == 1  # the whole case need not be read again


def test_f17_the_same_image_twice_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    shutil.copy(root / "imagesTr" / "a_0000.nii.gz", root / "imagesTr" / "b_0000.nii.gz")
    with pytest.raises(DataError, match="a and b"):
        read_summaries(find_cases(root), tmp_path / "cache", 0)


@pytest.mark.shared_data
def test_real_ct(shared_data, tmp_path):
    listing = find_cases(shared_data / "head_neck_ct")
    listing = replace(listing, cases=listing.cases[:3])
    (statistics,) = foreground_statistics(list(read_summaries(listing, tmp_path, 0).values()))
    assert -300 < statistics.lower < 0 < statistics.mean < 500 < statistics.upper < 3000
