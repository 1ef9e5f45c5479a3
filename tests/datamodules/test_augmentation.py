from dataclasses import fields

import numpy as np
import pytest
import torch

from datamodules.augmentation import Augmentation, VolumeAugmenter, rotation_matrix

NOTHING = dict.fromkeys((field.name for field in fields(Augmentation) if field.name.endswith("_p")), 0.0)


def augmenter(spacing=(1.0, 1.0, 1.0), **changes):
    return VolumeAugmenter(Augmentation(**(NOTHING | {"mirror_axes": []} | changes)), spacing)


def block():
    """A volume with a block off its middle, and its label."""
    label = torch.zeros(1, 24, 24, 24, dtype=torch.uint8)
    label[:, 6:14, 9:12, 10:20] = 1
    return label.float() * 2 - 1, label


def test_rotation_by_a_quarter_turn_about_z_takes_x_to_y():
    turned = rotation_matrix(np.array([0, 0, np.pi / 2])) @ [1, 0, 0]
    np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)


def test_nothing_to_do_changes_nothing():
    image, label = block()
    made = augmenter()(image, label, np.random.default_rng(0))
    assert torch.equal(made[0], image)
    assert torch.equal(made[1], label)


def test_mirroring_moves_image_and_label_alike():
    image, label = block()
    flipped = 0
    for seed in range(20):
        made, mask = augmenter(mirror_axes=[0])(image, label, np.random.default_rng(seed))
        assert torch.equal(made, mask.float() * 2 - 1)
        flipped += torch.equal(mask, label.flip(1))
    assert 4 <= flipped <= 16


def test_warp_without_movement_is_the_crop_about_the_centre():
    image, label = block()
    made, mask = augmenter().warp(image, label, np.eye(4), (16, 12, 8))
    torch.testing.assert_close(made, image[:, 4:20, 6:18, 8:16])
    assert torch.equal(mask, label[:, 4:20, 6:18, 8:16])


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_scaling_changes_the_volume_of_a_structure_by_the_cube_of_its_factor(factor):
    image = torch.zeros(1, 32, 32, 32)
    label = torch.zeros(1, 32, 32, 32, dtype=torch.uint8)
    label[:, 10:22, 10:22, 10:22] = 1
    made = augmenter(scaling_p=1.0, scaling=(factor, factor))
    affine = made.draw_affine(np.random.default_rng(0))
    _, mask = made.warp(image, label, affine, (32, 32, 32))
    assert mask.sum() / label.sum() == pytest.approx(factor**3, rel=0.25)


def test_rotation_is_rigid_in_mm_where_voxels_are_not_cubes():
    spacing = np.array([1.0, 1.0, 3.0])
    affine = augmenter(tuple(spacing), rotation_p=1.0).draw_affine(np.random.default_rng(1))[:3, :3]
    in_mm = np.diag(spacing) @ affine @ np.diag(1 / spacing)
    np.testing.assert_allclose(in_mm @ in_mm.T, np.eye(3), atol=1e-12)


def test_the_source_of_a_patch_holds_all_that_it_samples():
    made = augmenter(rotation_p=1.0, scaling_p=1.0)
    rng = np.random.default_rng(0)
    corners = np.stack(np.meshgrid(*[[-8, 8]] * 3), axis=-1).reshape(-1, 3)
    for _ in range(20):
        affine = made.draw_affine(rng)
        reach = np.abs(corners @ affine[:3, :3].T).max(axis=0) * 2
        assert (np.array(made.source_shape((16, 16, 16), affine)) >= reach - 1e-9).all()


def test_all_changes_together_are_finite_and_follow_the_generator():
    settings = dict.fromkeys(NOTHING, 1.0) | {"mirror_axes": [0, 1, 2]}
    image, label = block()
    first = augmenter(**settings)(image, label, np.random.default_rng(3))
    again = augmenter(**settings)(image, label, np.random.default_rng(3))
    other = augmenter(**settings)(image, label, np.random.default_rng(4))
    assert torch.isfinite(first[0]).all()
    assert first[1].dtype == torch.uint8
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("change", [{"rotation_p": 1.0}, {"scaling_p": 1.0}, {"elastic_p": 1.0}])
def test_image_and_label_move_together(change):
    label = torch.zeros(1, 32, 32, 32, dtype=torch.uint8)
    label[:, 8:24, 10:20, 6:26] = 1
    made, moved = augmenter(spacing=(1.0, 1.0, 2.0), **change), False
    for seed in range(5):
        rng = np.random.default_rng(seed)
        affine = made.draw_affine(rng)
        image = label.float()
        warped, mask = (image, label) if affine is None else made.warp(image, label, affine, (32, 32, 32))
        warped, mask = made(warped, mask, rng)
        moved |= not torch.equal(mask, label)
        assert ((warped > 0.5) == (mask > 0)).float().mean() > 0.97
    assert moved


@pytest.mark.parametrize(
    "change",
    [{"mirror_axes": [-1]}, {"mirror_axes": [3]}, {"noise_p": 1.5}, {"scaling": (0.0, 1.0)}, {"scaling": (2.0, 1.0)}],
)
def test_f34_settings_out_of_range_are_refused(change):
    with pytest.raises(ValueError, match=f"data.augmentation.{next(iter(change))}"):
        Augmentation(**change)
