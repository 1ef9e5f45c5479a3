import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage

from pipeline.metrics.surface import diagonal_mm, surface_distances, surface_voxels


def cube(start, size, shape=(20, 20, 20)):
    array = np.zeros(shape, dtype=bool)
    array[tuple(slice(a, a + size) for a in start)] = True
    return array


def blob(seed, shape=(14, 12, 10)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    mask = noise > np.quantile(noise, 0.8)
    edge = np.zeros(shape, dtype=bool)  # what touches the border is counted in other ways elsewhere
    edge[2:-2, 2:-2, 2:-2] = True
    return mask & edge


def test_single_voxels_are_apart_by_the_spacing():
    first, second = cube((2, 2, 2), 1), cube((5, 6, 2), 1)
    distances = surface_distances(first, second, (1.0, 2.0, 5.0))
    assert distances.hausdorff95_mm == pytest.approx(math.hypot(3, 8))
    assert distances.average_mm == pytest.approx(math.hypot(3, 8))
    assert distances.surface_dice(8.0) == 0
    assert distances.surface_dice(9.0) == 1


def test_a_cube_shifted_by_one_along_an_anisotropic_axis():
    first, second = cube((4, 4, 4), 5), cube((4, 4, 5), 5)
    distances = surface_distances(first, second, (1.0, 1.0, 3.0))
    own = surface_voxels(first)
    assert len(own) == 98
    other = {tuple(p) for p in surface_voxels(second)}
    by_hand = [min(math.hypot(a[0] - b[0], a[1] - b[1], 3 * (a[2] - b[2])) for b in other) for a in own.tolist()]
    np.testing.assert_allclose(np.sort(distances.from_prediction_mm), np.sort(by_hand))
    assert distances.hausdorff95_mm == pytest.approx(3)
    # The near face's 25 voxels are 3 mm off; the far face's inner 9 are 1, 1 and 2 mm from the sides.
    assert sorted(by_hand)[-25:] == [3.0] * 25
    assert sum(by_hand) == pytest.approx(25 * 3 + 8 * 1 + 1 * 2)
    assert distances.average_mm == pytest.approx(85 / 98)
    assert distances.surface_dice(2.0) == pytest.approx((98 - 25) / 98)
    assert distances.surface_dice(0.0) == pytest.approx((98 - 34) / 98)


def test_equal_masks_are_at_distance_zero_even_when_they_fill_the_image():
    for mask in (cube((3, 3, 3), 4), np.ones((3, 4, 5), dtype=bool), np.ones((1, 1, 1), dtype=bool)):
        distances = surface_distances(mask, mask, (1, 1, 1))
        assert distances.hausdorff95_mm == distances.average_mm == 0
        assert distances.surface_dice(0) == 1


def test_the_95th_percentile_passes_over_a_few_far_voxels():
    reference = cube((5, 5, 5), 8)
    prediction = reference.copy()
    prediction[0, 0, 0] = True
    distances = surface_distances(prediction, reference, (1, 1, 1))
    assert distances.from_prediction_mm.max() == pytest.approx(math.sqrt(75))
    assert distances.hausdorff95_mm == 0


def test_a_2d_image_has_no_surface_along_its_thin_axis():
    disc = np.zeros((9, 9, 1), dtype=bool)
    disc[2:7, 2:7] = True
    distances = surface_distances(disc, np.roll(disc, 1, axis=0), (0.5, 0.5, 9.0))
    assert distances.from_prediction_mm.size == 16
    assert distances.hausdorff95_mm == pytest.approx(0.5)
    for axis in range(3):  # whichever axis is thin
        moved = [np.moveaxis(a, 2, axis) for a in (disc, np.roll(disc, 1, axis=0))]
        assert surface_distances(*moved, (0.5, 0.5, 0.5)).average_mm == pytest.approx(distances.average_mm)


def test_a_structure_of_one_slice_in_a_volume_is_all_surface():
    flat = np.zeros((9, 9, 9), dtype=bool)
    flat[2:7, 2:7, 4] = True
    assert surface_distances(flat, flat, (1, 1, 1)).from_prediction_mm.size == 25


def test_tolerance_forgives_spacings_of_32_bits():
    first, second = cube((2, 2, 2), 1), cube((5, 2, 2), 1)
    spacing = float(np.float32(0.6))
    assert 3 * spacing > 1.8
    assert surface_distances(first, second, (spacing, 1, 1)).surface_dice(1.8) == 1


@given(st.integers(0, 10**6), st.tuples(*[st.floats(0.3, 6)] * 3))
@settings(max_examples=15, deadline=None)
def test_equals_monai(seed, spacing):
    first, second = blob(seed), blob(seed + 1)
    distances = surface_distances(first, second, spacing)
    a, b = (torch.tensor(m)[None, None].float() for m in (first, second))
    options = {"include_background": True, "spacing": list(spacing)}
    hausdorff = compute_hausdorff_distance(a, b, percentile=95, **options)
    average = compute_average_surface_distance(a, b, symmetric=True, **options)
    assert distances.hausdorff95_mm == pytest.approx(hausdorff.item(), rel=1e-5)
    assert distances.average_mm == pytest.approx(average.item(), rel=1e-5)
    tolerance = 1.234
    share = compute_surface_dice(a, b, [tolerance], **options)
    assert distances.surface_dice(tolerance) == pytest.approx(share.item(), abs=1e-6)


def test_empty_and_unequal_masks_are_refused():
    with pytest.raises(ValueError, match="not empty"):
        surface_distances(cube((1, 1, 1), 2), np.zeros((20, 20, 20), dtype=bool), (1, 1, 1))
    with pytest.raises(ValueError, match="one shape"):
        surface_distances(cube((1, 1, 1), 2), np.zeros((20, 20, 2), dtype=bool), (1, 1, 1))


def test_diagonal_in_mm():
    assert diagonal_mm((3, 4, 1), (1.0, 1.0, 50.0)) == 5
    assert diagonal_mm((10, 20, 20), (2.0, 0.5, 1.0)) == pytest.approx(30)
