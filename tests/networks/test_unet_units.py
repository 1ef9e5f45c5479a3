import pytest
import torch
from torch import nn

from networks import UNet
from networks.branch_extras import SqueezeExcitation, StochasticDepth
from networks.highway import HighwayUnit
from networks.layers import ConvUnit, InstanceNorm, MeanPool
from networks.residual import ResidualOptions, ResidualUnit

SMALL = {"channels": [4, 8, 8]}
CLEAN = ResidualOptions(preactivation=True)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def kinds_of(levels: nn.ModuleList) -> list[list[type[nn.Module]]]:
    units = (ConvUnit, ResidualUnit, HighwayUnit)
    return [[type(layer) for layer in level if isinstance(layer, units)] for level in levels]


def test_units_may_differ_by_level():
    network = UNet(
        1, 2, unit=["plain", "basic", "highway"], units_per_level=[1, 2, 1], decoder_unit=["basic", "plain"], **SMALL
    )
    assert kinds_of(network.encoder.levels) == [[ConvUnit], [ResidualUnit] * 2, [HighwayUnit]]
    assert kinds_of(network.decoder.levels) == [[ResidualUnit], [ConvUnit] * 2]


def test_the_decoder_is_as_the_encoder_where_nothing_else_is_said():
    network = UNet(1, 2, unit="basic", units_per_level=[1, 2, 3], **SMALL)
    assert kinds_of(network.decoder.levels) == [[ResidualUnit], [ResidualUnit] * 2]


def test_a_stem_is_one_plain_unit_more():
    network = UNet(1, 2, unit="basic", units_per_level=1, stem="convolution", **SMALL)
    assert kinds_of(network.encoder.levels) == [[ConvUnit, ResidualUnit], [ResidualUnit], [ResidualUnit]]
    assert isinstance(network.encoder.levels[0][1].shortcut, nn.Identity)


def test_shortcuts_are_pooled_where_nothing_else_is_said():
    shortcuts = {
        kind: UNet(1, 2, unit="basic", residual=ResidualOptions(shortcut=kind), **SMALL).encoder.levels[1][0].shortcut
        for kind in (None, "projection")
    }
    assert isinstance(shortcuts[None][0], MeanPool)
    assert isinstance(shortcuts["projection"][0], nn.Conv3d)


def test_with_preactivation_all_skips_are_activated_and_the_first_unit_begins_with_its_convolution():
    network = UNet(1, 2, unit="basic", units_per_level=1, residual=CLEAN, activation="relu", **SMALL)
    assert [len(level[0].opening) for level in network.encoder.levels] == [0, 2, 2]
    features = network.encoder(torch.randn(1, 1, 8, 8, 8))
    assert all(one.min() == 0 for one in features)


