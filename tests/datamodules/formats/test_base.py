from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import FORMATS, ReadOptions
from datamodules.formats.base import is_named


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, np.nan), (1.0, 1.0, np.inf)])
def test_a_stated_spacing_is_three_numbers_above_0(spacing):
    with pytest.raises(ValueError, match="expected a spacing of three numbers above 0"):
        ReadOptions(spacing_mm=spacing)


def test_one_volume_and_all_of_them_exclude_each_other():
    with pytest.raises(ValueError, match="expected one volume or all, found volume_index 0 and all_volumes"):
        ReadOptions(volume_index=0, all_volumes=True)


@pytest.mark.parametrize(("name", "expected"), [("a.nii", True), ("A.NII", True), (".nii", False), ("nii", False)])
def test_names_are_told_by_their_end(name, expected):
    assert is_named(Path("folder.nii") / name, (".nii",)) is expected


def test_every_format_has_a_name_and_suffixes_in_lower_case():
    assert len({entry.name for entry in FORMATS}) == len(FORMATS)
    for entry in FORMATS:
        assert entry.suffixes == tuple(suffix.lower() for suffix in entry.suffixes)
        assert all(suffix.startswith(".") for suffix in entry.suffixes)
        for suffix in entry.suffixes:
            assert not entry.claims(Path("/nowhere") / f"a.other{suffix}x", ReadOptions())
