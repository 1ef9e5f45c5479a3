import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from datamodules.cache import PreparedCase, _publish, prepare_cases
from datamodules.formats.errors import DataError
from datamodules.integrity.inspection import inspect_cases
from datamodules.intensity import ChannelIntensity
from datamodules.layouts import find_cases
from datamodules.preprocessing import Preprocessing

PLAIN = Preprocessing(None, "none", (ChannelIntensity("none"),))
COARSE = Preprocessing((4.0, 4.0, 4.0), "none", (ChannelIntensity("zscore"),))


@pytest.fixture
def listing(tmp_path, write_dataset):
    return find_cases(write_dataset(tmp_path / "set", ["a", "b"]))


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_prepared_case_holds_all_that_training_needs(listing, tmp_path):
    prepared = prepare_cases(listing, PLAIN, tmp_path, 0)
    image, label, locations = prepared["a"].load()
    assert isinstance(image, np.memmap)
    assert (image.dtype, image.shape) == (np.float32, (1, 12, 10, 8))
    assert (label.dtype, label.shape) == (np.uint8, (12, 10, 8))
    assert {key: found.shape for key, found in locations.items()} == {1: (96, 3), 2: (72, 3)}
    for key, found in locations.items():
        assert (label[tuple(found.T)] == key).all()
    loaded = prepared["a"].load(mmap=False)[0]
    assert not isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, image)


def test_the_grid_leads_back_to_the_file(listing, tmp_path):
    case = prepare_cases(listing, COARSE, tmp_path, 0)["a"]
    image, _, _ = case.load()
    grid = case.grid()
    assert grid.shape == image.shape[1:] == (6, 5, 6)
    assert grid.restore_labels(torch.zeros(3, *grid.shape)).shape == (12, 10, 8)


def test_overlapping_structures_become_masks(listing, tmp_path):
    regions = find_cases(listing.root, labels={"both": [1, 2], "right": 2})
    _, label, locations = prepare_cases(regions, COARSE, tmp_path, 0)["a"].load()
    assert label.shape == (2, 6, 5, 6)
    assert set(np.unique(label)) == {0, 1}
    assert (label[0] >= label[1]).all()
    assert list(locations) == [0, 1]
    assert label[1][tuple(locations[1].T)].all()


def test_locations_are_bounded_and_always_the_same(listing, tmp_path):
    first, second = (
        prepare_cases(listing, PLAIN, tmp_path / name, 0, class_locations=10)["a"].load()[2] for name in "xy"
    )
    assert {key: found.shape for key, found in first.items()} == {1: (10, 3), 2: (10, 3)}
    for key, found in first.items():
        np.testing.assert_array_equal(found, second[key])


def test_f16_an_absent_class_has_no_locations(listing, tmp_path, write_volume):
    write_volume(listing.root / "labelsTr" / "a.nii.gz", np.zeros((12, 10, 8), np.uint8))
    _, label, locations = prepare_cases(listing, PLAIN, tmp_path, 0)["a"].load()
    assert not label.any()
    assert {key: found.shape for key, found in locations.items()} == {1: (0, 3), 2: (0, 3)}


def test_a_second_start_writes_nothing(listing, tmp_path):
    cache = tmp_path / "cache"
    prepare_cases(listing, PLAIN, cache, 0)
    before = stamps(cache)
    prepare_cases(listing, PLAIN, cache, 0)
    assert stamps(cache) == before
    assert len(before) == 11  # the folder, two cases, and four files in each


def test_hashes_that_are_known_are_not_made_again(listing, tmp_path):
    hashes = {id_: facts.content for id_, facts in inspect_cases(listing, tmp_path, 0).facts.items()}
    prepared = prepare_cases(listing, PLAIN, tmp_path, 0)
    for case in listing.cases:
        for path in case.files:
            path.unlink()
    assert prepare_cases(listing, PLAIN, tmp_path, 0, hashes=hashes) == prepared


