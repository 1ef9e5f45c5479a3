from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from networks.base import build, describe
from networks.branch_extras import StochasticDepth, survivals
from networks.hourglass import Hourglass
from networks.residual import ResidualOptions, ResidualUnit

SMALL = {"features": 8, "depth": 2, "norm_groups": 2}
VARIANTS = [
    {},
    {"stacks": 1, "units_per_position": 2},
    {"stacks": 3, "depth": 1, "norm": "group", "activation": "silu"},
    {"spatial_dims": 3},
    {"residual": ResidualOptions(preactivation=False)},
    {"norm": "none", "unit": "basic", "residual": ResidualOptions(preactivation=True, survival=0.9, branch_scale=0.5)},
    {"unit": "resnext", "residual": ResidualOptions(preactivation=True, shortcut="pad", fusion="concat")},
    {"unit": "highway", "dropout": 0.1},
    {"unit": "plain", "norm": "instance", "activation": "leaky_relu", "init": "xavier"},
]
# Stacks: parameters and multiply-adds at 3 x 256 x 256, as published in units of 10^6 and 10^9 to two decimals.
PUBLISHED = {1: (3.59, 5.80), 2: (6.73, 8.99), 4: (13.02, 15.36), 8: (25.59, 28.09)}
EXACT = {1: 3_586_960, 2: 6_730_912, 4: 13_018_816, 8: 25_594_624}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def small(**options) -> Hourglass:
    return Hourglass(3, 5, **{**SMALL, **options})


def image_for(network: Hourglass, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, *[2 * network.multiple] * network.spatial_dims)


@pytest.fixture(params=VARIANTS, ids=str)
def network(request) -> Hourglass:
    return small(**request.param)


@pytest.mark.parametrize("stacks", list(PUBLISHED))
def test_parameters_and_multiply_adds_are_the_published_ones(stacks):
    millions, billions = PUBLISHED[stacks]
    with torch.device("meta"):
        network = Hourglass(3, 16, stacks=stacks)
        with FlopCounterMode(display=False) as counter:
            outputs = network(torch.zeros(1, 3, 256, 256))
    count = sum(p.numel() for p in network.parameters())
    assert count == EXACT[stacks]
    assert round(count / 1e6, 2) == millions
    assert round(counter.get_total_flops() / 2e9, 2) == billions  # two operations for each multiply-add
    assert [tuple(output.shape) for output in outputs] == [(1, 16, 64, 64)] * stacks


