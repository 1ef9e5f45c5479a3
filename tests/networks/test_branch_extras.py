import pytest
import torch
from torch import nn

from networks.branch_extras import BranchScale, SqueezeExcitation, StochasticDepth, survivals
from networks.layers import Style


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
def test_squeeze_and_excitation_is_that_of_the_paper(dims):
    gate = SqueezeExcitation(Style(dims, activation="relu"), 8, reduction=4)
    narrow, wide = gate.gate[0], gate.gate[2]
    assert narrow.weight.shape[:2] == (2, 8)
    image = torch.rand(3, 8, *(4, 5, 6)[:dims])
    hidden = torch.relu(image.flatten(2).mean(2) @ narrow.weight.flatten(1).T + narrow.bias)
    weights = torch.sigmoid(hidden @ wide.weight.flatten(1).T + wide.bias)
    torch.testing.assert_close(gate(image), image * weights.reshape(3, 8, *[1] * dims))


def test_squeeze_and_excitation_keeps_at_least_one_hidden_channel():
    gate = SqueezeExcitation(Style(2), 4, reduction=16)
    assert gate.gate[0].out_channels == 1
    before = torch.rand(2, 4, 3, 3)
    image = before.clone()
    assert gate(image).shape == (2, 4, 3, 3)
    assert torch.equal(image, before)


def test_a_scale_multiplies_and_learns():
    scale = BranchScale(0.0)
    image = torch.rand(2, 4, 3, 3)
    assert scale(image).abs().max() == 0
    scale(image).sum().backward()
    torch.testing.assert_close(scale.scale.grad, image.sum().reshape(1))


def test_a_scale_does_not_widen_mixed_precision():
    assert BranchScale(0.5)(torch.rand(1, 4, 2, 2).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("dims", [2, 3])
def test_stochastic_depth_keeps_or_drops_whole_samples_in_training(dims):
    depth = StochasticDepth(0.7)
    image = torch.rand(4000, 2, *[2] * dims) + 1.0
    output = depth(image)
    kept = output.flatten(1).abs().amax(1) > 0
    assert torch.equal(output[kept], image[kept])
    assert output[~kept].abs().max() == 0
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.03)


def test_stochastic_depth_is_its_expectation_in_evaluation():
    depth = StochasticDepth(0.7)
    image = torch.rand(1, 3, 2, 2)
    draws = torch.cat([depth(image) for _ in range(4000)])
    torch.testing.assert_close(depth.eval()(image), 0.7 * image)
    torch.testing.assert_close(draws.mean(0, keepdim=True), depth(image), rtol=0.05, atol=0.0)


def test_stochastic_depth_keeps_the_precision_and_shows_its_probability():
    depth = nn.Sequential(StochasticDepth(0.25))
    image = torch.rand(2, 1, 2, 2).bfloat16()
    assert depth(image).dtype == depth.eval()(image).dtype == torch.bfloat16
    assert "survival=0.250" in repr(depth)


def test_survival_falls_linearly_to_the_last_unit():
    assert survivals(0.5, "linear", 5) == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    assert survivals(1.0, "linear", 3) == [1.0, 1.0, 1.0]
    assert survivals(0.5, "linear", 0) == []


def test_survival_may_be_the_same_everywhere():
    assert survivals(0.8, "uniform", 3) == [0.8, 0.8, 0.8]
