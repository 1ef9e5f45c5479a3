import pytest
import torch
from torch import nn

from networks.branch_extras import StochasticDepth
from networks.highway import HighwayUnit
from networks.layers import ConvUnit, Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.shortcuts import PadShortcut
from networks.units import UnitPlan, make_unit

STYLE = Style(2, "batch", activation="relu")
ONE, TWO, THREE = (1, 1), (2, 2), (3, 3)
KINDS = {
    "plain": ConvUnit,
    "basic": ResidualUnit,
    "bottleneck": ResidualUnit,
    "resnext": ResidualUnit,
    "highway": HighwayUnit,
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make(plan: UnitPlan, channels: int = 256, **options) -> nn.Module:
    with torch.device("meta"):
        return make_unit(STYLE, plan, channels, channels, THREE, ONE, **options)


def convolutions(unit: ResidualUnit) -> list[nn.Conv2d]:
    return [layer for layer in unit.branch if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_maps_channels_and_size(kind, dims):
    unit = make_unit(Style(dims), UnitPlan(kind), 2, 8, (3,) * dims, (2,) * dims)
    assert type(unit) is KINDS[kind]
    output = unit(torch.rand(2, 2, *(7, 6, 5)[:dims]))
    assert output.shape == (2, 8, *(4, 3, 3)[:dims])
    (output * torch.randn_like(output)).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in unit.parameters())


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_number_of_wide_convolutions_is_what_the_plan_says(kind):
    unit = make(UnitPlan(kind), 8)
    branch = unit.branch if isinstance(unit, ResidualUnit) else nn.ModuleList([*unit.modules()])
    gate = getattr(unit, "gate", None)  # stands beside the convolution, not behind it
    wide = [m for m in branch if isinstance(m, nn.Conv2d) and m.kernel_size == THREE and m is not gate]
    assert len(wide) == UnitPlan(kind).wide_convolutions
    assert UnitPlan(kind).is_residual == isinstance(unit, ResidualUnit)


@pytest.mark.parametrize(
    ("plan", "width", "groups"),
    [
        (UnitPlan("bottleneck"), 64, 1),
        (UnitPlan("resnext"), 128, 32),  # 32 x 4d
        (UnitPlan("resnext", inner=1.0), 256, 32),  # 32 x 8d
    ],
)
def test_the_inner_width_and_groups_are_those_of_the_papers(plan, width, groups):
    middle = convolutions(make(plan))[1]
    assert (middle.in_channels, middle.out_channels, middle.groups) == (width, width, groups)


def test_few_channels_leave_at_least_one():
    assert convolutions(make(UnitPlan("bottleneck"), 1))[1].out_channels == 1
    assert convolutions(make(UnitPlan("resnext"), 12))[1].groups == 2


def test_a_plan_s_options_reach_the_unit():
    plan = UnitPlan("basic", ResidualOptions(preactivation=True, branch_scale=0.5))
    unit = make(plan, 8, survival=0.75)
    assert len(unit.opening) == 2
    assert [type(layer).__name__ for layer in unit.ending] == ["BranchScale", "StochasticDepth"]
    assert unit.ending[1].survival == 0.75
    assert len(make(plan, 8, activated=True).opening) == 0


def test_the_plan_s_own_survival_is_that_of_the_last_unit_and_not_of_this_one():
    unit = make(UnitPlan("basic", ResidualOptions(survival=0.5)), 8)
    assert not any(isinstance(module, StochasticDepth) for module in unit.modules())


def test_a_highway_unit_takes_the_plan_s_shortcut():
    plan = UnitPlan("highway", ResidualOptions(shortcut="pad"))
    assert isinstance(make_unit(STYLE, plan, 4, 8, THREE, TWO).shortcut, PadShortcut)
    assert isinstance(make_unit(STYLE, UnitPlan("highway"), 4, 8, THREE, TWO).shortcut, nn.Sequential)


def test_residual_units_alone_preactivate():
    clean = ResidualOptions(preactivation=True)
    found = {kind: UnitPlan(kind, clean).preactivates for kind in KINDS}
    assert found == {kind: unit is ResidualUnit for kind, unit in KINDS.items()}
    assert not any(UnitPlan(kind).preactivates for kind in KINDS)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"unit: expected plain, basic, .* found 'dense'"):
        UnitPlan("dense")  # type: ignore[arg-type]