@pytest.mark.parametrize("training", [True, False])
def test_every_stack_gives_heatmaps_of_a_quarter_of_the_size(network, training):
    network.train(training)
    size = [2 * network.multiple, *[network.multiple] * (network.spatial_dims - 1)]
    outputs = network(torch.rand(2, 3, *size))
    assert network.answers == "heatmaps"
    assert len(outputs) == network.init_args["stacks"]
    assert {tuple(output.shape) for output in outputs} == {(2, 5, *[length // 4 for length in size])}
    assert all(output.isfinite().all() for output in outputs)


def test_a_gradient_reaches_every_parameter(network):
    sum((output * torch.rand_like(output)).mean() for output in network(image_for(network))).backward()
    cancels = network.init_args["norm"] in ("batch", "instance")
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A norm over all of a channel takes the bias before it away, so that its gradient is rounding alone.
        if not (cancels and name.endswith("bias") and not name.startswith("heads")):
            assert parameter.grad.abs().max() > 0, name


def test_a_gradient_of_the_last_stack_alone_reaches_all_but_the_other_heads_and_they_by_what_is_mapped_back():
    network = small(stacks=3, norm="group")
    network(image_for(network))[-1].square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_a_stack_reads_the_heatmaps_of_the_one_before_it():
    network = small().eval()
    image = image_for(network)
    first, second = network(image)
    with torch.no_grad():
        network.heads[0].bias[2] += 1.0
    changed_first, changed_second = network(image)
    torch.testing.assert_close(changed_first - first, torch.eye(5)[2].reshape(1, 5, 1, 1).expand_as(first))
    assert (changed_second - second).abs().max() > 1e-3


def test_at_zero_branches_the_hourglass_adds_up_what_was_pooled():
    network = small(stacks=1, depth=1, init="he_zero").eval()
    features = torch.rand(1, 8, 4, 4)
    pooled = nn.functional.max_pool2d(features, 2)
    expected = features + pooled.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(network.hourglasses[0](features), expected)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((256, 250), r"multiple of 64 .* found \[256, 250\]; the nearest are \[256, 192\] and \[256, 256\]"),
        ((100, 129), r"nearest are \[64, 128\] and \[128, 192\]"),
        ((16, 64), r"nearest is \[64, 64\]"),
        ((64, 0), r"nearest is \[64, 64\]"),
    ],
)
def test_a_size_that_does_not_divide_is_refused_with_the_nearest(size, message):
    network = small(depth=4)
    assert network.multiple == 64
    with pytest.raises(ValueError, match=message):
        network(torch.rand(1, 3, *size))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_smallest_size_is_the_multiple(depth):
    network = small(depth=depth)
    outputs = network(torch.rand(2, 3, network.multiple, network.multiple))
    assert outputs[-1].shape == (2, 5, 2**depth, 2**depth)


def test_survival_falls_over_all_units():
    network = small(residual=ResidualOptions(preactivation=True, survival=0.5), units_per_position=2)
    units = [module for module in network.modules() if isinstance(module, ResidualUnit)]
    assert len(units) == 3 + 2 * (3 * 2 + 2) * 2
    found = [module.survival for module in network.modules() if isinstance(module, StochasticDepth)]
    assert sorted(found, reverse=True) == survivals(0.5, "linear", len(units))
    assert network.stem[1].ending[0].survival == max(found)
    assert network.lasts[-1][1].ending[0].survival == min(found) == 0.5
    first_stack = [one.survival for one in network.hourglasses[0].modules() if isinstance(one, StochasticDepth)]
    assert min(first_stack) > network.hourglasses[1].across[0][0].ending[0].survival


def test_bf16_is_finite_forward_and_backward(network):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = network(image_for(network))
    assert all(output.dtype == torch.bfloat16 and output.isfinite().all() for output in outputs)
    sum(output.float().square().mean() for output in outputs).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_weights_come_back_from_safetensors_into_a_network_built_from_its_description(network, tmp_path: Path):
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    again = build(describe(network))
    assert describe(again) == describe(network)
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    image = image_for(network)
    for one, other in zip(network.eval()(image), again.eval()(image), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("options", [{}, {"spatial_dims": 3}, {"residual": ResidualOptions()}], ids=str)
def test_export_gives_the_same_heatmaps(options):
    network = small(**options)
    image = image_for(network)
    exported = torch.export.export(network.eval(), (image,)).module()
    torch.testing.assert_close(exported(image), network(image), rtol=1e-4, atol=1e-4)


def test_features_keep_the_channels_last_layout():
    network = small().eval()
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in network(image_for(network)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stacks": 0}, "stacks"),
        ({"depth": 0}, "depth"),
        ({"units_per_position": 0}, "units_per_position"),
        ({"features": 10}, "multiple of 4"),
        ({"inner": 0.0}, "inner"),
        ({"unit": "dense"}, "unit"),
        ({"spatial_dims": 1}, "spatial_dims"),
        ({"norm": "layer"}, "norm"),
        ({"unit": "plain", "residual": ResidualOptions(survival=0.5)}, "no residual unit"),
        ({"unit": "plain", "residual": ResidualOptions(shortcut="pad")}, "no residual unit"),
        ({"unit": "highway", "residual": ResidualOptions(branch_scale=1.0)}, "no residual unit"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_a_highway_hourglass_takes_a_shortcut():
    network = small(unit="highway", residual=ResidualOptions(shortcut="pad"))
    assert network(image_for(network))[-1].isfinite().all()
