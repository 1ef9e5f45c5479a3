from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from datamodules.formats import DataError
from datamodules.formats.geometry import Geometry
from datamodules.resampling import (
    SlabResampler,
    check_memory,
    interpolation_matrix,
    output_shape,
    resample,
    resample_labels,
)

shapes = st.tuples(*[st.integers(1, 12)] * 3)


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@settings(deadline=None)
@given(shapes, shapes)
def test_linear_equals_scipy(shape, new_shape):
    array = noise((2, *shape))
    zoom = np.array(new_shape) / shape
    found = resample(array, new_shape)
    for channel in range(2):
        expected = ndimage.zoom(array[channel].numpy(), zoom, order=1, mode="nearest", grid_mode=True)
        np.testing.assert_allclose(found[channel].numpy(), expected, atol=2e-6)


@settings(deadline=None)
@given(shapes, shapes)
def test_linear_equals_torch(shape, new_shape):
    array = noise((2, *shape))
    expected = torch.nn.functional.interpolate(array[None], size=new_shape, mode="trilinear")[0]
    torch.testing.assert_close(resample(array, new_shape), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_identity_is_bit_exact(mode):
    array = noise((2, 5, 6, 7)) * 1e4
    assert torch.equal(resample(array, (5, 6, 7), mode), array)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_an_unchanged_axis_is_left_to_the_bit(mode):
    array = noise((1, 1, 6, 1))
    found = resample(array, (1, 9, 1), mode)
    flat = resample(array.expand(1, 3, 6, 2).contiguous(), (3, 9, 2), mode)
    torch.testing.assert_close(flat, found.expand(1, 3, 9, 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@settings(deadline=None)
@given(shape=st.tuples(*[st.integers(6, 14)] * 3), new_shape=st.tuples(*[st.integers(6, 20)] * 3))
def test_a_linear_ramp_survives_in_millimetres(mode, shape, new_shape):
    def ramp(affine, size):
        index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
        return (index @ affine[:3, :3].T + affine[:3, 3]) @ [1.0, -2.0, 0.5]

    affine = np.array([[0, 1.5, 0, 3], [-1, 0, 0, 4], [0, 0, 2.0, 5], [0, 0, 0, 1]])
    found = resample(torch.from_numpy(ramp(affine, shape))[None], new_shape, mode)[0].numpy()
    expected = ramp(Geometry(shape, affine).resampled(new_shape).affine, new_shape)
    # near the edge the outermost voxels are repeated, which bends the ramp there alone
    reach = 0.5 if mode == "linear" else 1.5
    inside = np.ix_(
        *(
            np.abs((np.arange(new) + 0.5) * old / new - old / 2) <= old / 2 - reach - 1e-6
            for old, new in zip(shape, new_shape, strict=True)
        )
    )
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-4)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_weights_sum_to_one(mode, size, new_size):
    matrix = interpolation_matrix(size, new_size, mode)
    assert matrix.shape == (new_size, size)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(new_size))


def test_cubic_reproduces_a_parabola_and_goes_through_the_samples():
    matrix = interpolation_matrix(12, 36, "cubic")
    centres = (torch.arange(36) + 0.5) / 3 - 0.5
    found = matrix @ torch.arange(12.0) ** 2
    torch.testing.assert_close(found[6:30], centres[6:30] ** 2, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1::3], torch.arange(12.0) ** 2, atol=1e-4, rtol=0)


def test_integers_and_half_precision_come_out_as_float32():
    for dtype in (torch.int16, torch.float16, torch.float64, torch.bfloat16):
        assert resample(torch.ones(1, 2, 3, 4, dtype=dtype), (4, 3, 2)).dtype == torch.float32


@settings(deadline=None)
@given(shapes, shapes)
def test_slabs_equal_the_whole(shape, new_shape):
    array = noise((1, *shape))
    whole = resample(array, new_shape)[0]
    resampler = SlabResampler(shape, new_shape)
    found = torch.cat([resampler(array[0, source], target, source) for target, source in resampler.slabs()])
    torch.testing.assert_close(found, whole, atol=2e-6, rtol=1e-5)


def test_slabs_of_a_large_grid_are_many_and_small():
    resampler = SlabResampler((50, 60, 70), (100, 256, 256))
    ranges = list(resampler.slabs())
    assert [target.start for target, _ in ranges] == list(range(0, 100, 16))
    assert max(source.stop - source.start for _, source in ranges) <= 10


@settings(deadline=None)
@given(shapes, shapes, st.integers(0, 100))
def test_labels_equal_the_largest_linear_share(shape, new_shape, seed):
    values = (0, 3, 7, 300)
    labels = np.random.default_rng(seed).choice(values, shape).astype(np.int16)
    shares = resample(torch.stack([torch.from_numpy(labels == value) for value in values]), new_shape).numpy()
    found = resample_labels(labels, SlabResampler(shape, new_shape), values)
    assert found.dtype == labels.dtype
    assert found.shape == new_shape
    chosen = np.take_along_axis(shares, np.searchsorted(values, found)[None], axis=0)[0]
    np.testing.assert_allclose(chosen, shares.max(axis=0), atol=1e-6)


def test_labels_at_whole_factors_come_back():
    labels = np.random.default_rng(0).integers(0, 4, (6, 5, 4)).astype(np.uint8)
    finer = resample_labels(labels, SlabResampler((6, 5, 4), (18, 15, 12)), range(4))
    np.testing.assert_array_equal(finer[1::3, 1::3, 1::3], labels)
    np.testing.assert_array_equal(resample_labels(labels, SlabResampler((6, 5, 4), (6, 5, 4)), range(4)), labels)


def test_labels_outside_the_values_are_refused():
    with pytest.raises(ValueError, match=r"2 voxels hold a label that is not among \[0, 1\]"):
        resample_labels(np.array([[[0, 1, 5, 6]]]), SlabResampler((1, 1, 4), (1, 1, 8)), (0, 1))


@pytest.mark.parametrize(
    ("shape", "spacing", "target", "expected"),
    [
        ((100, 50, 20), (1, 1, 5), (2, 2, 2), (50, 25, 50)),
        ((3, 3, 1), (1, 1, 1), (10, 2, 0.1), (1, 2, 1)),
        ((128, 128, 1), (1, 1, 1), (1, 1, 1), (128, 128, 1)),
    ],
)
def test_output_shape(shape, spacing, target, expected):
    assert output_shape(shape, spacing, target) == expected


def test_f07_memory_is_forecast_before_it_is_allocated():
    check_memory(Path("a.nii"), 1, (512, 512, 300), (512, 512, 600))
    with pytest.raises(
        DataError, match=r"a\.nii: expected resampling within 16\.0 GiB, found .* GiB; choose a coarser"
    ):
        check_memory(Path("a.nii"), 1, (512, 512, 300), (2000, 2000, 2000))
    with pytest.raises(DataError, match="resampling within"):  # 100 masks of a byte
        check_memory(Path("a.nii"), 1, (512, 512, 300), (512, 512, 600), masks=100)
