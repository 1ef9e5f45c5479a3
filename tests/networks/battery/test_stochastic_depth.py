import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from networks.branch_extras import StochasticDepth
from networks.layers import Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.units import UnitPlan, make_unit

DRAWS = 4000


class LinearUnit(nn.Module):
    """A residual unit without anything non-linear in it."""

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.branch = nn.Linear(3, 3).double()
        self.depth = StochasticDepth(survival)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.depth(self.branch(features))


def test_the_output_in_evaluation_is_exactly_the_expectation_of_linear_units():
    survivals = [0.9, 0.7, 0.4]
    units = nn.Sequential(*(LinearUnit(survival) for survival in survivals))
    features = torch.randn(2, 3, dtype=torch.float64)
    evaluated = units.eval()(features)
    expectation = torch.zeros_like(evaluated)
    units.train()
    for kept in itertools.product((True, False), repeat=3):
        for unit, keep in zip(units, kept, strict=True):
            unit.depth.survival = float(keep)
        weight = math.prod(p if keep else 1 - p for p, keep in zip(survivals, kept, strict=True))
        expectation += weight * units(features)
    torch.testing.assert_close(evaluated, expectation, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("survival", [0.25, 0.8])
@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("kind", ["basic", "bottleneck", "resnext"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_mean_of_many_draws_is_the_branch_in_evaluation(kind, preactivation, survival, spatial_dims):
    torch.manual_seed(0)
    style = Style(spatial_dims, "group", norm_groups=2)
    plan = UnitPlan(kind, ResidualOptions(preactivation=preactivation, squeeze_excitation=2, branch_scale=0.5))
    unit = make_unit(style, plan, 8, 8, (3,) * spatial_dims, style.one, survival=survival)
    features = torch.randn(1, 8, *(3,) * spatial_dims)

    def branch(images: Tensor) -> Tensor:
        return unit.ending(unit.branch(unit.opening(images)))

    with torch.no_grad():
        draws = branch(features.expand(DRAWS, *features.shape[1:]))
        unit.eval()
        expected = branch(features)
    # Five standard errors of a mean of zeros and ones.
    tolerance = 5 * math.sqrt(survival * (1 - survival) / DRAWS) / survival
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(draws.mean(dim=0, keepdim=True), expected, rtol=tolerance, atol=1e-6)


def test_survival_of_almost_one_changes_nothing(residual_subject, helpers):
    certain = residual_subject.make_with(survival=1.0)
    almost = residual_subject.make_with(survival=1.0 - 1e-7)
    image = residual_subject.images(certain)
    assert any(isinstance(module, StochasticDepth) for module in almost.modules())
    for training in (True, False):
        with torch.no_grad():
            outputs = helpers.as_list(certain.train(training)(image)), helpers.as_list(almost.train(training)(image))
        for one, other in zip(*outputs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_training_differs_from_evaluation_by_what_is_dropped_alone(residual_subject, helpers):
    # A group norm does the same in training and in evaluation.
    for survival, same in ((1.0, True), (0.5, False)):
        network = residual_subject.make_with(survival=survival)
        image = residual_subject.images(network)
        with torch.no_grad():
            trained, evaluated = (helpers.as_list(network.train(mode)(image))[0] for mode in (True, False))
        assert torch.equal(trained, evaluated) == same


def test_survival_falls_linearly_over_the_units_as_they_are_run(residual_subject):
    found = survivals_in_order(residual_subject, "linear")
    falling = found.index(found[-1]) + 1  # the decoder of a U-Net goes on with the last probability
    expected = [1 - (unit + 1) / falling * 0.6 for unit in range(falling)] + [0.4] * (len(found) - falling)
    assert falling > 1
    assert found == pytest.approx(expected, abs=1e-12)


def test_survival_of_the_uniform_form_is_the_same_everywhere(residual_subject):
    assert set(survivals_in_order(residual_subject, "uniform")) == {0.4}


def survivals_in_order(subject, form: str) -> list[float]:
    """Return the probability of every residual unit in the order in which a forward pass comes to them."""
    network = subject.make_with(survival=0.4, survival_form=form)
    image = subject.images(network)
    found: list[float] = []
    for module in network.modules():
        if isinstance(module, StochasticDepth):
            module.register_forward_hook(lambda depth, inputs, output: found.append(depth.survival))
    with torch.no_grad():
        network.eval()(image)
    assert len(found) == sum(isinstance(module, ResidualUnit) for module in network.modules())
    return found
