from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from datamodules.hashing import cache_key, digest_of, hash_case, hash_cases, hash_file, seed_of


def make_case(folder: Path, name: str, content: bytes, label: bytes = b"label", suffix=".nii") -> Case:
    folder.mkdir(exist_ok=True)
    image, mask = folder / f"{name}_0000{suffix}", folder / f"{name}{suffix}"
    image.write_bytes(content)
    mask.write_bytes(label)
    return Case(name, name, (image,), mask)


def test_the_hash_is_of_the_content_and_not_of_the_name(tmp_path):
    case = make_case(tmp_path, "a", b"1")
    assert hash_case(case) == hash_case(make_case(tmp_path / "other", "b", b"1"))
    changed = [
        make_case(tmp_path, "c", b"2"),
        make_case(tmp_path, "d", b"1", label=b"another"),
        make_case(tmp_path, "e", b"1", suffix=".nii.gz"),
        Case("a", "a", case.images, case.label, volume_indices=(1,)),
        Case("a", "a", case.images),
    ]
    assert len({hash_case(case), *map(hash_case, changed)}) == 6


def write_slices(folder: Path, values: Iterable[int]) -> Path:
    folder.mkdir()
    for number, value in enumerate(values):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((3, 4), value, np.uint8))
    return folder


def test_every_slice_of_a_folder_counts_and_so_does_their_order(tmp_path):
    folders = [
        write_slices(tmp_path / name, values)
        for name, values in zip("abcd", [(1, 2, 3), (1, 2, 3), (1, 3, 2), (1, 2)], strict=True)
    ]
    cases = [Case("a", "a", (folder,), spacing_mm=(1.0, 1.0, 1.0)) for folder in folders]
    assert hash_case(cases[0]) == hash_case(cases[1])
    cases.append(replace(cases[0], spacing_mm=(1.0, 1.0, 2.0)))
    assert len({hash_case(case) for case in cases}) == 4


def test_masks_count_in_their_order(tmp_path):
    case = make_case(tmp_path, "a", b"1")
    masks = tuple(make_case(tmp_path, name, b"x", name.encode()).label for name in "bc")
    forth, back = (Case("a", "a", case.images, masks=order) for order in (masks, masks[::-1]))
    assert len({hash_case(case), hash_case(forth), hash_case(back)}) == 3


def test_a_file_that_comes_several_times_counts_at_each_place(tmp_path):
    empty, full, scan = (make_case(tmp_path, name, b"x", name.encode()).label for name in ("empty", "full", "scan"))
    layouts = [
        Case("a", "a", (scan,), masks=(empty, empty, full)),
        Case("a", "a", (scan,), masks=(empty, full, empty)),
        Case("a", "a", (scan, scan, full)),
        Case("a", "a", (scan, full, full)),
        Case("a", "a", (scan,)),
        Case("a", "a", (scan, scan)),
        Case("a", "a", (scan,), scan),
        Case("a", "a", (scan, full), empty),
        Case("a", "a", (scan,), masks=(full, empty)),
        Case("a", "a", (scan,), full),
        Case("a", "a", (scan,), masks=(full,)),
    ]
    assert len({hash_case(case) for case in layouts}) == len(layouts)


def test_the_files_of_a_dicom_series_may_have_any_names(tmp_path, write_series):
    first = write_series(tmp_path / "a", "p")
    second = tmp_path / "b"
    second.mkdir()
    for number, path in enumerate(sorted(first.iterdir(), reverse=True)):
        (second / f"x{number}").write_bytes(path.read_bytes())
    assert hash_case(Case("a", "a", (first,))) == hash_case(Case("a", "a", (second,)))
    next(second.iterdir()).unlink()
    assert hash_case(Case("a", "a", (first,))) != hash_case(Case("a", "a", (second,)))


@pytest.mark.parametrize("workers", [0, 3])
def test_all_cases(tmp_path, workers):
    cases = [make_case(tmp_path, name, name.encode()) for name in "abc"]
    assert hash_cases(cases, workers) == {case.id: hash_case(case) for case in cases}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.nii"):
        hash_case(Case("a", "a", (tmp_path / "gone.nii",)))


def test_keys_digests_and_seeds():
    assert cache_key("x", {"a": 1, "b": 2}) == cache_key("x", {"b": 2, "a": 1})
    assert len({cache_key("x", {"a": 1}), cache_key("x", {"a": 2}), cache_key("y", {"a": 1})}) == 3
    assert digest_of(["b", "a"]) == digest_of(["a", "b"]) != digest_of(["ab"])
    assert seed_of("00000000000000ff" + "0" * 48) == 255
    with pytest.raises(ValueError, match="JSON"):
        cache_key("x", {"a": float("nan")})


def test_a_file_is_hashed_by_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(DataError, match="a readable file"):
        hash_file(tmp_path / "absent")
