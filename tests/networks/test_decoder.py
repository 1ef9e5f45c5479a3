import pytest
import torch
from torch import nn

from networks.branch_extras import StochasticDepth
from networks.decoder import Decoder, DecoderPlan, plan_beside
from networks.layers import ConvUnit, Style
from networks.residual import ResidualOptions, ResidualUnit

STYLE = Style(2, "batch", activation="relu")
ONE, TWO = (1, 1), (2, 2)
OPTIONS = ResidualOptions(shortcut="projection")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def decoder_of(channels, steps, skip="concat", widths=(4, 8), unit="plain", units=1, options=OPTIONS) -> Decoder:
    plan = plan_beside(steps, widths, unit, units, options, skip)
    return Decoder(STYLE, plan, channels, steps)


def pyramid(channels, lengths) -> list[torch.Tensor]:
    return [torch.rand(2, width, length, length) for width, length in zip(channels, lengths, strict=True)]


def test_features_of_each_level_are_raised_and_concatenated():
    decoder = decoder_of((6, 10, 12), (ONE, TWO, TWO))
    assert decoder.strides == (ONE, TWO)
    assert [(up.in_channels, up.out_channels, up.stride) for up in decoder.up] == [(8, 4, TWO), (12, 8, TWO)]
    assert [level[0][0].in_channels for level in decoder.levels] == [4 + 6, 8 + 10]
    fine, coarse = decoder(pyramid((6, 10, 12), (16, 8, 4)), heads=2)
    assert (fine.shape, coarse.shape) == ((2, 4, 16, 16), (2, 8, 8, 8))


@pytest.mark.parametrize("heads", [1, 2])
def test_as_many_levels_are_given_as_are_asked_for(heads):
    decoder = decoder_of((6, 10, 12), (ONE, TWO, TWO)).eval()
    features = pyramid((6, 10, 12), (16, 8, 4))
    outputs = decoder(features, heads)
    assert len(outputs) == heads
    assert torch.equal(outputs[0], decoder(features, 2)[0])


def test_an_added_skip_is_fitted_where_channels_differ():
    decoder = decoder_of((6, 8, 12), (ONE, TWO, TWO), skip="add")
    assert isinstance(decoder.fit[0], nn.Conv2d)
    assert (decoder.fit[0].in_channels, decoder.fit[0].out_channels, decoder.fit[0].kernel_size) == (6, 4, ONE)
    assert isinstance(decoder.fit[1], nn.Identity)
    assert [level[0][0].in_channels for level in decoder.levels] == [4, 8]
    output = decoder(pyramid((6, 8, 12), (16, 8, 4)), heads=1)[0]
    (output * torch.randn_like(output)).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in decoder.parameters())


def test_an_added_skip_is_the_sum():
    decoder = decoder_of((4, 6), (ONE, TWO), skip="add", widths=(4,)).eval()
    fine, coarse = pyramid((4, 6), (8, 4))
    expected = decoder.levels[0](decoder.up[0](coarse) + fine)
    torch.testing.assert_close(decoder([fine, coarse], heads=1)[0], expected)


@pytest.mark.parametrize("skip", ["add", "concat"])
def test_the_image_s_own_level_has_nothing_to_join(skip):
    decoder = decoder_of((6, 10), (TWO, TWO), skip=skip)
    assert decoder.strides == (ONE, TWO)
    assert decoder.levels[0][0][0].in_channels == 4
    assert isinstance(decoder.fit[0], nn.Identity)
    fine, coarse = decoder(pyramid((6, 10), (8, 4)), heads=2)
    assert (fine.shape, coarse.shape) == ((2, 4, 16, 16), (2, 8, 8, 8))


@pytest.mark.parametrize("skip", ["add", "concat"])
@pytest.mark.parametrize("preactivation", [True, False])
def test_the_encoder_s_features_are_left_as_they_are(skip, preactivation):
    options = ResidualOptions(shortcut="projection", preactivation=preactivation)
    decoder = decoder_of((4, 8, 12), (ONE, TWO, TWO), skip=skip, unit="basic", options=options)
    features = pyramid((4, 8, 12), (16, 8, 4))
    before = [one.clone() for one in features]
    decoder(features, heads=2)
    assert all(torch.equal(one, other) for one, other in zip(features, before, strict=True))


def test_a_level_of_preactivated_units_ends_normalised_and_activated():
    options = ResidualOptions(shortcut="projection", preactivation=True)
    level = decoder_of((4, 6), (ONE, TWO), widths=(4,), unit="basic", units=2, options=options).levels[0]
    assert [type(layer) for layer in level] == [ResidualUnit, ResidualUnit, nn.BatchNorm2d, nn.ReLU]


def test_every_unit_survives_with_the_probability_of_the_last():
    options = ResidualOptions(shortcut="projection", survival=0.7)
    decoder = decoder_of((4, 6), (ONE, TWO), widths=(4,), unit="basic", units=2, options=options)
    assert [m.survival for m in decoder.modules() if isinstance(m, StochasticDepth)] == [0.7, 0.7]


def test_a_plan_beside_an_encoder_repeats_the_last_entries():
    plan = plan_beside(((2, 2),) * 4, (16, 32), ["plain", "basic"], [1, 2], OPTIONS, "concat")
    assert plan.widths == (16, 32, 32, 32)
    assert plan.kernels == ((3, 3),) * 4
    assert plan.units == (("plain",), ("basic", "basic"), ("basic", "basic"), ("basic", "basic"))


def test_a_plan_beside_an_encoder_takes_as_many_entries_as_it_has_levels():
    plan = plan_beside(((1, 1, 1), (2, 2, 2)), (16, 32, 64), "basic", 2, OPTIONS, "add")
    assert plan == DecoderPlan((16,), ((3, 3, 3),), (("basic", "basic"),), OPTIONS, "add")


def test_steps_may_differ_by_axis():
    decoder = decoder_of((4, 6, 8), (ONE, (2, 1), (1, 3)))
    assert decoder.strides == (ONE, (2, 1))
    features = [torch.rand(1, 4, 8, 6), torch.rand(1, 6, 4, 6), torch.rand(1, 8, 4, 2)]
    assert decoder(features, heads=1)[0].shape == (1, 4, 8, 6)


def test_the_units_are_those_of_the_plan():
    decoder = decoder_of((4, 6, 8), (ONE, TWO, TWO), unit=["plain", "basic"], units=[2, 1])
    assert [[type(unit) for unit in level] for level in decoder.levels] == [[ConvUnit, ConvUnit], [ResidualUnit]]


def test_an_unknown_way_of_joining_is_refused():
    with pytest.raises(ValueError, match="skip: expected concat or add, found 'multiply'"):
        decoder_of((4, 6), (ONE, TWO), skip="multiply")
