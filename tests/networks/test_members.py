import dataclasses

import pytest
import torch

from networks import Classifier, UNet
from networks.encoders import ENCODERS
from networks.members import MEMBERS


def test_every_encoder_is_a_member_as_a_classifier():
    assert all(MEMBERS[name].network is Classifier for name in ENCODERS)
    assert {MEMBERS[name].channels for name in ENCODERS} == {(3, 10), (3, 1000)}
    assert set(MEMBERS) > set(ENCODERS)


def test_a_member_is_made_as_its_paper_has_it():
    with torch.device("meta"):
        network = MEMBERS["unet_2015"].make()
    assert isinstance(network, UNet)
    assert (network.in_channels, network.out_channels, network.spatial_dims) == (1, 2, 2)
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_030_658


def test_channels_dimensions_and_arguments_may_be_changed():
    network = MEMBERS["cifar_resnet20"].make(1, 4, 3, width=0.25, norm="instance")
    assert (network.in_channels, network.out_channels, network.spatial_dims) == (1, 4, 3)
    assert (network.init_args["width"], network.init_args["norm"]) == (0.25, "instance")
    assert network.init_args["encoder"] == "cifar_resnet20"
    assert network.eval()(torch.rand(2, 1, 5, 6, 7)).shape == (2, 4)


def test_a_change_takes_the_place_of_the_member_s_own_argument_and_leaves_the_member_alone():
    before = dataclasses.asdict(MEMBERS["unet_residual"])
    small = MEMBERS["unet_residual"].make(
        spatial_dims=2, channels=[2, 4], units_per_level=[1, 3], deep_supervision=False
    )
    assert small.init_args["channels"] == [2, 4]
    assert (small.init_args["unit"], small.init_args["decoder_unit"], small.init_args["stem"]) == (
        "basic",
        "plain",
        "convolution",
    )
    assert small(torch.rand(1, 1, 5, 6)).shape == (1, 2, 5, 6)
    assert dataclasses.asdict(MEMBERS["unet_residual"]) == before


def test_a_change_that_is_no_argument_is_refused():
    with pytest.raises(TypeError, match="widths"):
        MEMBERS["resnet18"].make(widths=0.5)
