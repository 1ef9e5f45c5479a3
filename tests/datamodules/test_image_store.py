import logging
import multiprocessing
import os
import pickle
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.image_store import open_store


def images(count, size=(64, 48)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (size[1] + n, size[0], 3), dtype=np.uint8) for n in range(count)]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    found = {}
    for number, image in enumerate(images(6)):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image[..., ::-1])
        found[path] = image
    return found


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def caches(cache):
    return sorted((cache / "images").iterdir())


@pytest.mark.parametrize("workers", [0, 3])
def test_images_come_back_to_the_bit(pictures, cache, workers):
    store = open_store(pictures, cache, cache_mib=10, workers=workers)
    for path, image in pictures.items():
        np.testing.assert_array_equal(store.load(path), image)
        assert store.size(path) == (image.shape[1], image.shape[0])
    assert all(entry.offset is not None for entry in store.entries.values())


def test_each_image_decodes_once_for_all_runs_whatever_its_name(pictures, cache, tmp_path):
    first = open_store(pictures, cache, cache_mib=10, workers=1)
    written = first.file.stat().st_ino
    moved = {path.rename(path.with_name(f"other {path.name}")): image for path, image in pictures.items()}
    twice = [*moved, *moved]
    second = open_store(reversed(twice), cache, cache_mib=10, workers=1)
    assert caches(cache) == [first.file]
    assert second.file.stat().st_ino == written
    for path, image in moved.items():
        np.testing.assert_array_equal(second.load(path), image)


def test_other_content_makes_another_cache(pictures, cache):
    first = open_store(pictures, cache, cache_mib=10, workers=1)
    path = next(iter(pictures))
    cv2.imwrite(str(path), np.zeros((5, 7, 3), np.uint8))
    second = open_store(pictures, cache, cache_mib=10, workers=1)
    assert second.file != first.file
    assert second.size(path) == (7, 5)
    assert second.contents[path] != first.contents[path]


def test_equal_images_are_kept_once(pictures, cache):
    path, image = next(iter(pictures.items()))
    copy = path.with_name("copy.png")
    copy.write_bytes(path.read_bytes())
    store = open_store([path, copy], cache, cache_mib=10, workers=1)
    assert store.entries[path] == store.entries[copy]
    assert store.file.stat().st_size < 1.5 * image.nbytes


def test_what_does_not_fit_is_decoded_at_each_use_and_said(cache, tmp_path, caplog):
    large = np.random.default_rng(1).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), large + np.uint8(number))
    store = open_store(paths, cache, cache_mib=1, workers=2)
    assert "2 of 3 images do not fit" in caplog.text
    assert "data.cache_mib is 1, all of them need 2" in caplog.text
    assert store.file.stat().st_size <= (1 << 20) + 1000
    for number, path in enumerate(paths):
        np.testing.assert_array_equal(store.load(path), (large + np.uint8(number))[..., ::-1])
    caplog.clear()
    open_store(paths, cache, cache_mib=1, workers=2)
    assert "2 of 3 images do not fit" in caplog.text
    assert store.load(paths[0]).flags.writeable is False


def test_no_cache_at_all_works(pictures, cache):
    store = open_store(pictures, cache, cache_mib=0, workers=1)
    for path, image in pictures.items():
        np.testing.assert_array_equal(store.load(path), image)


def test_an_image_that_changes_in_training_is_refused(pictures, cache):
    store = open_store(pictures, cache, cache_mib=0, workers=1)
    path = next(iter(pictures))
    cv2.imwrite(str(path), np.zeros((5, 7, 3), np.uint8))
    with pytest.raises(DataError, match="64 x 48, found 7 x 5"):
        store.load(path)


@pytest.mark.parametrize("cache_mib", [0, 10])
def test_all_images_that_do_not_decode_are_named_and_nothing_is_written(pictures, cache, cache_mib):
    paths = list(pictures)
    paths[1].write_bytes(paths[1].read_bytes()[:-30])
    cut_short = paths[3].with_suffix(".jpg")
    cv2.imwrite(str(cut_short), pictures[paths[3]])
    cut_short.write_bytes(cut_short.read_bytes()[:-200])
    with pytest.raises(DataError, match="every image to be usable, found 2 of 7") as caught:
        open_store([*paths, cut_short], cache, cache_mib=cache_mib, workers=2)
    assert str(paths[1]) in str(caught.value)
    assert str(cut_short) in str(caught.value)
    assert caches(cache) == []


def test_all_missing_images_are_named(pictures, cache, tmp_path):
    missing = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(DataError, match=r"2 of 8(.|\n)*a\.png(.|\n)*b\.png"):
        open_store([*pictures, *missing], cache, cache_mib=1, workers=1)


def test_a_worker_gets_the_name_of_the_cache_and_not_its_pixels(pictures, cache):
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    path, image = next(iter(pictures.items()))
    store.load(path)
    sent = pickle.dumps(store)
    assert len(sent) < image.nbytes / 2
    np.testing.assert_array_equal(pickle.loads(sent).load(path), image)  # noqa: S301 -- its own bytes


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: data[:-8] + b"otherwis"])
def test_a_damaged_cache_is_made_again(pictures, cache, damage, caplog):
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    store.file.write_bytes(damage(store.file.read_bytes()))
    again = open_store(pictures, cache, cache_mib=10, workers=1)
    assert "not a whole cache" in caplog.text
    for path, image in pictures.items():
        np.testing.assert_array_equal(again.load(path), image)


def open_and_sum(paths, cache):
    store = open_store(paths, cache, cache_mib=10, workers=1)
    return [int(store.load(path).astype(int).sum()) for path in paths]


def test_several_runs_may_make_the_same_cache_at_once(pictures, cache):
    expected = [int(image.astype(int).sum()) for image in pictures.values()]
    context = multiprocessing.get_context("fork")
    with context.Pool(3) as pool:
        sums = pool.starmap(open_and_sum, [(list(pictures), cache)] * 6)
    with ThreadPoolExecutor(3) as pool:
        sums += pool.map(open_and_sum, [list(pictures)] * 3, [cache] * 3)
    assert sums == [expected] * 9
    assert len(caches(cache)) == 1


def test_an_open_cache_survives_being_made_again(pictures, cache):
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    path, image = next(iter(pictures.items()))
    kept = store.load(path)
    store.file.unlink()
    open_store(pictures, cache, cache_mib=10, workers=1)
    np.testing.assert_array_equal(kept, image)


def test_caches_that_nobody_uses_and_remains_of_killed_runs_are_removed(pictures, cache):
    folder = cache / "images"
    folder.mkdir(parents=True)
    ages = {"old.rgb": 40, "young.rgb": 20, ".killed.rgb": 2, ".written-now.rgb": 0}
    for name, days in ages.items():
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    assert set(caches(cache)) == {folder / "young.rgb", folder / ".written-now.rgb", store.file}


@pytest.fixture
def limited_disk():
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_f19_a_full_disk_leaves_nothing_and_says_what_helps(pictures, cache, limited_disk):
    with pytest.raises(OSError, match=r"disk full.*data\.cache_mib.*data\.cache_dir"):
        open_store(pictures, cache, cache_mib=10, workers=1)
    assert caches(cache) == []


def test_a_cache_that_holds_everything_is_quiet(pictures, cache, caplog):
    with caplog.at_level(logging.INFO):
        open_store(pictures, cache, cache_mib=10, workers=1)
    assert "fit" not in caplog.text
