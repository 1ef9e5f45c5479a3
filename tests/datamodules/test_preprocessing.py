import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats import DataError, Volume, read_labels, read_volume
from datamodules.preprocessing import ChannelIntensity, Preprocessing, replace_nonfinite

LPI = np.array([[-2.0, 0, 0, 30], [0, -2.0, 0, 40], [0, 0, -3.0, 50], [0, 0, 0, 1]])
CT = ChannelIntensity("ct", lower=-1000, upper=1000, mean=0, std=100)
PLAIN = ChannelIntensity("none")


def phantom(shape=(20, 18, 12), affine=LPI):
    """Return air with a block of tissue in it."""
    array = np.full((1, *shape), -1000, dtype=np.float32)
    array[0, 5:15, 6:12, 3:9] = 40
    return Volume(array, affine, Path("scan.nii.gz"))


def test_crop_to_non_air_leaves_a_margin_of_two_voxels():
    prepared = Preprocessing(None, "air", (CT,)).apply(phantom())
    assert prepared.image.shape == (1, 14, 10, 10)
    assert prepared.image.dtype == np.float32
    assert prepared.image.flags.c_contiguous
    assert (prepared.image[0, 2:-2, 2:-2, 2:-2] == np.float32(0.4)).all()
    # canonical axes run the other way: the box starts as far from the end as the block ends
    assert prepared.grid.box == ((3, 17), (4, 14), (1, 11))


def test_crop_to_non_zero_looks_at_every_channel():
    array = np.zeros((2, 8, 8, 8), dtype=np.float32)
    array[0, 2, 3, 4] = 1
    array[1, 5, 3, 4] = -1
    volume = Volume(array, np.eye(4), Path("mr.nii"))
    prepared = Preprocessing(None, "nonzero", (PLAIN, PLAIN)).apply(volume)
    assert prepared.grid.box == ((2, 6), (3, 4), (4, 5))
    np.testing.assert_array_equal(prepared.image[:, :, 0, 0], [[1, 0, 0, 0], [0, 0, 0, -1]])


@pytest.mark.parametrize("crop", ["air", "nonzero", "none"])
def test_an_empty_volume_is_kept_whole(crop):
    volume = Volume(np.full((1, 4, 5, 6), -2000 if crop == "air" else 0, dtype=np.float32), LPI, Path("a.nii"))
    assert Preprocessing(None, crop, (CT,)).apply(volume).image.shape == (1, 4, 5, 6)


def test_target_spacing_is_met_and_the_affine_follows():
    prepared = Preprocessing((1.0, 4.0, 3.0), "none", (CT,)).apply(phantom())
    assert prepared.image.shape == (1, 40, 9, 12)
    np.testing.assert_allclose(np.linalg.norm(prepared.grid.affine[:3, :3], axis=0), (1, 4, 3))
    # the outer corner of the first voxel stays where it was: x from -2 * 19.5 + 30 at the canonical start
    corner = prepared.grid.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(corner[:3], [30 - 39, 40 - 35, 50 - 34.5])


def test_an_image_of_one_slice_passes_through():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 9, 6, 1)).astype(np.float32)
    volume = Volume(pixels, np.eye(4), Path("a.png"))
    prepared = Preprocessing((2.0, 2.0, 7.0), "none", (ChannelIntensity("rescale"),) * 3).apply(volume)
    assert prepared.image.shape == (3, 4, 3, 1)
    whole = Preprocessing(None, "none", (PLAIN,) * 3).apply(volume)
    np.testing.assert_array_equal(whole.image, pixels)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 6)] * 3),
    crop=st.sampled_from(["none", "nonzero", "air"]),
    seed=st.integers(0, 99),
)
def test_crop_resampling_and_restoring_give_exactly_the_source_grid(shape, spacing, crop, seed):
    generator = np.random.default_rng(seed)
    linear = np.linalg.qr(generator.normal(size=(3, 3)))[0] * generator.uniform(0.5, 5, 3)
    affine = np.block([[linear, generator.normal(size=(3, 1)) * 100], [np.zeros((1, 3)), np.ones((1, 1))]])
    array = generator.choice([0.0, 0.0, 0.0, 900.0, -1000.0], (1, *shape))
    preprocessing = Preprocessing(spacing, crop, (PLAIN,))
    prepared = preprocessing.apply(Volume(array, affine, Path("a.nii")))
    assert prepared.image.shape[1:] == prepared.grid.shape
    scores = torch.from_numpy(np.concatenate([-prepared.image, prepared.image]))
    assert prepared.grid.restore_labels(scores).shape == shape
    assert prepared.grid.restore_scores(scores).shape == (2, *shape)
    labels = (array[0] > 0).astype(np.uint8)
    assert preprocessing.apply_labels(labels, prepared.grid, (0, 1)).shape == prepared.grid.shape


