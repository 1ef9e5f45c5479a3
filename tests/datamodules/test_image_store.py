import json
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.image_store import open_store


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    found, rng = {}, np.random.default_rng(0)
    for number in range(6):
        image = rng.integers(0, 256, (48 + number, 64, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image[..., ::-1])
        found[path] = image
    return found


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def caches(cache):
    return sorted((cache / "pose-images").iterdir())


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


@pytest.mark.parametrize("cache_mib", [0, 1, 10])
def test_the_same_images_under_other_names_make_the_same_cache_to_the_byte(cache, tmp_path, cache_mib):
    content = np.random.default_rng(1).integers(0, 256, (6, 200, 400, 3), dtype=np.uint8)
    names = [[f"{n}.png" for n in range(6)], [f"{5 - n} other.png" for n in range(6)]]
    sets = []
    for number, files in enumerate(names):
        folder = tmp_path / f"set {number}"
        folder.mkdir()
        sets.append({folder / name: image for name, image in zip(files, content, strict=True)})
        for path, image in sets[-1].items():
            cv2.imwrite(str(path), image[..., ::-1])
    first = open_store(sets[0], cache, cache_mib=cache_mib, workers=2)
    written = first.file.read_bytes()
    first.file.unlink()
    second = open_store(sets[1], cache, cache_mib=cache_mib, workers=2)
    assert second.file == first.file
    assert second.file.read_bytes() == written
    # the first has not looked into its file yet, as a worker that starts late
    for store, pictures in ((first, sets[0]), (second, sets[1])):
        for path, image in pictures.items():
            np.testing.assert_array_equal(store.load(path), image)


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
    (kept,) = [path for path in paths if store.entries[path].offset is not None]
    assert store.load(kept).flags.writeable is False


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


def with_index(change):
    """Damage the index of a cache alone: its length and the file's end are right."""

    def damage(data):
        length = struct.unpack("<Q", data[-16:-8])[0]
        index = change(data[-16 - length : -16])
        return data[: -16 - length] + index + struct.pack("<Q", len(index)) + data[-8:]

    return damage


def with_first_entry(**changes):
    def change(text):
        index = json.loads(text)
        index[next(iter(index))] |= changes
        return json.dumps(index).encode()

    return with_index(change)


@pytest.mark.parametrize(
    "damage",
    [
        with_index(lambda text: b"\xff\xfe" + text[2:]),
        with_index(lambda text: text[:-9]),
        with_index(lambda text: b"[]"),
        with_index(lambda text: b"{}"),
        with_index(lambda text: b"[" * 100_000),
        with_index(lambda text: text.replace(b"width", b"wodth")),
        with_first_entry(offset=10**9),
        with_first_entry(offset=-1),
        with_first_entry(offset=1.5),
        with_first_entry(height=10**6),
        with_first_entry(width=0),
        with_first_entry(width=None),
    ],
)
def test_a_cache_with_a_damaged_index_is_made_again(pictures, cache, damage, caplog):
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    whole = store.file.read_bytes()
    store.file.write_bytes(damage(whole))
    again = open_store(pictures, cache, cache_mib=10, workers=1)
    assert "the index of this cache of images is damaged" in caplog.text
    assert again.file.read_bytes() == whole
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
    folder = cache / "pose-images"
    folder.mkdir(parents=True)
    young, written_now = "a" * 64 + ".rgb", "." + "b" * 16 + ".rgb"
    ages = {"c" * 64 + ".rgb": 40, young: 20, "." + "d" * 16 + ".rgb": 2, written_now: 0}
    for name, days in ages.items():
        write_aged(folder / name, days)
    store = open_store(pictures, cache, cache_mib=10, workers=1)
    assert set(caches(cache)) == {folder / young, folder / written_now, store.file}


def write_aged(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - days * 86400,) * 2)


@pytest.mark.parametrize("folder", ["images", "pose-images", "."])
def test_files_of_others_in_the_cache_folder_are_left_alone(pictures, cache, folder):
    own = ["a.png", "notes.rgb", ".hidden", "e" * 63 + ".rgb", "e" * 64 + ".rgb.bak", "E" * 64 + ".rgb"]
    own += ["a folder/b.png", "f" * 64 + ".rgb/c.png", "." + "f" * 16 + ".rgb/d.png"]
    for name in own:
        write_aged(cache / folder / name, 400)
    for path in (cache / folder).iterdir():
        os.utime(path, (time.time() - 400 * 86400,) * 2)
    (cache / folder / ("1" * 64 + ".rgb")).symlink_to(cache / folder / "a.png")
    os.utime(cache / folder / ("1" * 64 + ".rgb"), (0, 0), follow_symlinks=False)
    open_store(pictures, cache, cache_mib=10, workers=1)
    assert [name for name in own if not (cache / folder / name).is_file()] == []
    assert (cache / folder / ("1" * 64 + ".rgb")).is_symlink()


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
