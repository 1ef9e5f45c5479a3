import pytest
import torch
from torch import nn

from networks.branch_extras import StochasticDepth
from networks.layers import ConvUnit, Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.resnet import ResNetPlan, cifar_plan, make_resnet, residual_plan
from networks.units import UnitPlan

STYLE = Style(2, "batch", activation="relu")
TINY = ResNetPlan(UnitPlan("basic"), (2, 1), (4, 8), stem_width=4, stem="convolution")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def residual_units(network: nn.Module) -> list[ResidualUnit]:
    return [module for module in network.modules() if isinstance(module, ResidualUnit)]


def test_the_stages_of_a_bottleneck_are_four_times_as_wide():
    assert residual_plan(UnitPlan("basic"), (2, 2, 2, 2)).widths == (64, 128, 256, 512)
    assert residual_plan(UnitPlan("bottleneck"), (3, 4, 6, 3)).widths == (256, 512, 1024, 2048)
    assert residual_plan(UnitPlan("resnext"), [3, 4, 6, 3]).units == (3, 4, 6, 3)


@pytest.mark.parametrize(("kind", "units"), [("basic", 3), ("plain", 6), ("highway", 6)])
def test_a_cifar_network_of_20_layers_has_19_convolutions_and_a_head(kind, units):
    plan = cifar_plan(UnitPlan(kind, ResidualOptions(shortcut="pad")), 20)
    assert (plan.units, plan.widths, plan.stem_width) == ((units,) * 3, (16, 32, 64), 16)
    with torch.device("meta"):
        encoder = make_resnet(STYLE, plan, 3)
    layers = [name for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d)]
    # A plain network carries nothing; a highway's gate stands beside its convolution.
    assert len([name for name in layers if "gate" not in name and "shortcut" not in name]) == 19


@pytest.mark.parametrize(
    ("depth", "nearest"),
    [(19, r"\[14, 20\]"), (21, r"\[20, 26\]"), (7, r"\[8\]"), (2, r"\[8\]"), (0, r"\[8\]"), (9, r"\[8, 14\]")],
)
def test_another_depth_is_refused_with_the_nearest(depth, nearest):
    with pytest.raises(ValueError, match=rf"6n \+ 2, found {depth}; the nearest are {nearest}"):
        cifar_plan(UnitPlan("basic"), depth)


def test_a_narrowed_plan_has_all_channels_multiplied_and_at_least_one():
    narrow = residual_plan(UnitPlan("bottleneck"), (1, 1, 1, 1)).narrowed(0.25)
    assert (narrow.widths, narrow.stem_width) == ((64, 128, 256, 512), 16)
    assert narrow.units == (1, 1, 1, 1)
    assert TINY.narrowed(0.01).widths == (1, 1)


def test_the_levels_of_an_imagenet_resnet_are_the_stem_and_the_stages():
    with torch.device("meta"):
        encoder = make_resnet(STYLE, residual_plan(UnitPlan("basic"), (2, 2, 2, 2)), 3)
        features = encoder(torch.zeros(1, 3, 64, 96))
    assert encoder.channels == (64, 64, 128, 256, 512)
    assert encoder.steps == ((2, 2),) * 5
    assert [tuple(one.shape[2:]) for one in features] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]


def test_with_a_stem_of_one_convolution_the_first_stage_shares_its_level():
    encoder = make_resnet(STYLE, TINY, 1)
    assert (encoder.channels, encoder.steps) == ((4, 8), ((1, 1), (2, 2)))
    assert [type(layer) for layer in encoder.levels[0]] == [ConvUnit, ResidualUnit, ResidualUnit]
    assert [tuple(one.shape[2:]) for one in encoder(torch.rand(1, 1, 5, 6))] == [(5, 6), (3, 3)]


def test_with_preactivation_the_first_unit_of_all_begins_with_its_convolution():
    plan = ResNetPlan(UnitPlan("basic", ResidualOptions(preactivation=True)), (2, 2), (4, 8), 4, "convolution")
    assert [len(unit.opening) for unit in residual_units(make_resnet(STYLE, plan, 1))] == [0, 2, 2, 2]


def test_pooled_shortcuts_take_a_volume_of_16_voxels_through_all_five_levels():
    unit = UnitPlan("basic", ResidualOptions(shortcut="pooled"))
    encoder = make_resnet(Style(3, "batch"), ResNetPlan(unit, (1, 1, 1, 1), (2, 2, 4, 4), 2), 1).eval()
    features = encoder(torch.rand(1, 1, 16, 16, 16))
    assert [one.shape[2] for one in features] == [8, 4, 2, 1, 1]
    assert all(one.isfinite().all() for one in features)


def test_survival_falls_over_all_stages():
    options = ResidualOptions(survival=0.5)
    plan = ResNetPlan(UnitPlan("basic", options), (2, 3), (4, 8), 4, "convolution")
    encoder = make_resnet(STYLE, plan, 1)
    found = [module.survival for module in encoder.modules() if isinstance(module, StochasticDepth)]
    assert found == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])


@pytest.mark.parametrize("pyramid", [True, False])
@pytest.mark.parametrize("preactivation", [True, False])
def test_no_parameter_is_unused(pyramid, preactivation):
    unit = UnitPlan("bottleneck", ResidualOptions(preactivation=preactivation))
    encoder = make_resnet(STYLE, ResNetPlan(unit, (1, 1, 1), (4, 8, 8), 4), 1, pyramid=pyramid)
    features = encoder(torch.randn(2, 1, 32, 32))
    sum((one * torch.randn_like(one)).sum() for one in (features if pyramid else features[-1:])).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in encoder.parameters())
