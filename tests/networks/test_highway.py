import pytest
import torch
from torch import nn

from networks.highway import GATE_BIAS, HighwayUnit
from networks.init import initialize
from networks.layers import Style
from networks.shortcuts import PadShortcut

ONE, TWO, THREE = (1, 1), (2, 2), (3, 3)
STYLE = Style(2, "batch", activation="relu")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_equation_by_hand(dims):
    unit = HighwayUnit(Style(dims, "none", activation="relu"), 3, 3, (3,) * dims, (1,) * dims, "projection")
    convolve = nn.functional.conv2d if dims == 2 else nn.functional.conv3d
    image = torch.randn(2, 3, *(4, 5, 6)[:dims])
    before = image.clone()
    transformed = convolve(image, unit.transform[0].weight, unit.transform[0].bias, padding=1).relu()
    gate = torch.sigmoid(convolve(image, unit.gate.weight, unit.gate.bias, padding=1))
    torch.testing.assert_close(unit(image), transformed * gate + image * (1.0 - gate))
    assert torch.equal(image, before)


def test_the_gate_starts_closed():
    unit = HighwayUnit(STYLE, 4, 4, THREE, ONE, "projection")
    unit.start()
    nn.init.zeros_(unit.gate.weight)
    image = torch.randn(2, 4, 5, 5)
    share = 1.0 / (1.0 + torch.tensor(-GATE_BIAS).exp())
    assert 0.1 < share < 0.15
    torch.testing.assert_close(unit(image), image + share * (unit.transform(image) - image))


def test_the_gate_has_a_bias_that_initialisation_keeps_negative():
    unit = HighwayUnit(STYLE, 4, 8, THREE, TWO, "projection")
    initialize(unit, "xavier")
    assert (unit.gate.bias == GATE_BIAS).all()
    assert unit.transform[0].bias is None
    assert unit.shortcut[0].bias is None


@pytest.mark.parametrize(("kind", "expected"), [("pad", PadShortcut), ("projection", nn.Sequential)])
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_where_shapes_differ_a_shortcut_carries_the_input(kind, expected, size):
    unit = HighwayUnit(STYLE, 4, 8, THREE, TWO, kind)
    assert type(unit.shortcut) is expected
    nn.init.zeros_(unit.gate.weight)
    nn.init.constant_(unit.gate.bias, -50.0)
    image = torch.randn(2, 4, *size)
    torch.testing.assert_close(unit(image), unit.shortcut(image))


def test_an_open_gate_leaves_the_convolution():
    unit = HighwayUnit(STYLE, 4, 4, THREE, ONE, "projection")
    nn.init.zeros_(unit.gate.weight)
    nn.init.constant_(unit.gate.bias, 50.0)
    image = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(unit(image), unit.transform(image))


def test_an_unpadded_unit_crops_what_it_carries():
    unit = HighwayUnit(Style(2, "none", padding="valid"), 2, 2, THREE, ONE, "projection")
    nn.init.zeros_(unit.gate.weight)
    nn.init.constant_(unit.gate.bias, -50.0)
    image = torch.randn(1, 2, 6, 7)
    torch.testing.assert_close(unit(image), image[..., 1:-1, 1:-1])


def test_a_gradient_reaches_gate_and_convolution():
    unit = HighwayUnit(STYLE, 4, 8, THREE, TWO, "projection")
    output = unit(torch.randn(2, 4, 5, 5))
    (output * torch.randn_like(output)).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in unit.parameters())