def test_labels_follow_the_image_and_come_back_nearly_whole():
    volume = phantom()
    labels = (volume.array[0] > 0).astype(np.uint8) * 3
    preprocessing = Preprocessing((1.5, 1.5, 1.5), "air", (CT,))
    prepared = preprocessing.apply(volume)
    small = preprocessing.apply_labels(labels, prepared.grid, (0, 3))
    assert small.dtype == labels.dtype
    assert ((prepared.image[0] > -2) == (small == 3)).mean() > 0.9
    scores = torch.from_numpy(np.stack([small == 0, small == 3]))
    back = prepared.grid.restore_labels(scores) * 3
    overlap = 2 * ((back == 3) & (labels == 3)).sum() / ((back == 3).sum() + (labels == 3).sum())
    assert overlap > 0.97


def test_labels_of_another_grid_are_refused():
    preprocessing = Preprocessing(None, "none", (CT,))
    with pytest.raises(ValueError, match="on a grid of shape"):
        preprocessing.apply_labels(np.zeros((2, 2, 2), int), preprocessing.apply(phantom()).grid, (0,))


def test_f32_another_number_of_channels_is_refused():
    with pytest.raises(DataError, match=r"scan\.nii\.gz: expected 2 channels, found 1"):
        Preprocessing(None, "none", (CT, CT)).apply(phantom())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_f06_voxels_that_are_not_finite_are_refused_until_replaced(value):
    volume = phantom()
    volume.array[0, 1, 2, 3] = value
    volume.array[0, 7, 7, 7] = value
    with pytest.raises(DataError, match=r"scan\.nii\.gz: expected finite voxels, found NaN or infinity"):
        Preprocessing(None, "air", (CT,)).apply(volume)
    mended, count = replace_nonfinite(volume)
    assert count == 2
    assert mended.array[0, 1, 2, 3] == mended.array[0, 7, 7, 7] == -1000
    assert mended.array.dtype == volume.array.dtype
    assert np.isfinite(mended.array).all()
    np.testing.assert_array_equal(mended.affine, volume.affine)
    assert not np.isfinite(volume.array[0, 1, 2, 3])


def test_f06_a_sound_volume_is_left_alone_and_a_hopeless_one_refused():
    volume = phantom()
    assert replace_nonfinite(volume) == (volume, 0)
    nothing = Volume(np.full((1, 2, 2, 2), np.nan), LPI, Path("a.nii"))
    with pytest.raises(DataError, match=r"a\.nii: expected finite voxels, found none at all"):
        replace_nonfinite(nothing)


def test_f07_a_resampling_that_would_fill_the_memory_is_refused():
    volume = phantom(affine=np.diag([50.0, 50.0, 50.0, 1.0]))
    with pytest.raises(DataError, match=r"GiB; choose a coarser target spacing"):
        Preprocessing((0.05, 0.05, 0.05), "none", (CT,)).apply(volume)


