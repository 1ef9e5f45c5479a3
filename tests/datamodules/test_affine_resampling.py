import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.affine_resampling import AffineResampler
from datamodules.formats.geometry import Geometry
from datamodules.resampling import SLAB_VOXELS, resample, resample_labels

shapes = st.tuples(*[st.integers(1, 9)] * 3)


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def tilted(shape=(20, 18, 9), slope=0.4):
    """Return a grid whose slices are shifted along Y from one to the next."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = slope
    return Geometry(shape, affine)


def places(geometry):
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    return index @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]


@settings(deadline=None)
@given(shapes, shapes)
def test_equals_the_separable_one_where_axes_run_alike(shape, new_shape):
    array = noise(shape)
    source = Geometry(shape, np.eye(4))
    resampler = AffineResampler(source.resampled(new_shape).index_map(source), shape, new_shape)
    found = resampler.whole(array, outside=99.0)
    torch.testing.assert_close(found, resample(array[None], new_shape)[0], atol=1e-5, rtol=1e-5)


def test_a_linear_ramp_survives_in_millimetres_and_the_outside_is_filled():
    source = tilted()
    target = source.orthogonal()
    values = torch.from_numpy(places(source) @ [1.0, -2.0, 0.5]).float()
    to_source = target.index_map(source)
    found = AffineResampler(to_source, source.shape, target.shape).whole(values, outside=-999.0).numpy()
    index = places(Geometry(target.shape, to_source))
    last = np.array(source.shape) - 1
    inside = ((index >= -1e-9) & (index <= last + 1e-9)).all(axis=-1)
    beyond = ((index < -0.51) | (index > last + 0.51)).any(axis=-1)
    np.testing.assert_allclose(found[inside], (places(target) @ [1.0, -2.0, 0.5])[inside], atol=1e-4)
    assert (found[beyond] == -999).all()
    assert inside.sum() > 0.5 * inside.size
    assert (found == -999).sum() == beyond.sum() > 0


def test_slabs_need_few_planes_and_equal_the_whole():
    source = Geometry((40, 256, 256), np.array([[1, 0, 0.02, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    target = source.orthogonal()
    to_source = target.index_map(source)
    resampler = AffineResampler(to_source, source.shape, target.shape)
    slabs = list(resampler.slabs())
    assert len(slabs) > 2
    assert slabs[0][0].stop * target.shape[1] * target.shape[2] <= SLAB_VOXELS
    assert max(planes.stop - planes.start for _, planes in slabs) <= slabs[0][0].stop + 8
    array = noise(source.shape)
    found = torch.cat([resampler(array[planes], new, planes, 0.0) for new, planes in slabs])
    # one voxel by hand, in the last slab
    new = np.array([target.shape[0] - 4, 100, 200])
    index = to_source[:3, :3] @ new + to_source[:3, 3]
    low = np.floor(index[0]).astype(int)
    share = index[0] - low
    expected = (1 - share) * array[low, 100, 200] + share * array[low + 1, 100, 200]
    torch.testing.assert_close(found[tuple(new)], expected, atol=1e-4, rtol=0)


def test_labels_beyond_the_source_are_the_first_value():
    source = tilted(slope=1.4)
    target = source.orthogonal()
    resampler = AffineResampler(target.index_map(source), source.shape, target.shape)
    found = resample_labels(np.full(source.shape, 7, dtype=np.int16), resampler, (0, 7))
    assert found.dtype == np.int16
    index = places(Geometry(target.shape, target.index_map(source)))
    inside = ((index > -0.5) & (index < np.array(source.shape) - 0.5)).all(axis=-1)
    assert 0 < (found == 7).sum() < found.size
    np.testing.assert_array_equal(found == 7, inside)
