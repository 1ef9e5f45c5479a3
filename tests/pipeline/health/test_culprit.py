import pytest
import torch
from torch import nn

from pipeline.health.culprit import bad_weights, blame_forward, blame_gradient, is_bad


class Overflows(nn.Module):
    """Multiplies by what makes float32 overflow."""

    def forward(self, x):
        return x * 1e30 * 1e30


class Joined(nn.Module):
    """Two convolutions, and a division by zero between them that no layer holds."""

    def __init__(self, divisor=1.0):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3)
        self.divisor = divisor

    def forward(self, x):
        return self.second(self.first(x) / self.divisor)


class EndsBadly(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        return [self.conv(x), self.conv(x) / 0.0]


def chain(*middle):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), *middle, nn.Conv2d(2, 1, 3))


@pytest.fixture
def image():
    return torch.rand(2, 1, 8, 8)


def test_a_weight_that_is_not_finite_is_named_before_all_else(image):
    network = chain()
    with torch.no_grad():
        network[3 - 1].weight[0, 0, 0, 0] = torch.nan
        image[0, 0, 0, 0] = torch.inf
    assert blame_forward(network, image).startswith("2.weight held values")
    assert bad_weights(chain()) == ""


def test_images_come_next_and_leave_no_blame_on_the_norm_that_read_them(image):
    network = chain()
    image[1, 0, 4, 4] = torch.nan
    network(image)
    assert is_bad(network[1].running_mean)
    assert "the images hold voxels" in blame_forward(network, image)


def test_the_first_layer_that_overflows_is_named_and_not_those_that_it_feeds(image):
    network = chain(Overflows(), nn.ReLU())
    words = blame_forward(network, image)
    assert "layer 2 (Overflows) is the first" in words
    assert not network[2]._forward_hooks


def test_an_operation_outside_of_layers_is_placed_between_its_neighbours(image):
    assert "between layer first and layer second" in blame_forward(Joined(0.0), image)
    assert "look behind layer conv" in blame_forward(EndsBadly(), image)


def test_a_clean_forward_pass_leaves_the_loss(image):
    assert "the loss itself" in blame_forward(chain(), image)


def test_the_gradient_that_went_bad_first_is_the_last_of_the_forward_pass(image):
    network = Joined()
    network(image).sum().backward()
    network.second.weight.grad[0, 0, 0, 0] = torch.inf
    network.first.weight.grad[:] = torch.nan
    assert "the gradient of layer second (Conv2d) went bad first" in blame_gradient(network, image)
    network.second.weight.grad[:] = 0.0
    assert "layer first" in blame_gradient(network, image)


def test_a_norm_that_overflows_is_told_from_a_gradient_that_does(image):
    network = Joined()
    network(image).sum().backward()
    network.first.weight.grad[:] = 1e30
    assert "that of layer first reaches 1e+30" in blame_gradient(network, image)


def test_a_parameter_outside_of_layers_is_named(image):
    network = Joined()
    network.scale = nn.Parameter(torch.ones(1))
    network(image).sum().backward()
    network.scale.grad = torch.full((1,), torch.nan)
    assert "the gradient of scale" in blame_gradient(network, image)