def ball(shape, affine, radius_mm=13.0):
    """Return a bright ball in the middle of a grid, and its mask."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    middle = (np.array(shape) - 1) / 2
    inside = np.linalg.norm((index - middle) @ affine[:3, :3].T, axis=-1) < radius_mm
    return Volume(np.where(inside, 100, -1000)[None].astype(np.float32), affine, Path("tilted.nii")), inside


TILTED = np.array([[-1.0, 0, 0, 30], [0, 1.0, 1.4, -9], [0, 0, 3.0, 50], [0, 0, 0, 1]])


def test_f05_shear_is_refused_unless_told_to_resample():
    volume = ball((34, 36, 13), TILTED)[0]
    with pytest.raises(
        DataError, match=r"tilted\.nii: expected axes at right angles, found .* 25 degrees off"
    ) as error:
        Preprocessing(None, "none", (CT,)).apply(volume)
    assert "set preprocessing.sheared to resample" in str(error.value)
    with pytest.raises(ValueError, match="sheared is one of"):
        Preprocessing(None, "none", (CT,), "ignore")


@pytest.mark.parametrize("spacing", [None, (1.5, 1.5, 2.0)])
@pytest.mark.parametrize("crop", ["none", "air"])
def test_f05_image_and_label_meet_on_the_orthogonal_grid_and_come_back(spacing, crop):
    volume, inside = ball((34, 36, 13), TILTED)
    preprocessing = Preprocessing(spacing, crop, (PLAIN,), "resample")
    prepared = preprocessing.apply(volume)
    grid = prepared.grid
    assert not grid.prepared.is_sheared
    np.testing.assert_allclose(grid.prepared.spacing_mm, spacing or (1, 1, 3), rtol=0.05)
    small = preprocessing.apply_labels(inside.astype(np.uint8), grid, (0, 1))
    # the ball is round again: its extents in mm are equal, and its middle is where it was
    found = np.argwhere(small)
    extent = (found.max(axis=0) - found.min(axis=0) + 1) * grid.prepared.spacing_mm
    np.testing.assert_allclose(extent, 26, atol=3.5)
    middle = grid.affine @ [*found.mean(axis=0), 1]
    np.testing.assert_allclose(middle, TILTED @ [16.5, 17.5, 6, 1], atol=0.2)
    assert ((prepared.image[0] > -450) == small).mean() > 0.98
    assert prepared.image.min() == -1000
    back = grid.restore_labels(torch.from_numpy(np.stack([small == 0, small == 1])))
    assert back.shape == inside.shape
    assert 2 * (back * inside).sum() / (back.sum() + inside.sum()) > 0.95
    scores = grid.restore_scores(torch.from_numpy(np.stack([small == 0, small == 1])))
    np.testing.assert_allclose(scores.sum(axis=0), 1, atol=1e-6)


def test_f05_statistics_of_an_image_leave_out_what_lies_beside_it():
    volume = ball((34, 36, 13), TILTED)[0]
    image = Preprocessing(None, "none", (ChannelIntensity("zscore"),), "resample").apply(volume).image
    expected = (volume.array.max() - volume.array.mean()) / volume.array.std()
    assert image.max() == pytest.approx(expected, rel=1e-4)


def test_f05_f07_the_grid_of_an_absurd_shear_is_forecast_as_well():
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 2] = (0, 49, 0.1)
    volume = Volume(np.zeros((1, 200, 200, 200), dtype=np.float32), affine, Path("absurd.nii"))
    with pytest.raises(DataError, match=r"absurd\.nii: expected resampling within 16\.0 GiB"):
        Preprocessing((0.25, 0.25, 0.25), "none", (PLAIN,), "resample").apply(volume)


def test_f05_a_model_from_before_the_choice_refuses():
    description = Preprocessing(None, "none", (CT,), "resample").to_dict()
    assert Preprocessing.from_dict(description).sheared == "resample"
    del description["sheared"]
    assert Preprocessing.from_dict(description).sheared == "refuse"


@pytest.mark.parametrize("spacing", [None, (0.1, 1.7, 2.5)])
def test_comes_back_through_json(spacing):
    preprocessing = Preprocessing(spacing, "air", (CT, ChannelIntensity("zscore")), "resample")
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    "arguments",
    [(None, "some", (CT,)), (None, "none", ()), ((1, 0, 1), "none", (CT,)), ((1, 1), "none", (CT,))],
)
def test_wrong_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=r"crop is|at least one channel|three positive"):
        Preprocessing(*arguments)


@pytest.mark.shared_data
def test_real_labels_survive_the_way_there_and_back(shared_data):
    folder = shared_data / "head_neck_ct"
    path = sorted((folder / "labelsTr").glob("*.nii.gz"))[0]
    scan = read_volume(folder / "imagesTr" / path.name.replace(".nii.gz", "_0000.nii.gz"))
    labels = read_labels(path).array[0]
    preprocessing = Preprocessing((3.0, 3.0, 2.5), "air", (CT,))
    prepared = preprocessing.apply(scan)
    small = preprocessing.apply_labels(labels, prepared.grid, range(6))
    back = prepared.grid.restore_labels(torch.from_numpy(np.stack([small == value for value in range(6)])))
    assert back.shape == scan.shape
    for value in range(1, 6):
        overlap = 2 * ((back == value) & (labels == value)).sum() / ((back == value).sum() + (labels == value).sum())
        assert overlap > 0.9
