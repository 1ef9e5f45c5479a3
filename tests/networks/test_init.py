import math

import pytest
import torch
from torch import nn

from networks import Classifier, UNet
from networks.highway import GATE_BIAS, HighwayUnit
from networks.init import initialize
from networks.residual import ResidualOptions, ResidualUnit


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("init", "activation"), [("he", nn.ReLU), ("xavier", nn.Identity)])
def test_the_scale_is_kept_through_depth(init, activation):
    layers = (layer for _ in range(20) for layer in (nn.Conv2d(64, 64, 3, padding=1), activation()))
    stack = nn.Sequential(*layers)
    initialize(stack, init)
    # Circular padding would be exact; the borders of zeros cost some of the signal.
    output = stack(torch.randn(2, 64, 32, 32))
    assert 0.02 < output[..., 12:20, 12:20].pow(2).mean().item() < 10.0


@pytest.mark.parametrize(("slope", "gain"), [(0.0, math.sqrt(2)), (0.01, math.sqrt(2 / 1.0001))])
def test_the_deviation_is_that_of_he(slope, gain):
    convolution = nn.Conv3d(16, 64, 3)
    initialize(convolution, "he", slope)
    assert convolution.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 27), rel=0.03)
    assert convolution.bias.abs().max() == 0


def test_the_deviation_is_that_of_xavier():
    convolution = nn.Conv3d(16, 64, 3)
    initialize(convolution, "xavier")
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / ((16 + 64) * 27)), rel=0.03)
    linear = nn.Linear(200, 100)
    initialize(linear, "xavier")
    assert linear.weight.std().item() == pytest.approx(math.sqrt(2 / 300), rel=0.03)


def test_groups_sum_over_their_own_channels_alone():
    grouped = nn.Conv2d(64, 128, 3, groups=4)
    initialize(grouped)
    assert grouped.weight.std().item() == pytest.approx(math.sqrt(2 / (16 * 9)), rel=0.03)
    initialize(grouped, "xavier")
    assert grouped.weight.std().item() == pytest.approx(math.sqrt(2 / ((16 + 32) * 9)), rel=0.03)


def test_a_transposed_convolution_keeps_the_scale():
    up = nn.ConvTranspose3d(64, 32, 2, 2)
    initialize(up)
    assert up(torch.randn(1, 64, 8, 8, 8)).std().item() == pytest.approx(1.0, rel=0.1)


def test_a_linear_layer_keeps_the_scale():
    linear = nn.Linear(256, 128)
    initialize(linear)
    assert linear(torch.randn(64, 256)).std().item() == pytest.approx(1.0, rel=0.1)
    assert linear.bias.abs().max() == 0


def test_a_head_keeps_the_scale_and_the_others_have_the_activation_s_gain():
    body, head = nn.Conv2d(64, 200, 1, bias=False), nn.Conv2d(64, 200, 1, bias=False)
    initialize(nn.Sequential(body, head), heads=[head])
    image = torch.randn(1, 64, 16, 16)
    assert head(image).std().item() == pytest.approx(1.0, rel=0.1)
    assert body(image).std().item() == pytest.approx(math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("init", ["xavier", "xavier_zero"])
def test_a_head_is_drawn_by_the_same_choice(init):
    body, head = nn.Conv2d(64, 200, 1), nn.Conv2d(64, 200, 1)
    nn.init.ones_(head.bias)
    initialize(nn.Sequential(body, head), init, heads=[head])
    for layer in (body, head):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (64 + 200)), rel=0.05)
        assert layer.bias.abs().max() == 0


@pytest.mark.parametrize("init", ["he", "xavier"])
def test_the_heads_of_a_u_net_are_drawn_by_its_choice(init):
    network = UNet(1, 96, spatial_dims=2, channels=[128, 128, 4], units_per_level=1, deep_supervision=True, init=init)
    expected = {"he": math.sqrt(1 / 128), "xavier": math.sqrt(2 / (128 + 96))}[init]
    assert [head.weight.std().item() for head in network.heads] == [pytest.approx(expected, rel=0.05)] * 2
    assert all(head.bias.abs().max() == 0 for head in network.heads)


