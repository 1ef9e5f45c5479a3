import pytest
import torch
from torch import nn

from networks.convolution import Conv2d
from networks.densenet import DenseLayer, DenseNetPlan, Transition, make_densenet
from networks.layers import MeanPool, Style

STYLE = Style(2, "batch", activation="relu")
TINY = DenseNetPlan((2, 1, 2), growth=4, stem_width=8)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_order_of_a_dense_layer_is_that_of_the_paper():
    layer = DenseLayer(STYLE, 6, growth=4)
    assert [type(part) for part in layer] == [nn.BatchNorm2d, nn.ReLU, Conv2d] * 2
    assert (layer[2].kernel_size, layer[2].out_channels) == ((1, 1), 16)
    assert (layer[5].kernel_size, layer[5].out_channels) == ((3, 3), 4)


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_dense_layer_appends_to_its_input_and_leaves_it_as_it_is(dims, norm):
    layer = DenseLayer(Style(dims, norm, norm_groups=2, activation="relu"), 6, growth=4)
    features = torch.randn(2, 6, *(4, 5, 3)[:dims])
    before = features.clone()
    output = layer(features)
    assert output.shape == (2, 10, *(4, 5, 3)[:dims])
    assert torch.equal(output[:, :6], before)
    assert torch.equal(features, before)
    (output[:, 6:] * torch.randn_like(output[:, 6:])).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (1, 3), (1, 1)])
def test_a_transition_halves_channels_and_size(size):
    transition = Transition(STYLE, 8, 4)
    assert [type(part) for part in transition] == [nn.BatchNorm2d, nn.ReLU, Conv2d, MeanPool]
    assert transition(torch.rand(2, 8, *size)).shape == (2, 4, *[-(-length // 2) for length in size])


@pytest.mark.parametrize(
    ("layers", "channels"),
    [
        ((6, 12, 24, 16), (64, 256, 512, 1024, 1024)),
        ((6, 12, 32, 32), (64, 256, 512, 1280, 1664)),
        ((6, 12, 48, 32), (64, 256, 512, 1792, 1920)),
    ],
)
def test_the_levels_are_the_stem_and_the_blocks_of_the_paper(layers, channels):
    with torch.device("meta"):
        encoder = make_densenet(STYLE, DenseNetPlan(layers), 3)
    assert encoder.channels == channels
    assert encoder.steps == ((2, 2),) * 5


@pytest.mark.parametrize(("dims", "size"), [(2, (33, 20)), (3, (17, 16, 9))])
def test_features_have_the_announced_channels_and_sizes(dims, size):
    encoder = make_densenet(Style(dims, "batch"), TINY, 1).eval()
    assert encoder.channels == (8, 16, 12, 14)
    stride = 1
    for channels, features in zip(encoder.channels, encoder(torch.rand(1, 1, *size)), strict=True):
        stride *= 2
        assert features.shape == (1, channels, *[-(-length // stride) for length in size])


def test_a_volume_of_16_voxels_goes_through_all_five_levels():
    encoder = make_densenet(Style(3, "batch"), DenseNetPlan((1, 1, 1, 1), growth=2, stem_width=4), 1).eval()
    features = encoder(torch.rand(1, 1, 16, 16, 16))
    assert [one.shape[2] for one in features] == [8, 4, 2, 1, 1]
    assert all(one.isfinite().all() for one in features)


def test_what_a_block_hands_out_is_activated():
    encoder = make_densenet(STYLE, TINY, 1)
    assert [len(tail) for tail in encoder.tails] == [0, 2, 2, 2]
    assert [len(tail) for tail in make_densenet(STYLE, TINY, 1, pyramid=False).tails] == [0, 0, 0, 2]


@pytest.mark.parametrize("pyramid", [True, False])
def test_no_parameter_is_unused(pyramid):
    encoder = make_densenet(STYLE, TINY, 1, pyramid=pyramid)
    features = encoder(torch.randn(2, 1, 32, 32))
    sum((one * torch.randn_like(one)).sum() for one in (features if pyramid else features[-1:])).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in encoder.parameters())


def test_a_narrowed_plan_has_growth_and_stem_multiplied():
    narrow = DenseNetPlan((6, 12)).narrowed(0.25)
    assert (narrow.growth, narrow.stem_width, narrow.layers) == (8, 16, (6, 12))
    assert DenseNetPlan((6, 12)).narrowed(0.001).growth == 1


def test_a_stem_of_one_convolution_keeps_the_size():
    plan = DenseNetPlan((1, 1), growth=4, stem_width=8, stem="convolution")
    fine, coarse = make_densenet(STYLE, plan, 1)(torch.rand(2, 1, 7, 6))
    assert (fine.shape, coarse.shape) == ((2, 12, 7, 6), (2, 10, 4, 3))
