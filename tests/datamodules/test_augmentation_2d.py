from dataclasses import fields

import numpy as np
import pytest
import torch

from datamodules.augmentation import Augmentation
from datamodules.augmentation_2d import ImageAugmenter, source_extent

ALL = dict.fromkeys((field.name for field in fields(Augmentation) if field.name.endswith("_p")), 1.0)
NOTHING = dict.fromkeys(ALL, 0.0) | {"mirror_axes": []}


def ramp(channels, size):
    column, row = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    image = torch.stack([(column + (1 + c) * row).float() for c in range(channels)])[..., None]
    return image, (column > row).to(torch.uint8)[None, ..., None]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_nothing_to_do_is_the_crop_about_the_centre(channels):
    image, label = ramp(channels, 20)
    made, mask = ImageAugmenter(Augmentation(**NOTHING), (12, 8))(image, label, np.random.default_rng(0))
    torch.testing.assert_close(made, image[:, 4:16, 6:14], rtol=0, atol=1e-4)
    assert torch.equal(mask, label[:, 4:16, 6:14])


def test_axis_0_mirrors_columns_and_the_label_with_them():
    image, label = ramp(1, 16)
    augmenter = ImageAugmenter(Augmentation(**NOTHING | {"mirror_axes": [0]}), (16, 16))
    outcomes = [augmenter(image, label, np.random.default_rng(seed)) for seed in range(20)]
    flipped = [torch.equal(mask, label.flip(1)) for _, mask in outcomes]
    assert 4 <= sum(flipped) <= 16
    for (made, _), turned in zip(outcomes, flipped, strict=True):
        torch.testing.assert_close(made, image.flip(1) if turned else image, rtol=0, atol=1e-4)


def test_all_changes_together_are_finite_and_follow_the_generator():
    image, label = ramp(1, 48)
    augmenter = ImageAugmenter(Augmentation(**ALL | {"mirror_axes": [0, 1]}), (32, 32))
    first = augmenter(image, label, np.random.default_rng(3))
    again = augmenter(image, label, np.random.default_rng(3))
    other = augmenter(image, label, np.random.default_rng(4))
    assert first[0].shape == (1, 32, 32, 1)
    assert torch.isfinite(first[0]).all()
    assert set(first[1].unique().tolist()) <= {0, 1}
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("channels", [2, 5])
def test_any_number_of_channels(channels):
    image, label = ramp(channels, 48)
    made, _ = ImageAugmenter(Augmentation(**ALL), (32, 32))(image, label, np.random.default_rng(0))
    assert made.shape == (channels, 32, 32, 1)


def test_scaling_keeps_the_aspect():
    image = torch.zeros(1, 64, 64, 1)
    label = torch.zeros(1, 64, 64, 1, dtype=torch.uint8)
    label[:, 24:40, 24:40] = 1
    augmenter = ImageAugmenter(Augmentation(**NOTHING | {"scaling_p": 1.0}), (44, 44))
    for seed in range(10):
        _, mask = augmenter(image, label, np.random.default_rng(seed))
        columns, rows = (int(mask.any(dim=axis).sum()) for axis in (2, 1))
        assert abs(columns - rows) <= 1


def test_negative_intensities_survive():
    image, label = ramp(1, 48)
    made, _ = ImageAugmenter(Augmentation(**ALL), (32, 32))(image - 50, label, np.random.default_rng(0))
    assert torch.isfinite(made).all()
    assert made.min() < 0


@pytest.mark.parametrize(
    "change", [{"rotation_p": 1.0, "rotation_degrees": 180}, {"scaling_p": 1.0}, {"elastic_p": 1.0}]
)
def test_image_and_label_move_together(change):
    label = torch.zeros(1, 96, 96, 1, dtype=torch.uint8)
    label[:, 30:60, 40:55] = 1
    augmenter = ImageAugmenter(Augmentation(**NOTHING | change), (48, 48))
    for seed in range(5):
        made, mask = augmenter(label.float(), label, np.random.default_rng(seed))
        assert ((made > 0.5) == (mask > 0)).float().mean() > 0.97


@pytest.mark.parametrize(
    ("change", "extent"),
    [
        ({}, (30, 40)),
        ({"rotation_p": 0.1}, (50, 50)),
        ({"scaling_p": 0.1}, (60, 80)),
        ({"rotation_p": 1.0, "scaling_p": 1.0}, (100, 100)),
    ],
)
def test_the_source_of_a_patch_holds_all_that_it_may_sample(change, extent):
    assert source_extent(Augmentation(**NOTHING | {"scaling": (0.5, 2.0)} | change), (30, 40)) == extent
