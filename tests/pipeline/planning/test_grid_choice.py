import numpy as np
import pytest

from pipeline.planning.grid_choice import (
    choose_grid,
    coarsened,
    median_shape,
    prepared_shapes,
    structure_edges,
    target_spacing,
)


def test_the_target_is_the_median():
    spacings = np.array([[1, 1, 2], [1, 1, 2.5], [1.2, 1.2, 3]])
    found, words = target_spacing(spacings, np.full((3, 3), 100))
    assert found == (1.0, 1.0, 2.5)
    assert "median" in words


def test_on_a_coarse_axis_it_is_the_tenth_percentile():
    thick = np.linspace(4, 8, 11)
    spacings = np.stack([np.full(11, 0.7), np.full(11, 0.7), thick], axis=1)
    found, words = target_spacing(spacings, np.tile([512, 512, 60], (11, 1)))
    assert found == (0.7, 0.7, pytest.approx(4.4))
    assert "10th percentile" in words


def test_a_coarse_axis_is_never_finer_than_the_others():
    spacings = np.array([[0.7, 0.7, 0.1]] * 2 + [[0.7, 0.7, 6.0]] * 9)
    found, _ = target_spacing(spacings, np.tile([512, 512, 60], (11, 1)))
    assert found[2] == 0.7


def test_many_slices_keep_the_median_though_they_are_thick():
    spacings = np.stack([np.full(11, 0.7), np.full(11, 0.7), np.linspace(4, 8, 11)], axis=1)
    found, _ = target_spacing(spacings, np.tile([512, 512, 300], (11, 1)))
    assert found[2] == 6.0


def test_shapes_are_counted_after_the_crop_and_at_the_target(make_facts):
    cases = [make_facts(str(n), shape=(100, 100, 50), spacing_mm=(1, 1, 2), air_shape=(80, 60, 50)) for n in range(3)]
    assert median_shape(cases, "none", None) == (100, 100, 50)
    assert median_shape(cases, "air", (2.0, 2.0, 2.0)) == (40, 30, 50)


def test_a_ct_is_cropped_to_the_body_where_that_saves_something(make_facts, make_fingerprint):
    cases = [make_facts(str(n), shape=(100, 100, 50), air_shape=(80, 60, 50)) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases), cases, ["ct"])
    assert grid.crop.value == "air"
    assert grid.shape == (80, 60, 50)
    whole = [make_facts(str(n), air_shape=(40, 50, 29)) for n in range(3)]
    assert choose_grid(make_fingerprint(whole), whole, ["ct"]).crop.value == "none"
    assert choose_grid(make_fingerprint(cases), cases, ["zscore"]).crop.value == "none"


def test_images_are_2d_and_stay_as_they_are(make_facts, make_fingerprint):
    cases = [make_facts(str(n), shape=(300, 200, 1)) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases, suffix=".png"), cases, ["rescale"])
    assert (grid.dims, grid.spacing_mm.value, grid.shape) == (2, "native", (300, 200, 1))


def test_single_slices_in_mm_are_2d_and_resampled(make_facts, make_fingerprint):
    cases = [make_facts(str(n), shape=(300, 200, 1), spacing_mm=(0.5 + n / 10, 0.5, 8)) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases), cases, ["ct"])
    assert (grid.dims, grid.spacing_mm.value) == (2, [0.6, 0.5, 8.0])


@pytest.mark.parametrize(
    ("shape", "spacing", "dims"),
    [
        ((200, 200, 20), (1, 1, 5), 3),
        ((200, 200, 20), (0.4, 0.4, 6), 2),
        ((200, 200, 3), (1, 1, 4), 2),
        ((1, 200, 200), (5, 1, 1), 3),
    ],
)
def test_very_thick_slices_are_learned_one_by_one(shape, spacing, dims, make_facts, make_fingerprint):
    boxes = {"lesion": tuple((0, min(2, size)) for size in shape)}
    cases = [make_facts(str(n), shape=shape, spacing_mm=spacing, boxes=boxes) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases), cases, ["ct"])
    assert grid.dims == dims
    assert grid.dims_reason


def test_thick_slices_that_a_structure_spans_are_learned_together(make_facts, make_fingerprint):
    cases = [make_facts(str(n), shape=(200, 200, 20), spacing_mm=(0.4, 0.4, 6)) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases), cases, ["ct"])
    assert grid.dims == 3
    assert "structures span 10.0 of them" in grid.dims_reason


def test_slices_that_are_learned_one_by_one_stay_as_they_are(make_facts, make_fingerprint):
    boxes = {"lesion": ((5, 9), (5, 9), (5, 6))}
    alike = [make_facts(str(n), shape=(200, 200, 20), spacing_mm=(0.4, 0.4, 6 + n), boxes=boxes) for n in range(3)]
    assert choose_grid(make_fingerprint(alike), alike, ["ct"]).spacing_mm.value == "native"
    pixels = [make_facts(str(n), shape=(200, 200, 20), spacing_mm=(0.4 + n / 9, 0.4, 6), boxes=boxes) for n in range(3)]
    grid = choose_grid(make_fingerprint(pixels), pixels, ["ct"])
    assert grid.spacing_mm.value[2] == 6
    assert "no slice is made up" in grid.spacing_mm.reason


def test_the_widest_structure_is_told_in_voxels(make_facts, make_fingerprint):
    boxes = {"a": ((0, 10), (0, 4), (0, 6)), "b": ((0, 2), (0, 20), (0, 2))}
    cases = [make_facts(str(n), spacing_mm=(1, 1, 2), boxes=boxes) for n in range(3)]
    fingerprint = make_fingerprint(cases)
    grid = choose_grid(fingerprint, cases, ["ct"])
    assert structure_edges(fingerprint, grid) == (10, 20, 6)
    assert set(prepared_shapes({"a": cases[0]}, grid).values()) == {(40, 50, 30)}


def test_a_grid_is_made_coarser_finest_axes_first(make_facts, make_fingerprint):
    cases = [make_facts(str(n), shape=(400, 400, 50), spacing_mm=(0.5, 0.5, 4.0)) for n in range(3)]
    grid = choose_grid(make_fingerprint(cases), cases, ["ct"])
    found = coarsened(grid, cases, 100 * 100 * 50)
    assert np.prod(found.shape) <= 1.05 * 100 * 100 * 50
    assert found.voxel_mm[2] == 4.0
    assert found.voxel_mm[0] == found.voxel_mm[1] > 0.5
