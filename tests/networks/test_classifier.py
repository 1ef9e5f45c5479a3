import pytest
import torch
from torch import nn

from networks.branch_extras import StochasticDepth
from networks.classifier import Classifier
from networks.layers import InstanceNorm
from networks.residual import ResidualOptions


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tiny(**options) -> Classifier:
    return Classifier(1, 3, **{"encoder": "cifar_resnet8", "width": 0.25, **options})


@pytest.mark.parametrize(("dims", "size"), [(2, (1, 1)), (2, (9, 14)), (3, (5, 6, 7))])
def test_an_image_of_any_size_gets_one_logit_per_class(dims, size):
    network = tiny(spatial_dims=dims).eval()
    assert (network.spatial_dims, network.answers) == (dims, "classes")
    assert network(torch.rand(4, 1, *size)).shape == (4, 3)


def test_the_logits_are_linear_in_the_mean_of_the_coarsest_features():
    network = tiny().eval()
    image = torch.rand(2, 1, 12, 8)
    features = network.encoder(image)[-1]
    expected = nn.functional.linear(features.mean((2, 3)), network.head.weight, network.head.bias)
    torch.testing.assert_close(network(image), expected)


def test_a_gradient_reaches_every_parameter():
    for encoder in ("cifar_resnet8", "preresnet18", "densenet121"):
        network = tiny(encoder=encoder, width=0.1, stem="convolution")
        network(torch.randn(4, 1, 16, 16)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, (encoder, name)
            assert parameter.grad.abs().max() > 0, (encoder, name)


def test_arguments_reach_the_layers():
    network = tiny(norm="instance", activation="silu", dropout=0.1, residual=ResidualOptions(survival=0.8))
    kinds = {type(module) for module in network.modules()}
    assert {InstanceNorm, nn.SiLU, nn.Dropout2d, StochasticDepth} <= kinds
    assert not {nn.BatchNorm2d, nn.ReLU} & kinds
    assert network.init_args["residual"]["survival"] == 0.8


def test_weights_are_those_of_the_chosen_initialisation():
    zeroed = tiny(init="he_zero").encoder.levels[0][1].branch[-1]
    assert zeroed.weight.abs().max() == 0
    assert tiny().encoder.levels[0][1].branch[-1].weight.min() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet51"}, "encoder: .* nearest is resnet50"),
        ({"spatial_dims": 1}, "spatial_dims"),
        ({"width": 0.0}, "width"),
        ({"stem": "patch"}, "stem"),
        ({"norm": "layer"}, "norm"),
        ({"activation": "tanh"}, "activation"),
        ({"dropout": 1.5}, "dropout"),
        ({"init": "uniform"}, "init"),
        ({"residual": ResidualOptions(preactivation=True)}, r"residual\.preactivation"),
    ],
)
def test_arguments_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)
