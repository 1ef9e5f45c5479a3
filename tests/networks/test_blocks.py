import pytest
import torch
from torch import nn

from networks.blocks import (
    CHANNELS_LAST,
    ConvUnit,
    InstanceNorm,
    ResidualUnit,
    Style,
    make_activation,
    make_level,
    make_norm,
)

ONE, TWO, THREE = (1, 1), (2, 2), (3, 3)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("channels_last", [True, False])
def test_instance_norm_is_that_of_torch_in_value_and_gradient(dims, channels_last):
    image = torch.rand(3, 4, *(5, 6, 7)[:dims])
    if channels_last:
        image = image.contiguous(memory_format=CHANNELS_LAST[dims])
    own = InstanceNorm(4)
    reference = (nn.InstanceNorm2d if dims == 2 else nn.InstanceNorm3d)(4, affine=True)
    for norm in (own, reference):
        nn.init.constant_(norm.weight, 1.5)
        nn.init.constant_(norm.bias, -0.5)
    ours, theirs = image.clone().requires_grad_(), image.clone().requires_grad_()
    torch.testing.assert_close(own(ours), reference(theirs))
    weights = torch.rand_like(image)
    (own(ours) * weights).sum().backward()
    (reference(theirs) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    # The sums over voxels run in another order.
    torch.testing.assert_close(own.weight.grad, reference.weight.grad, rtol=1e-3, atol=1e-3)


def test_instance_norm_keeps_channels_last():
    image = torch.rand(2, 4, 5, 5, 5).contiguous(memory_format=torch.channels_last_3d)
    assert InstanceNorm(4)(image).is_contiguous(memory_format=torch.channels_last_3d)


def test_a_channel_of_one_voxel_gives_the_shift():
    norm = InstanceNorm(4)
    nn.init.constant_(norm.bias, 0.25)
    torch.testing.assert_close(norm(torch.rand(2, 4, 1, 1, 1)), torch.full((2, 4, 1, 1, 1), 0.25), rtol=1e-3, atol=0)


def test_norms_and_activations_by_name():
    assert isinstance(make_norm(Style(2, "batch"), 8), nn.BatchNorm2d)
    assert isinstance(make_norm(Style(3, "batch"), 8), nn.BatchNorm3d)
    assert make_norm(Style(3, "group", norm_groups=4), 8).num_groups == 4
    assert isinstance(make_norm(Style(3, "none"), 8), nn.Identity)
    names = ("leaky_relu", "relu", "silu", "gelu")
    kinds = [type(make_activation(name)) for name in names]
    assert kinds == [nn.LeakyReLU, nn.ReLU, nn.SiLU, nn.GELU]
    with pytest.raises(ValueError, match="layer"):
        make_norm(Style(2, "layer"), 8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tanh"):
        make_activation("tanh")  # type: ignore[arg-type]


def test_only_norms_that_cancel_it_go_without_a_bias():
    biased = {norm: Style(2, norm).bias for norm in ("instance", "batch", "group", "none")}
    assert biased == {"instance": False, "batch": False, "group": True, "none": True}


def test_a_shortcut_is_the_identity_where_shapes_agree():
    assert isinstance(ResidualUnit(Style(2), 4, 4, THREE, ONE).shortcut, nn.Identity)
    assert isinstance(ResidualUnit(Style(2), 4, 8, THREE, ONE).shortcut, ConvUnit)
    assert isinstance(ResidualUnit(Style(2), 4, 4, THREE, TWO).shortcut, ConvUnit)


def test_a_residual_unit_with_a_silent_branch_passes_its_input():
    unit = ResidualUnit(Style(2), 4, 4, THREE, ONE)
    nn.init.zeros_(unit.second[1].weight)
    image = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(unit(image), image)


def test_an_unpadded_residual_unit_crops_its_shortcut():
    unit = ResidualUnit(Style(2, padding="valid"), 4, 4, THREE, ONE)
    assert unit(torch.rand(1, 4, 10, 12)).shape == (1, 4, 6, 8)


@pytest.mark.parametrize(("unit", "kinds"), [("plain", [ConvUnit] * 3), ("residual", [ResidualUnit, ConvUnit])])
def test_a_level_steps_once(unit, kinds):
    level = make_level(Style(2), unit, 3, 4, THREE, TWO, convs=3)
    assert [type(part) for part in level] == kinds
    assert level(torch.rand(1, 3, 8, 8)).shape == (1, 4, 4, 4)


def test_unknown_units_and_empty_levels_are_refused():
    with pytest.raises(ValueError, match="dense"):
        make_level(Style(2), "dense", 3, 4, THREE, ONE, convs=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        make_level(Style(2), "plain", 3, 4, THREE, ONE, convs=0)


def test_dropout_drops_whole_channels_in_training_only():
    unit = ConvUnit(Style(2, norm="none", activation="relu", dropout=0.5), 1, 64, ONE, ONE)
    nn.init.constant_(unit[0].weight, 1.0)
    nn.init.zeros_(unit[0].bias)
    image = torch.ones(1, 1, 3, 3)
    dropped = unit(image).flatten(2).amax(2) == 0
    assert 10 < dropped.sum() < 54
    assert (unit.eval()(image) == 1).all()
