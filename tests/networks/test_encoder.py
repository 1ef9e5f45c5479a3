import pytest
import torch
from torch import nn

from networks.encoder import Encoder, Level, add_units
from networks.layers import ConvUnit, Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.units import UnitPlan

STYLE = Style(2, "batch", activation="relu")
ONE, TWO, THREE = (1, 1), (2, 2), (3, 3)
CLEAN = ResidualOptions(preactivation=True)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def two_levels(plan: UnitPlan, *, pyramid: bool = True, style: Style = STYLE) -> Encoder:
    levels = [Level(ONE, 4), Level(TWO, 8)]
    add_units(levels[0], style, plan, 1, THREE, [1.0], activated=True)
    add_units(levels[1], style, plan, 4, THREE, [1.0, 1.0])
    return Encoder(style, levels, pyramid=pyramid)


def test_an_encoder_announces_its_channels_and_steps():
    encoder = two_levels(UnitPlan("basic"))
    assert (encoder.channels, encoder.steps) == ((4, 8), (ONE, TWO))
    fine, coarse = encoder(torch.rand(2, 1, 7, 5))
    assert (fine.shape, coarse.shape) == ((2, 4, 7, 5), (2, 8, 4, 3))


@pytest.mark.parametrize("plan", [UnitPlan("plain"), UnitPlan("basic"), UnitPlan("highway", CLEAN)], ids=str)
def test_what_is_finished_gets_no_tail(plan):
    assert [len(tail) for tail in two_levels(plan).tails] == [0, 0]


def test_what_is_not_finished_is_normalised_and_activated_where_it_is_handed_out():
    encoder = two_levels(UnitPlan("basic", CLEAN)).eval()
    assert [[type(layer) for layer in tail] for tail in encoder.tails] == [[nn.BatchNorm2d, nn.ReLU]] * 2
    image = torch.randn(2, 1, 6, 6)
    between = encoder.levels[0](image)
    fine, coarse = encoder(image)
    assert between.min() < 0
    assert min(fine.min(), coarse.min()) >= 0
    # The next level reads what came before the tail, so that its identities stay clean.
    torch.testing.assert_close(coarse, encoder.tails[1](encoder.levels[1](between)))


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("training", [True, False])
def test_handing_out_features_does_not_change_what_the_next_level_reads(norm, training):
    encoder = two_levels(UnitPlan("basic", CLEAN), style=Style(2, norm)).train(training)
    image = torch.randn(2, 1, 6, 6)
    between = encoder.levels[0](image)
    before = between.clone()
    encoder.tails[0](between)
    encoder.levels[1](between)
    assert torch.equal(between, before)


@pytest.mark.parametrize("pyramid", [True, False])
def test_no_parameter_is_unused(pyramid):
    encoder = two_levels(UnitPlan("basic", CLEAN), pyramid=pyramid)
    features = encoder(torch.randn(2, 1, 6, 6))
    used = features if pyramid else features[-1:]
    sum((one * torch.randn_like(one)).sum() for one in used).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in encoder.parameters())
    assert [len(tail) for tail in encoder.tails] == ([2, 2] if pyramid else [0, 2])


def test_the_first_unit_of_a_level_steps():
    level = Level(TWO, 8)
    add_units(level, STYLE, UnitPlan("plain"), 3, THREE, [1.0, 1.0])
    assert [(unit[0].in_channels, unit[0].out_channels, unit[0].stride) for unit in level.layers] == [
        (3, 8, TWO),
        (8, 8, ONE),
    ]


def test_no_unit_steps_where_something_before_it_has():
    level = Level(TWO, 8, [nn.MaxPool2d(2)])
    add_units(level, STYLE, UnitPlan("plain"), 3, THREE, [1.0, 1.0])
    assert [unit[0].stride for unit in level.layers[1:]] == [ONE, ONE]


def test_units_take_their_survival_and_only_the_first_an_activated_input():
    level = Level(ONE, 4)
    add_units(level, STYLE, UnitPlan("basic", CLEAN), 4, THREE, [0.9, 0.8], activated=True)
    assert [len(unit.opening) for unit in level.layers] == [0, 2]
    assert [unit.ending[0].survival for unit in level.layers] == [0.9, 0.8]


def test_a_finished_level_ends_with_norm_and_activation_and_needs_no_tail():
    level = Level(ONE, 4)
    add_units(level, STYLE, UnitPlan("basic", CLEAN), 1, THREE, [1.0], activated=True)
    assert not level.finished
    level.finish(STYLE)
    assert level.finished
    assert [type(layer) for layer in level.layers] == [ResidualUnit, nn.BatchNorm2d, nn.ReLU]
    encoder = Encoder(STYLE, [level])
    assert [len(tail) for tail in encoder.tails] == [0]
    assert encoder(torch.randn(2, 1, 5, 5))[0].min() >= 0


def test_no_units_leave_a_level_as_it_is():
    level = Level(ONE, 4, [ConvUnit(STYLE, 1, 4, THREE, ONE)])
    add_units(level, STYLE, UnitPlan("basic", CLEAN), 4, THREE, [])
    assert level.finished
    assert not any(isinstance(layer, ResidualUnit) for layer in level.layers)