@pytest.mark.parametrize("after", ["plain", "highway"])
def test_behind_a_preactivated_level_others_read_what_is_normalised_and_activated(after):
    network = UNet(1, 2, channels=[4, 4], unit=["basic", after], residual=CLEAN, activation="relu")
    first, second = network.encoder.levels
    assert [type(layer) for layer in first[-3:]] == [ResidualUnit, InstanceNorm, nn.ReLU]
    assert [len(tail) for tail in network.encoder.tails] == [0, 0]
    seen = []
    second[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    fine, coarse = network.encoder(torch.randn(1, 1, 8, 8, 8))
    assert seen[0].min() == 0
    assert torch.equal(seen[0], fine)
    (fine * torch.randn_like(fine)).sum().add((coarse * torch.randn_like(coarse)).sum()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.encoder.parameters())


def test_levels_of_preactivated_units_hand_on_what_is_not_activated_yet():
    network = UNet(1, 2, channels=[4, 4, 4], unit=["basic", "bottleneck", "plain"], residual=CLEAN)
    assert [type(level[-1]) for level in network.encoder.levels] == [ResidualUnit, nn.LeakyReLU, ConvUnit]
    assert [len(tail) for tail in network.encoder.tails] == [2, 0, 0]


def test_the_first_unit_behind_a_stem_begins_with_its_convolution_too():
    network = UNet(1, 2, unit="basic", units_per_level=2, stem="convolution", residual=CLEAN, **SMALL)
    openings = [[len(u.opening) for u in level if isinstance(u, ResidualUnit)] for level in network.encoder.levels]
    assert openings == [[0, 2], [2, 2], [2, 2]]


def test_added_skips_make_a_lighter_decoder():
    counts = [
        sum(p.numel() for p in UNet(1, 2, skip=skip, **SMALL).decoder.levels.parameters()) for skip in ("concat", "add")
    ]
    # The first convolution of each level reads half as many channels.
    assert counts[0] - counts[1] == 27 * (4 * 4 + 8 * 8)


def test_survival_falls_over_the_encoder_s_residual_units_and_stays_there_in_the_decoder():
    network = UNet(
        1,
        2,
        unit=["plain", "basic", "basic"],
        units_per_level=[2, 1, 1],
        residual=ResidualOptions(survival=0.5),
        **SMALL,
    )
    found = [
        [module.survival for module in part.modules() if isinstance(module, StochasticDepth)]
        for part in (network.encoder, network.decoder)
    ]
    assert found == [[0.75, 0.5], [0.5]]


ENCODERS = ["resnet18", "resnext50_32x4d", "preresnet18", "densenet121", "cifar_resnet8", "cifar_highway8"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_of_the_literature_gives_logits_of_the_image_s_size(encoder):
    network = UNet(3, 2, spatial_dims=2, encoder=encoder, encoder_width=0.0625, deep_supervision=True, channels=[2, 4])
    cifar = encoder.startswith("cifar")
    assert network.total_stride == ((4, 4) if cifar else (32, 32))
    sizes = [(37, 21), (19, 11), (10, 6), (5, 3), (3, 2)][: 2 if cifar else 5]
    outputs = network(torch.randn(2, 3, 37, 21))
    assert [tuple(output.shape) for output in outputs] == [(2, 2, *size) for size in sizes]
    assert network.eval()(torch.randn(2, 3, 37, 21)).shape == (2, 2, 37, 21)


def test_an_encoder_in_3d():
    network = UNet(1, 2, encoder="densenet121", encoder_width=0.0625, channels=[2, 4]).eval()
    assert network(torch.randn(1, 1, 9, 33, 5)).shape == (1, 2, 9, 33, 5)


@pytest.mark.parametrize(
    "options", [{"encoder": "densenet121"}, {"encoder": "resnet18", "residual": ResidualOptions(shortcut="pooled")}]
)
def test_an_encoder_of_the_literature_takes_a_volume_of_16_voxels(options):
    network = UNet(1, 2, encoder_width=0.0625, channels=[2, 4], **options).eval()
    assert network(torch.randn(1, 1, 16, 16, 16)).shape == (1, 2, 16, 16, 16)


@pytest.mark.parametrize("encoder", ["densenet121", "cifar_plain8", "cifar_highway8"])
def test_options_go_to_the_decoder_where_the_encoder_has_no_residual_units(encoder):
    network = UNet(
        1,
        2,
        spatial_dims=2,
        encoder=encoder,
        encoder_width=0.125,
        channels=[4],
        unit="basic",
        residual=ResidualOptions(squeeze_excitation=2),
    )
    gates = [
        sum(isinstance(module, SqueezeExcitation) for module in part.modules())
        for part in (network.encoder, network.decoder)
    ]
    assert gates == [0, 2 * len(network.decoder.levels)]


def test_options_go_to_the_encoder_where_the_decoder_has_no_residual_units():
    network = UNet(
        1, 2, spatial_dims=2, encoder="cifar_resnet8", channels=[4], residual=ResidualOptions(squeeze_excitation=2)
    )
    gates = [
        sum(isinstance(module, SqueezeExcitation) for module in part.modules())
        for part in (network.encoder, network.decoder)
    ]
    assert gates == [3, 0]


def test_an_encoder_keeps_its_own_units_and_the_others_are_the_decoder_s():
    network = UNet(
        1, 2, spatial_dims=2, encoder="cifar_resnet8", channels=[4, 8], unit=["basic", "plain"], units_per_level=[2, 1]
    )
    assert network.encoder.channels == (16, 32, 64)
    assert kinds_of(network.decoder.levels) == [[ResidualUnit] * 2, [ConvUnit]]
    other = UNet(1, 2, spatial_dims=2, encoder="cifar_resnet8", decoder_unit="highway", decoder_units_per_level=1)
    assert kinds_of(other.decoder.levels) == [[HighwayUnit]] * 2
    assert [head.in_channels for head in other.heads] == [16]


def test_an_encoder_may_have_another_stem():
    network = UNet(1, 2, spatial_dims=2, encoder="resnet18", encoder_width=0.0625, stem="convolution", channels=[2, 4])
    assert network.total_stride == (8, 8)
    assert network(torch.rand(2, 1, 9, 17)).shape == (2, 2, 9, 17)
