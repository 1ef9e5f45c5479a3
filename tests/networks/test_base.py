import json

import pytest
import torch
from torch import nn

from networks import Network, UNet, build, describe

SMALL = {"in_channels": 1, "out_channels": 2, "channels": [2, 4], "strides": [1, [2, 2, 1]]}


class Doubled(UNet):
    """Calls its parent's constructor, whose arguments must not be taken for its own."""

    def __init__(self, in_channels: int, out_channels: int, factor: float = 2.0) -> None:
        super().__init__(in_channels, out_channels, channels=(2, 4))
        self.factor = factor


def test_a_network_keeps_its_arguments_with_defaults():
    network = UNet(1, 2, channels=(2, 4))
    assert network.init_args["in_channels"] == 1
    assert network.init_args["channels"] == [2, 4]
    assert network.init_args["padding"] == "same"
    assert (network.in_channels, network.out_channels, network.spatial_dims) == (1, 2, 3)


def test_a_description_survives_json_and_builds_the_same_network():
    network = UNet(**SMALL)
    description = json.loads(json.dumps(describe(network)))
    assert description["class_path"] == "networks.unet.UNet"
    again = build(description)
    assert describe(again) == description
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 1, 4, 4, 3)
    assert torch.equal(again.eval()(image), network.eval()(image))


def test_the_outermost_constructor_counts():
    assert Doubled(3, 1).init_args == {"in_channels": 3, "out_channels": 1, "factor": 2.0}


def test_an_argument_that_json_cannot_hold_is_refused():
    class Odd(Network):
        def __init__(self, in_channels: int, out_channels: int, layer: object) -> None:
            super().__init__()

    with pytest.raises(TypeError, match="JSON"):
        Odd(1, 1, nn.ReLU())


@pytest.mark.parametrize(
    "class_path",
    [
        "os.system",
        "torch.nn.Conv3d",
        "networks.base.Network",
        "networks.unet.nn.Identity",
        Doubled.__module__,
        None,
    ],
)
def test_f33_a_class_path_that_is_no_network_is_refused(class_path):
    with pytest.raises(ValueError, match=r"networks\.unet\.UNet"):
        build({"class_path": class_path, "init_args": SMALL})


def test_f33_a_network_of_another_package_is_refused():
    with pytest.raises(ValueError, match="unknown network"):
        build(describe(Doubled(1, 2)))


def test_arguments_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="depth"):
        build({"class_path": "networks.unet.UNet", "init_args": {**SMALL, "depth": 4}})


def test_the_base_has_no_forward():
    with pytest.raises(NotImplementedError):
        Network()(torch.zeros(1))
