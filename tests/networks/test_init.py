import math

import pytest
import torch
from torch import nn

from networks.init import he_init, linear_init


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_he_init_keeps_the_scale_through_depth():
    layers = [
        nn.Linear(1, 1),
        *(layer for _ in range(20) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())),
    ]
    stack = nn.Sequential(*layers[1:])
    he_init(stack, negative_slope=0.0)
    # Circular padding would be exact; the borders of zeros cost some of the signal.
    output = stack(torch.randn(2, 64, 32, 32))
    assert 0.02 < output[..., 12:20, 12:20].pow(2).mean().item() < 10.0


@pytest.mark.parametrize(("slope", "gain"), [(0.0, math.sqrt(2)), (0.01, math.sqrt(2 / 1.0001))])
def test_the_deviation_is_that_of_he(slope, gain):
    convolution = nn.Conv3d(16, 64, 3)
    he_init(convolution, slope)
    assert convolution.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 27), rel=0.03)
    assert convolution.bias.abs().max() == 0


def test_a_transposed_convolution_keeps_the_scale():
    up = nn.ConvTranspose3d(64, 32, 2, 2)
    he_init(up)
    assert up(torch.randn(1, 64, 8, 8, 8)).std().item() == pytest.approx(1.0, rel=0.1)


def test_a_head_keeps_the_scale():
    head = nn.Conv2d(64, 200, 1, bias=False)
    linear_init(head)
    assert head(torch.randn(1, 64, 16, 16)).std().item() == pytest.approx(1.0, rel=0.1)
    with pytest.raises(TypeError, match="ReLU"):
        linear_init(nn.ReLU())
