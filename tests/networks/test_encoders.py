import math

import pytest
import torch
from torch import nn

from networks.branch_extras import BranchScale, SqueezeExcitation
from networks.encoders import ENCODERS, find_encoder, has_residual_units, make_encoder
from networks.layers import Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.shortcuts import PadShortcut

STYLE = Style(2, "batch", activation="relu")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def on_meta(name: str, style: Style = STYLE, in_channels: int = 3, **options):
    with torch.device("meta"):
        return make_encoder(name, style, in_channels, **options)


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "preresnet50", "densenet121", "cifar_highway20"])
@pytest.mark.parametrize("dims", [2, 3])
def test_features_have_the_announced_channels_and_strides_at_odd_sizes(name, dims):
    encoder = on_meta(name, Style(dims, "batch"), width=0.25)
    size = (65, 38, 97)[:dims]
    with torch.device("meta"):
        features = encoder(torch.zeros(1, 3, *size))
    strides = [math.prod(step[0] for step in encoder.steps[: level + 1]) for level in range(len(encoder.steps))]
    expected = [
        (1, channels, *[-(-length // stride) for length in size])
        for channels, stride in zip(encoder.channels, strides, strict=True)
    ]
    assert [tuple(one.shape) for one in features] == expected


@pytest.mark.parametrize("name", list(ENCODERS))
def test_every_encoder_announces_strides_of_two_and_five_levels_or_three(name):
    encoder = on_meta(name)
    cifar = name.startswith("cifar")
    assert encoder.steps == (((1, 1), (2, 2), (2, 2)) if cifar else ((2, 2),) * 5)
    assert len(encoder.channels) == len(encoder.steps)
    assert encoder.channels[:1] == ((16,) if cifar else (64,))
    assert all(getattr(ENCODERS[name], text) for text in ("paper", "switches"))


def test_an_unknown_name_names_the_nearest_and_all():
    with pytest.raises(ValueError, match=r"encoder: 'resnet51' is unknown, the nearest is resnet50; .*densenet201"):
        find_encoder("resnet51")
    with pytest.raises(ValueError, match="the nearest is densenet121"):
        find_encoder("densnet121")
    with pytest.raises(ValueError, match="encoder: '' is unknown"):
        find_encoder("")


def test_cifar_families_have_any_depth():
    assert find_encoder("cifar_resnet32").plan.units == (5, 5, 5)
    assert find_encoder("cifar_plain32").plan.units == (10, 10, 10)
    assert find_encoder("cifar_highway8").plan.units == (2, 2, 2)
    assert find_encoder("cifar_resnet20") == ENCODERS["cifar_resnet20"]
    with pytest.raises(ValueError, match=r"found 33; the nearest are \[32, 38\]"):
        find_encoder("cifar_resnet33")
    with pytest.raises(ValueError, match="unknown"):
        find_encoder("cifar_dense32")


def test_cifar_resnets_have_padded_shortcuts_and_the_others_projections():
    padded = [module for module in on_meta("cifar_resnet20").modules() if isinstance(module, PadShortcut)]
    assert [shortcut.added for shortcut in padded] == [16, 32]
    assert not any(isinstance(module, PadShortcut) for module in on_meta("resnet18").modules())


def test_the_network_of_200_layers_has_preactivation():
    unit = find_encoder("resnet200").plan.unit
    assert unit.options.preactivation
    assert (unit.kind, find_encoder("resnet200").plan.units) == ("bottleneck", (3, 24, 36, 3))


def test_what_is_chosen_goes_on_top_of_a_member_s_own_order_and_shortcut():
    options = ResidualOptions(squeeze_excitation=4, branch_scale=0.1)
    encoder = on_meta("cifar_resnet8", options=options)
    assert sum(isinstance(module, SqueezeExcitation) for module in encoder.modules()) == 3
    assert sum(isinstance(module, BranchScale) for module in encoder.modules()) == 3
    assert sum(isinstance(module, PadShortcut) for module in encoder.modules()) == 2
    assert not any(isinstance(module, PadShortcut) for module in encoder.levels[0].modules())
    units = [module for module in on_meta("preresnet18", options=options).modules() if isinstance(module, ResidualUnit)]
    assert len(units) == 8
    assert all(isinstance(unit.activation, nn.Identity) and len(unit.ending) == 2 for unit in units)


def test_a_shortcut_may_be_chosen():
    encoder = on_meta("cifar_resnet8", options=ResidualOptions(shortcut="projection_everywhere"))
    units = [module for module in encoder.modules() if isinstance(module, ResidualUnit)]
    assert all(isinstance(unit.shortcut[0], nn.Conv2d) for unit in units)


def test_another_order_than_the_member_s_is_refused_with_the_member_that_has_it():
    with pytest.raises(ValueError, match=r"residual\.preactivation: .* resnet50 has the original order; .* preresnet"):
        make_encoder("resnet50", STYLE, 3, options=ResidualOptions(preactivation=True))


@pytest.mark.parametrize("name", ["densenet121", "cifar_plain20", "cifar_highway20"])
def test_options_are_refused_where_there_are_no_residual_units(name):
    with pytest.raises(ValueError, match=f"residual: expected nothing here, as {name} has no residual units"):
        make_encoder(name, STYLE, 3, options=ResidualOptions(branch_scale=0.0))


def test_residual_units_are_announced():
    found = {name for name in ENCODERS if has_residual_units(name)}
    with_units = {
        name for name in ENCODERS if any(isinstance(module, ResidualUnit) for module in on_meta(name).modules())
    }
    assert found == with_units
    assert {"resnet50", "preresnet18", "resnext50_32x4d", "cifar_resnet20"} <= found
    assert not {"densenet121", "cifar_plain20", "cifar_highway20"} & found
    with pytest.raises(ValueError, match="encoder: 'resnet51' is unknown"):
        has_residual_units("resnet51")


def test_a_width_multiplies_all_channels():
    assert on_meta("resnet50", width=0.25).channels == (16, 64, 128, 256, 512)
    assert on_meta("resnet18", width=0.5).channels == (32, 32, 64, 128, 256)
    assert on_meta("cifar_resnet20", width=2.0).channels == (32, 64, 128)
    # Of DenseNet the growth and the stem, from which the others follow.
    assert on_meta("densenet121", width=0.5).channels == (32, 128, 256, 512, 512)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_a_width_that_is_no_factor_is_refused(width):
    with pytest.raises(ValueError, match="width of the encoder: expected a factor above 0"):
        make_encoder("resnet18", STYLE, 3, width=width)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_a_stem_of_one_convolution_gives_a_pyramid_from_full_resolution(name):
    encoder = on_meta(name, width=0.25, stem="convolution")
    assert encoder.steps == ((1, 1), (2, 2), (2, 2), (2, 2))
    with torch.device("meta"):
        features = encoder(torch.zeros(1, 3, 17, 24))
    assert [tuple(one.shape[2:]) for one in features] == [(17, 24), (9, 12), (5, 6), (3, 3)]


def test_a_cifar_network_may_have_the_stem_of_imagenet():
    assert on_meta("cifar_resnet8", stem="imagenet").steps == ((2, 2),) * 4


@pytest.mark.parametrize("in_channels", [1, 2, 7])
def test_images_may_have_any_number_of_channels(in_channels):
    encoder = on_meta("resnet18", in_channels=in_channels)
    assert encoder.levels[0][0][0].in_channels == in_channels


def test_without_a_pyramid_only_the_coarsest_features_have_a_tail():
    assert [len(tail) for tail in on_meta("preresnet18", pyramid=False).tails] == [0, 0, 0, 0, 2]
    assert [len(tail) for tail in on_meta("preresnet18").tails] == [0, 2, 2, 2, 2]
