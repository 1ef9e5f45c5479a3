import pytest
import torch
from torch import nn

from networks.convolution import Conv2d, Conv3d
from networks.layers import (
    CHANNELS_LAST,
    ConvUnit,
    InstanceNorm,
    MeanPool,
    Style,
    convolve,
    make_activation,
    make_convolution,
    make_norm,
    normalise,
)

ONE, TWO, THREE = (1, 1), (2, 2), (3, 3)
NORMS = ("instance", "batch", "group", "none")


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
    biased = {norm: Style(2, norm).has_bias for norm in NORMS}
    assert biased == {"instance": False, "batch": False, "group": True, "none": True}
    assert Style(2, "batch", bias=True).has_bias
    assert not Style(2, "none", bias=False).has_bias


def test_an_activation_is_in_place_only_where_a_norm_has_made_a_tensor_of_its_own():
    inplace = {norm: normalise(Style(2, norm), 8)[1].inplace for norm in NORMS}
    assert inplace == {"instance": True, "batch": True, "group": True, "none": False}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_what_is_normalised_is_left_as_it_is(norm, training):
    image = torch.randn(2, 8, 4, 4)
    before = image.clone()
    nn.Sequential(*normalise(Style(2, norm), 8)).train(training)(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("length", range(1, 8))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_convolution_and_a_mean_pool_round_up(dims, length, stride):
    style = Style(dims, "none")
    image = torch.rand(1, 2, *[length] * dims)
    expected = (1, 2, *[-(-length // stride)] * dims)
    for kernel in (1, 3, 5):
        assert make_convolution(style, 2, 2, (kernel,) * dims, (stride,) * dims)(image).shape == expected
    assert MeanPool((stride,) * dims)(image).shape == expected


@pytest.mark.parametrize("dims", [2, 3])
def test_a_mean_pool_is_blind_to_the_outside(dims):
    image = torch.ones(1, 1, *(5, 3, 7)[:dims])
    torch.testing.assert_close(MeanPool((2,) * dims)(image), torch.ones(1, 1, *(3, 2, 4)[:dims]))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 1, 1), (1, 1, 1)])
def test_a_mean_pool_takes_its_windows_no_wider_than_the_image(size):
    image = torch.rand(2, 3, *size)
    pooled = MeanPool((3, 2, 3)[: len(size)])(image)
    assert pooled[..., 0].shape == (2, 3, *(1,) * (len(size) - 1))
    torch.testing.assert_close(MeanPool(size)(image).flatten(2), image.flatten(2).mean(2, keepdim=True))


def test_a_mean_pool_may_step_along_some_axes_alone():
    image = torch.arange(12.0).reshape(1, 1, 2, 2, 3)
    expected = (image[:, :, :1] + image[:, :, 1:]) / 2
    torch.testing.assert_close(MeanPool((2, 1, 1))(image), expected)


@pytest.mark.parametrize(("channels", "groups"), [(6, 4), (4, 8), (4, 0), (4, -2)])
def test_groups_that_do_not_divide_the_channels_are_refused(channels, groups):
    style = Style(2, "group", norm_groups=groups)
    with pytest.raises(ValueError, match=f"norm_groups: expected a divisor of {channels} channels, found {groups}"):
        make_norm(style, channels)


def test_an_unpadded_convolution_loses_its_kernel():
    style = Style(2, padding="valid")
    assert make_convolution(style, 1, 1, (3, 5), ONE)(torch.rand(1, 1, 9, 9)).shape == (1, 1, 7, 5)
    assert make_convolution(style, 4, 4, ONE, ONE, groups=2, bias=True).weight.shape == (4, 2, 1, 1)


def test_the_plain_unit_is_convolution_dropout_norm_and_activation():
    assert [type(layer) for layer in ConvUnit(Style(3, dropout=0.1), 1, 2, (3,) * 3, (1,) * 3)] == [
        Conv3d,
        nn.Dropout3d,
        InstanceNorm,
        nn.LeakyReLU,
    ]
    assert [type(layer) for layer in convolve(Style(2), 1, 2, THREE, TWO)] == [Conv2d]
    assert ConvUnit(Style(2), 3, 4, THREE, TWO)(torch.rand(1, 3, 7, 8)).shape == (1, 4, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims: expected 2 or 3, found 1"),
        ({"padding": "mirror"}, "padding: expected same or valid, found 'mirror'"),
        ({"dropout": -0.5}, "dropout: expected a probability below 1, found -0.5"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_a_style_names_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        Style(**{"spatial_dims": 2, **arguments})


def test_dropout_drops_whole_channels_in_training_only():
    unit = ConvUnit(Style(2, norm="none", activation="relu", dropout=0.5), 1, 64, ONE, ONE)
    nn.init.constant_(unit[0].weight, 1.0)
    nn.init.zeros_(unit[0].bias)
    image = torch.ones(1, 1, 3, 3)
    dropped = unit(image).flatten(2).amax(2) == 0
    assert 10 < dropped.sum() < 54
    assert (unit.eval()(image) == 1).all()