def test_norms_are_left_alone():
    norm = nn.BatchNorm2d(4)
    nn.init.constant_(norm.weight, 0.5)
    nn.init.constant_(norm.bias, 0.25)
    initialize(nn.Sequential(nn.Conv2d(1, 4, 3), norm))
    assert (norm.weight == 0.5).all()
    assert (norm.bias == 0.25).all()


def starts_as_shortcut(network: nn.Module, image: torch.Tensor) -> list[bool]:
    """Of each residual unit: does it give what its shortcut gives?"""
    found: list[bool] = []

    def look(unit: ResidualUnit, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        carried = unit.shortcut(unit.opening(inputs[0]) if unit.shares_opening else inputs[0])
        found.append(torch.allclose(output, unit.activation(carried.clone()), atol=1e-6))

    hooks = [m.register_forward_hook(look) for m in network.modules() if isinstance(m, ResidualUnit)]
    network.eval()(image)
    assert len(found) == len(hooks) > 0
    return found


ZEROED = {
    "basic": lambda init: Classifier(1, 2, encoder="cifar_resnet14", width=0.25, init=init),
    "bottleneck": lambda init: Classifier(1, 2, encoder="resnet50", width=0.0625, init=init),
    "preactivation": lambda init: Classifier(1, 2, encoder="preresnet18", width=0.0625, init=init),
    "grouped": lambda init: Classifier(1, 2, encoder="resnext50_32x4d", width=0.0625, init=init),
    "without norm": lambda init: Classifier(1, 2, encoder="resnet18", width=0.0625, norm="none", init=init),
    "u-net": lambda init: UNet(1, 2, spatial_dims=2, channels=[4, 8, 8], unit="basic", init=init),
    "extras": lambda init: UNet(
        1,
        2,
        spatial_dims=2,
        channels=[4, 8],
        unit="bottleneck",
        init=init,
        residual=ResidualOptions(preactivation=True, branch_norm="instance", branch_scale=0.5, squeeze_excitation=2),
    ),
}


@pytest.mark.parametrize("init", ["he_zero", "xavier_zero"])
@pytest.mark.parametrize("name", list(ZEROED))
def test_with_zeros_every_residual_unit_of_a_network_starts_as_its_shortcut(name, init):
    image = torch.rand(2, 1, 32, 32)
    assert all(starts_as_shortcut(ZEROED[name](init), image))
    assert not any(starts_as_shortcut(ZEROED[name](init.removesuffix("_zero")), image))


@pytest.mark.parametrize("scale", [None, 0.0, 0.5])
@pytest.mark.parametrize("preactivation", [False, True])
def test_no_branch_that_starts_at_zero_stays_there(preactivation, scale):
    options = ResidualOptions(preactivation=preactivation, branch_scale=scale)
    network = UNet(
        1, 2, spatial_dims=2, channels=[4, 8], unit="basic", units_per_level=1, residual=options, init="he_zero"
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    image = torch.rand(2, 1, 8, 8)
    for _ in range(3):
        optimizer.zero_grad()
        network(image).square().mean().backward()
        optimizer.step()
    units = [module for module in network.modules() if isinstance(module, ResidualUnit)]
    assert len(units) == 3
    for unit in units:
        assert all(parameter.grad.abs().max() > 0 for parameter in unit.branch.parameters())


def test_the_gates_of_highway_units_start_negative():
    network = Classifier(1, 2, encoder="cifar_highway8", width=0.25, init="xavier")
    gates = [module.gate for module in network.modules() if isinstance(module, HighwayUnit)]
    assert len(gates) == 6
    assert all((gate.bias == GATE_BIAS).all() and gate.weight.std() > 0 for gate in gates)
    assert GATE_BIAS < 0


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="init: expected he, he_zero, xavier, xavier_zero, found 'uniform'"):
        initialize(nn.Linear(1, 1), "uniform")  # type: ignore[arg-type]