def test_other_settings_and_other_content_are_prepared_apart(listing, tmp_path, write_volume):
    folders = {case.folder for case in prepare_cases(listing, PLAIN, tmp_path, 0).values()}
    folders |= {case.folder for case in prepare_cases(listing, COARSE, tmp_path, 0).values()}
    folders |= {case.folder for case in prepare_cases(listing, PLAIN, tmp_path, 0, class_locations=5).values()}
    mapped = find_cases(listing.root, label_map={3: 1})
    folders |= {case.folder for case in prepare_cases(mapped, PLAIN, tmp_path, 0).values()}
    assert len(folders) == 8
    write_volume(listing.root / "imagesTr" / "a_0000.nii.gz", np.zeros((12, 10, 8), np.int16))
    changed = prepare_cases(listing, PLAIN, tmp_path, 0)
    assert changed["a"].folder not in folders
    assert changed["b"].folder in folders


def test_worker_processes_give_the_same(listing, tmp_path):
    in_turn = prepare_cases(listing, COARSE, tmp_path / "0", 0)
    in_processes = prepare_cases(listing, COARSE, tmp_path / "2", 2)
    for case_id, case in in_turn.items():
        for name in ("image.npy", "label.npy", "grid.json"):
            assert (case.folder / name).read_bytes() == (in_processes[case_id].folder / name).read_bytes()


def test_a_case_that_fails_leaves_nothing_and_the_others_stay(listing, tmp_path, write_volume):
    write_volume(listing.root / "labelsTr" / "b.nii.gz", np.full((12, 10, 8), 9, np.uint8))
    with pytest.raises(DataError, match=r"1 of 2 that are not:\n  b: .*undeclared: 9"):
        prepare_cases(listing, PLAIN, tmp_path / "cache", 0)
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 1


def test_labels_on_another_grid_need_permission(listing, tmp_path, write_volume):
    shifted = np.diag([2.0, 2.0, 3.0, 1.0])
    shifted[0, 3] = 2.0
    write_volume(listing.root / "labelsTr" / "a.nii.gz", np.ones((12, 10, 8), np.uint8), shifted)
    with pytest.raises(DataError, match=r"data\.resample_labels"):
        prepare_cases(listing, PLAIN, tmp_path, 0)
    _, label, _ = prepare_cases(listing, PLAIN, tmp_path, 0, resample_labels=True)["a"].load()
    assert label[0].max() == 0
    assert label[1:].min() == 1


def test_what_a_killed_process_left_is_removed_after_a_day(listing, tmp_path):
    old, new = (tmp_path / "prepared" / f".partial-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "image.npy").write_bytes(b"half")
    day_ago = time.time() - 25 * 3600
    os.utime(old, (day_ago, day_ago))
    prepare_cases(listing, PLAIN, tmp_path, 0)
    assert not old.exists()
    assert new.exists()


def test_two_runs_may_prepare_the_same_cases_at_once(listing, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(prepare_cases, listing, COARSE, tmp_path, 0) for _ in range(2)]
    assert runs[0].result() == runs[1].result()
    assert len(list((tmp_path / "prepared").iterdir())) == 2


def test_a_folder_that_another_run_finished_first_is_kept(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "image.npy").write_text(folder.name)
    _publish(ours, theirs)
    assert (theirs / "image.npy").read_text() == "theirs"
    with pytest.raises(OSError, match="absent"):
        _publish(tmp_path / "absent", tmp_path / "target")


def test_f31_the_cache_does_not_depend_on_names(tmp_path, write_dataset):
    listing = find_cases(write_dataset(tmp_path / "set é", ["ü" * 115 + " x"]))
    (case,) = prepare_cases(listing, PLAIN, tmp_path / "a cache", 0).values()
    assert case.load()[0].shape == (1, 12, 10, 8)
    assert len(case.folder.name) == 64


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "labels", "preprocessing"),
    [
        ("head_neck_ct", None, replace(COARSE, crop="air")),
        ("hippocampus_mr", None, Preprocessing((1.0, 1.0, 1.0), "none", (ChannelIntensity("zscore"),))),
        ("em_membranes", {"membrane": 0, "cell": 255}, PLAIN),
    ],
)
def test_real_data(shared_data, tmp_path, name, labels, preprocessing):
    listing = find_cases(shared_data / name, labels=labels)
    listing = replace(listing, cases=listing.cases[:2])
    for case in prepare_cases(listing, preprocessing, tmp_path, 0).values():
        assert isinstance(case, PreparedCase)
        image, label, locations = case.load()
        assert image.shape[1:] == label.shape
        assert np.isfinite(image).all()
        assert all(len(found) for found in locations.values())
