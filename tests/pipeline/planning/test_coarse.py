import dataclasses

import numpy as np
import pytest

from pipeline.planning.coarse import consider_coarser, not_coarser, share_seen, too_little_seen
from pipeline.planning.grid_choice import choose_grid


@pytest.fixture
def large(make_facts, make_fingerprint):
    """Return a function that makes a grid of 200 x 200 x 200 with an organ of some extent."""

    def make(edge):
        boxes = {"organ": ((50, 50 + edge),) * 3}
        cases = [make_facts(str(n), shape=(200, 200, 200), boxes=boxes) for n in range(3)]
        fingerprint = make_fingerprint(cases)
        return choose_grid(fingerprint, cases, ["ct"]), fingerprint, cases

    return make


def test_the_share_of_a_volume_that_a_patch_shows(large):
    grid, _, _ = large(50)
    assert share_seen((100, 100, 100), grid) == pytest.approx(1 / 8)
    assert share_seen((256, 256, 256), grid) == 1


def test_the_spacing_is_made_coarser_until_a_quarter_is_seen(large):
    grid, fingerprint, cases = large(50)
    coarser, words = consider_coarser(grid, (64, 64, 64), fingerprint, cases)
    assert coarser is not None
    assert share_seen((64, 64, 64), coarser) == pytest.approx(0.28, abs=0.02)
    assert coarser.spacing_mm.value == list(coarser.voxel_mm)
    assert np.ptp(coarser.voxel_mm) == 0
    for word in ("3% of a median volume", "second network", "given up"):
        assert word in words
        assert word in coarser.spacing_mm.reason


def test_small_structures_keep_the_spacing_fine(large):
    grid, fingerprint, cases = large(7)
    coarser, words = consider_coarser(grid, (64, 64, 64), fingerprint, cases)
    assert coarser is None
    assert "The spacing stays 1 x 1 x 1 mm" in words
    assert "organ would be" in words


def test_where_nothing_is_gained_it_is_said(large):
    grid, _, _ = large(50)
    assert "stays 1 x 1 x 1 mm, as a coarser one shows no more" in not_coarser(grid, (64, 64, 64))


def test_a_share_under_one_percent_has_a_decimal(large):
    grid, _, _ = large(50)
    assert "0.4% of a median volume" in too_little_seen(grid, (32, 32, 32), "time")
    flat = dataclasses.replace(grid, dims=2)
    assert too_little_seen(flat, (32, 32), "time").startswith("A patch shows 3% of a median image, for want of time")
