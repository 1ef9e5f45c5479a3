import json

import pytest
import torch
from torch import nn

from networks import Classifier, HeatmapUNet, Hourglass, Network, UNet, build, describe
from networks.base import answer_of, stages_of
from networks.residual import ResidualOptions

SMALL = {"in_channels": 1, "out_channels": 2, "channels": [2, 4], "strides": [1, [2, 2, 1]]}


class Doubled(UNet):
    """Calls its parent's constructor, whose arguments must not be taken for its own."""

    def __init__(self, in_channels: int, out_channels: int, factor: float = 2.0) -> None:
        super().__init__(in_channels, out_channels, channels=(2, 4))
        self.factor = factor


def test_a_network_keeps_its_arguments_with_defaults():
    network = UNet(1, 2, channels=(2, 4))
    assert network.init_args["in_channels"] == 1
    assert network.init_args["residual"]["fusion"] == "add"
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

    with pytest.raises(TypeError, match="JSON can hold, found ReLU"):
        Odd(1, 1, nn.ReLU())


def test_a_dataclass_among_the_arguments_survives_json():
    network = Classifier(1, 2, encoder="cifar_resnet8", width=0.25, residual=ResidualOptions(squeeze_excitation=2))
    description = json.loads(json.dumps(describe(network)))
    assert description["init_args"]["residual"]["squeeze_excitation"] == 2
    again = build(description)
    assert describe(again) == description
    again.load_state_dict(network.state_dict())
    image = torch.rand(2, 1, 8, 8)
    assert torch.equal(again.eval()(image), network.eval()(image))


def test_a_nested_mapping_may_name_some_of_its_fields():
    init_args = {
        "in_channels": 1,
        "out_channels": 2,
        "channels": [2, 4],
        "unit": "basic",
        "residual": {"survival": 0.5},
    }
    network = build({"class_path": "networks.unet.UNet", "init_args": init_args})
    assert network.init_args["residual"]["survival"] == 0.5
    assert ResidualOptions(**network.init_args["residual"]) == ResidualOptions(survival=0.5)


def test_a_wrong_nested_key_is_named():
    with pytest.raises(ValueError, match=r"networks\.unet\.UNet.*scale_of_branch"):
        build({"class_path": "networks.unet.UNet", "init_args": {**SMALL, "residual": {"scale_of_branch": 1.0}}})


def test_a_nested_value_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"residual\.survival"):
        build({"class_path": "networks.unet.UNet", "init_args": {**SMALL, "residual": {"survival": 0.0}}})


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


def test_what_the_outputs_are_is_known_of_the_class():
    assert (Network.answers, UNet.answers, Classifier.answers) == ("voxels", "voxels", "classes")


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        (Hourglass(3, 2, stacks=2, features=8, depth=1), [(8, 8), (8, 8)]),
        (HeatmapUNet(3, 2, channels=(8, 8), deep_supervision=0), [(8, 8)]),
        (HeatmapUNet(3, 2, channels=(8, 8, 8), deep_supervision=1), [(4, 4), (8, 8)]),
        (UNet(3, 2, spatial_dims=2, channels=[4, 4, 4], deep_supervision=1), [(16, 16), (32, 32)]),
    ],
)
def test_the_answer_is_the_last_stack_or_the_finest_level(network, sizes):
    outputs = network(torch.rand(2, 3, 32, 32))
    assert [tuple(stage.shape[2:]) for stage in stages_of(outputs)] == sizes
    assert answer_of(outputs) is (outputs[0] if isinstance(network, UNet) else outputs[-1])
