from pathlib import Path

import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts.masks import complete_masks

ROOT = Path("set")
MASKS = {"a": ["y", "x"], "b": ["x", "y", "z"]}


def test_structures_are_those_that_are_stated_or_found():
    whole = {"a": ["y", "x"], "b": ["x", "y"]}
    assert complete_masks(ROOT, whole, None) == ("x", "y")
    assert complete_masks(ROOT, whole, None, ("y", "x")) == ("y", "x")
    assert complete_masks(ROOT, MASKS, {"bg": 0, "y": 1}) == ("y",)


def test_f16_every_absent_mask_is_named():
    with pytest.raises(DataError, match=r"a mask file for each of x, y, z in every case, found none for z of a;"):
        complete_masks(ROOT, MASKS, None)
    with pytest.raises(DataError, match=r"s9 of a and 10 more"):
        complete_masks(ROOT, {"a": []}, {f"s{number}": 1 for number in range(20)})
