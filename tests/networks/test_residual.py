import itertools

import pytest
import torch
from torch import nn

from networks.branch_extras import BranchScale, SqueezeExcitation, StochasticDepth
from networks.convolution import Conv2d
from networks.init import initialize
from networks.layers import InstanceNorm, MeanPool, Style
from networks.residual import ResidualOptions, ResidualUnit, Shape
from networks.shortcuts import PadShortcut
from networks.sizes import centre_crop

STYLE = Style(2, "batch", activation="relu")
NORMS = ("instance", "batch", "group", "none")
CONV, NORM, ACT = Conv2d, nn.BatchNorm2d, nn.ReLU
VARIED = {
    "preactivation": (False, True),
    "shortcut": ("pad", "projection", "projection_everywhere", "pooled"),
    "branch_scale": (None, 0.5),
    "branch_norm": ("none", "group"),
    "fusion": ("add", "concat"),
    "squeeze_excitation": (0, 2),
    "survival": (1.0, 0.9),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def unit_of(
    in_channels: int = 4, out_channels: int = 4, stride: int = 1, style: Style = STYLE, **options
) -> ResidualUnit:
    own = {name: options.pop(name) for name in ("width", "groups", "activated") if name in options}
    own["survival"] = options.pop("survival_here", 1.0)
    dims = style.spatial_dims
    shape = Shape(in_channels, out_channels, (3,) * dims, (stride,) * dims)
    return ResidualUnit(style, ResidualOptions(**options), shape, **own)


def types(layers: nn.Module) -> list[type[nn.Module]]:
    return [type(layer) for layer in layers]


def by_hand(unit: ResidualUnit, features: torch.Tensor) -> torch.Tensor:
    """The unit's equation, on copies of its input."""
    opened = unit.opening(features.clone())
    branch = unit.ending(unit.branch(opened.clone()))
    carried = centre_crop(unit.shortcut((opened if unit.shares_opening else features).clone()), branch.shape[2:])
    joined = branch + carried if unit.fusion is None else unit.fusion(torch.cat((branch, carried), 1))
    return unit.activation(joined)


@pytest.mark.parametrize(
    ("width", "preactivation", "opening", "branch", "activation"),
    [
        (None, False, [], [CONV, NORM, ACT, CONV, NORM], ACT),
        (None, True, [NORM, ACT], [CONV, NORM, ACT, CONV], nn.Identity),
        (2, False, [], [CONV, NORM, ACT, CONV, NORM, ACT, CONV, NORM], ACT),
        (2, True, [NORM, ACT], [CONV, NORM, ACT, CONV, NORM, ACT, CONV], nn.Identity),
    ],
)
def test_the_order_of_layers_is_that_of_the_papers(width, preactivation, opening, branch, activation):
    unit = unit_of(width=width, preactivation=preactivation)
    assert types(unit.opening) == opening
    assert types(unit.branch) == branch
    assert type(unit.activation) is activation
    assert types(unit.ending) == []


def test_a_branch_without_norm_is_convolutions_and_activations():
    style = Style(2, "none", activation="relu")
    assert types(unit_of(style=style).branch) == [CONV, nn.Identity, ACT, CONV]
    assert all(layer.bias is not None for layer in unit_of(style=style).branch if isinstance(layer, CONV))


def test_dropout_stands_behind_the_branch_s_convolutions_and_not_on_the_shortcut():
    unit = unit_of(4, 8, style=Style(2, "batch", activation="relu", dropout=0.1))
    assert types(unit.branch) == [CONV, nn.Dropout2d, NORM, ACT, CONV, nn.Dropout2d, NORM]
    assert types(unit.shortcut) == [CONV, NORM]


def test_a_basic_branch_has_two_wide_convolutions_of_which_the_first_steps():
    first, second = (layer for layer in unit_of(4, 8, 2).branch if isinstance(layer, CONV))
    assert (first.in_channels, first.out_channels, first.kernel_size, first.stride) == (4, 8, (3, 3), (2, 2))
    assert (second.in_channels, second.out_channels, second.kernel_size, second.stride) == (8, 8, (3, 3), (1, 1))


@pytest.mark.parametrize(("limit", "groups"), [(1, 1), (4, 2), (32, 2)])  # the greatest common divisor with 6
def test_the_middle_of_three_convolutions_is_wide_grouped_and_steps(limit, groups):
    reduce, middle, expand = (
        layer for layer in unit_of(4, 8, 2, width=6, groups=limit).branch if isinstance(layer, CONV)
    )
    assert (reduce.kernel_size, reduce.stride, reduce.out_channels) == ((1, 1), (1, 1), 6)
    assert (middle.kernel_size, middle.stride, middle.out_channels) == ((3, 3), (2, 2), 6)
    assert middle.groups == groups
    assert (expand.kernel_size, expand.stride, expand.out_channels, expand.groups) == ((1, 1), (1, 1), 8, 1)


@pytest.mark.parametrize("preactivation", [False, True])
def test_a_branch_norm_stands_in_place_of_the_last_norm(preactivation):
    unit = unit_of(preactivation=preactivation, branch_norm="instance")
    assert type(unit.branch[-1]) is InstanceNorm
    assert type(unit.branch[-2]) is CONV
    assert types(unit.branch).count(NORM) == 1


def test_the_branch_ends_with_gate_scale_and_stochastic_depth_in_that_order():
    unit = unit_of(squeeze_excitation=2, branch_scale=0.5, survival_here=0.9)
    assert types(unit.ending) == [SqueezeExcitation, BranchScale, StochasticDepth]
    assert unit.ending[0].gate[0].out_channels == 2
    assert unit.ending[1].scale.item() == 0.5
    assert unit.ending[2].survival == 0.9


@pytest.mark.parametrize("preactivation", [False, True])
def test_a_scale_of_zero_leaves_the_shortcut(preactivation):
    unit = unit_of(preactivation=preactivation, branch_scale=0.0)
    image = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(unit(image), image if preactivation else image.relu())


def test_concatenation_is_mixed_by_one_convolution():
    unit = unit_of(fusion="concat")
    assert (unit.fusion.in_channels, unit.fusion.out_channels, unit.fusion.kernel_size) == (8, 4, (1, 1))
    nn.init.dirac_(unit.fusion.weight)  # passes the branch, which comes first
    nn.init.zeros_(unit.fusion.bias)
    image = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(unit(image), unit.branch(image).relu())


@pytest.mark.parametrize("width", [None, 2])
@pytest.mark.parametrize("norm", NORMS)
def test_with_preactivation_the_identity_path_is_the_identity_at_zero_weights(width, norm):
    unit = unit_of(style=Style(2, norm, norm_groups=2), width=width, preactivation=True)
    for layer in unit.branch:
        if isinstance(layer, CONV):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    image = torch.randn(2, 4, 5, 5)
    assert torch.equal(unit(image), image)


def test_with_preactivation_a_projection_reads_the_first_activation_and_a_clean_path_does_not():
    shapes = ((4, 1), (4, 2), (8, 1), (8, 2))  # channels out and step, of 4 channels in
    shared = {
        kind: [unit_of(4, *shape, preactivation=True, shortcut=kind).shares_opening for shape in shapes]
        for kind in ("pad", "projection", "projection_everywhere", "pooled")
    }
    assert shared == {
        "pad": [False, False, False, False],
        "projection": [False, True, True, True],
        "projection_everywhere": [True, True, True, True],
        "pooled": [False, False, True, True],
    }
    projecting = unit_of(4, 8, preactivation=True, branch_scale=0.0)
    image = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(projecting(image), projecting.shortcut(projecting.opening(image)))
    padding = unit_of(4, 8, preactivation=True, shortcut="pad", branch_scale=0.0)
    assert isinstance(padding.shortcut, PadShortcut)
    torch.testing.assert_close(padding(image)[:, :4], image)
    pooling = unit_of(4, 4, 2, preactivation=True, shortcut="pooled", branch_scale=0.0)
    torch.testing.assert_close(pooling(image), MeanPool((2, 2))(image))


def test_what_is_activated_already_is_not_activated_again():
    assert types(unit_of(preactivation=True, activated=True).opening) == []
    assert types(unit_of(activated=True).opening) == []


@pytest.mark.parametrize(
    "style", [Style(2, "batch"), Style(2, "none"), Style(3, "instance"), Style(3, "none")], ids=str
)
def test_all_combinations_of_options_are_finite_trainable_and_equal_to_their_equation(style):
    dims = style.spatial_dims
    style = Style(dims, style.norm, norm_groups=2)
    for number, values in enumerate(itertools.product(*VARIED.values())):
        options = dict(zip(VARIED, values, strict=True))
        survival = options["survival"]
        extras = {"width": (None, 4)[number % 2], "groups": 2, "survival_here": survival}
        units = nn.Sequential(
            unit_of(2, 4, 2, style=style, **extras, **options), unit_of(4, 4, 1, style=style, **extras, **options)
        )
        image = torch.randn(4, 2, *(5, 4, 3)[:dims])
        before = image.clone()
        output = units(image)
        assert output.shape == (4, 4, *(3, 2, 2)[:dims]), options
        assert torch.equal(image, before), options
        (output * torch.randn_like(output)).sum().backward()
        # A norm over a channel of few voxels takes the bias before it away, so that its gradient is rounding alone.
        cancelled = style.norm == "none" and options["branch_norm"] == "group"
        for name, parameter in units.named_parameters():
            assert parameter.grad is not None, (name, options)
            assert parameter.grad.isfinite().all(), (name, options)
            assert parameter.grad.abs().max() > 0 or (cancelled and name.endswith("bias")), (name, options)
        units.eval()
        with torch.no_grad():
            torch.testing.assert_close(units(image), by_hand(units[1], by_hand(units[0], image)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("preactivation", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_an_input_that_the_shortcut_also_reads_is_not_changed(norm, preactivation, training):
    style = Style(2, norm, norm_groups=2, activation="relu")
    for channels, activated, kind in itertools.product((4, 8), (False, True), ("pad", "projection", "pooled")):
        unit = unit_of(4, channels, style=style, preactivation=preactivation, activated=activated, shortcut=kind)
        unit.train(training)
        image = torch.randn(2, 4, 4, 4)
        before = image.clone()
        output = unit(image)
        assert torch.equal(image, before)
        torch.testing.assert_close(output, by_hand(unit, image))


@pytest.mark.parametrize("preactivation", [True, False])
@pytest.mark.parametrize("branch_norm", ["none", "group"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_silenced_unit_is_its_shortcut(norm, branch_norm, preactivation):
    style = Style(2, norm, norm_groups=2, activation="relu", dropout=0.2)
    for stride in (1, 2):
        unit = unit_of(4, 4, stride, style=style, preactivation=preactivation, branch_norm=branch_norm)
        initialize(unit)
        unit.silence()
        image = torch.randn(2, 4, 4, 4)
        carried = unit.shortcut(unit.opening(image) if unit.shares_opening else image)
        torch.testing.assert_close(unit(image), carried if preactivation else carried.relu())


def test_silence_zeroes_the_last_norm_or_the_last_convolution():
    unit = unit_of()
    unit.silence()
    assert unit.branch[-1].weight.abs().max() == 0
    assert unit.branch[-2].weight.abs().max() > 0
    clean = unit_of(preactivation=True)
    clean.silence()
    assert clean.branch[-1].weight.abs().max() == 0
    assert clean.branch[1].weight.min() == 1


def test_silence_leaves_a_branch_that_is_scaled_to_zero_alive():
    unit = unit_of(branch_scale=0.0)
    unit.silence()
    unit(torch.rand(2, 4, 5, 5)).square().sum().backward()
    assert unit.ending[0].scale.grad.abs().item() > 0


@pytest.mark.parametrize(("width", "lost"), [(None, 4), (2, 2)])
def test_an_unpadded_unit_crops_its_shortcut(width, lost):
    unit, image = unit_of(style=Style(2, "batch", padding="valid"), width=width), torch.randn(2, 4, 10, 12)
    assert unit(image).shape == (2, 4, 10 - lost, 12 - lost)
    torch.testing.assert_close(unit(image), by_hand(unit, image))


@pytest.mark.parametrize("options", [{}, {"branch_scale": 0.5}, {"squeeze_excitation": 2}, {"fusion": "concat"}])
@pytest.mark.parametrize("preactivation", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_features_stay_in_the_precision_of_autocast(norm, preactivation, options):
    unit = unit_of(style=Style(2, norm, norm_groups=2), preactivation=preactivation, **options, survival_here=0.9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = unit(torch.rand(2, 4, 5, 5).bfloat16())
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in unit.parameters())


@pytest.mark.parametrize("preactivation", [True, False])
def test_stochastic_depth_is_the_expectation_of_the_branch(preactivation):
    unit = unit_of(preactivation=preactivation, survival_here=0.5, style=Style(2, "none"))
    image = torch.rand(1, 4, 3, 3)
    with torch.no_grad():
        branch = unit.eval().branch(unit.opening(image))
        expected = 0.5 * branch + image
        torch.testing.assert_close(unit(image), expected if preactivation else unit.activation(expected))
        both = {tuple(unit.train()(image).flatten().tolist()) for _ in range(20)}
    assert len(both) == 2  # with its branch and without


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shortcut": "identity"}, r"residual\.shortcut: expected pad, .* or null, found 'identity'"),
        ({"branch_norm": "layer"}, r"residual\.branch_norm: expected instance, batch, group, none, found 'layer'"),
        ({"fusion": "multiply"}, r"residual\.fusion: expected add or concat, found 'multiply'"),
        ({"squeeze_excitation": -1}, r"residual\.squeeze_excitation: expected 0 or more, found -1"),
        ({"survival": 0.0}, r"residual\.survival: expected a probability above 0, found 0\.0"),
        ({"survival": 1.5}, r"residual\.survival"),
        ({"survival": float("nan")}, r"residual\.survival"),
        ({"survival_form": "cosine"}, r"residual\.survival_form: expected linear or uniform, found 'cosine'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualOptions(**options)
