"""Stacked hourglass: heatmaps of landmarks, refined from stack to stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from networks.base import Network
from networks.branch_extras import survivals
from networks.hourglass_stack import HourglassStack
from networks.init import Init, initialize
from networks.layers import CHANNELS_LAST, MAX_POOL, Activation, ConvUnit, Norm, Style, make_convolution
from networks.residual import ResidualOptions
from networks.sizes import check_axes
from networks.units import Unit, UnitPlan, make_unit

MakeUnits = Callable[[int, int, int], nn.Sequential]
STEP = 4  # from the image to its heatmaps


class Hourglass(Network):
    """A stem to a quarter of the image's size, and hourglasses in a row, each with heatmaps of its own.

    Every stack's heatmaps are returned, first to last, in training and in evaluation: each has its loss, and the
    last is the answer. Between two stacks features and heatmaps are mapped back and added; behind the last there is
    nothing to add to, so that a gradient comes to every parameter.

    The counts of the literature (3.59, 6.73, 13.02, 25.59 M parameters for 1, 2, 4, 8 stacks and 16 joints) are those
    of convolutions with biases, also where batch norm cancels them, and of a stem whose second unit widens to all
    features. Projections read the unit's input as it is.

    Source: Newell et al. 2016, Stacked Hourglass Networks, sections 3.1 to 3.3 and figure 4.

    Args:
        in_channels: Channels of the image.
        out_channels: Heatmaps per stack, one per landmark.
        stacks: Number of hourglasses.
        features: Channels throughout, a multiple of 4: the stem has a quarter, then half of them.
        depth: Poolings of each hourglass.
        units_per_position: Units in a row at each place of an hourglass and behind it.
        unit: Kind of all units; in the paper a bottleneck with pre-activation.
        inner: Width of a bottleneck's or ResNeXt's inner convolution as a part of its output; half in the paper.
        spatial_dims: 2 for [B, C, X, Y], 3 for [B, C, X, Y, Z].
        norm: Normalisation beside each convolution; `batch` in the paper.
        norm_groups: Groups of the group norm; must divide a quarter of the features.
        activation: Non-linearity; `relu` in the paper.
        dropout: Probability with which a whole channel is dropped behind each convolution of a branch.
        residual: Order, shortcut and extras of residual units; survival falls over all units of the network.
        init: Initial weights; `_zero` starts every residual branch at zero.

    Raises:
        ValueError: If an argument does not fit; names it and what was expected.
    """

    answers = "heatmaps"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stacks: int = 2,
        features: int = 256,
        depth: int = 4,
        units_per_position: int = 1,
        unit: Unit = "bottleneck",
        inner: float = 0.5,
        spatial_dims: int = 2,
        norm: Norm = "batch",
        norm_groups: int = 8,
        activation: Activation = "relu",
        dropout: float = 0.0,
        residual: ResidualOptions = ResidualOptions(preactivation=True),  # noqa: B008 -- frozen
        init: Init = "he",
    ) -> None:
        super().__init__()
        _check(stacks, features, depth, units_per_position, inner)
        style = Style(spatial_dims, norm, norm_groups, activation, dropout=dropout, bias=True)
        plan = UnitPlan(unit, _fitting(unit, residual), inner=inner, raw_projection=True)
        self._depth = depth
        count = 3 + stacks * (3 * depth + 2) * units_per_position
        kept = survivals(residual.survival, residual.survival_form, count)
        units = _maker(style, plan, kept[3:])

        def position() -> nn.Sequential:
            return units(features, features, units_per_position)

        self.stem = quarter_stem(style, plan, in_channels, features, kept[:3])
        self.hourglasses, self.lasts = nn.ModuleList(), nn.ModuleList()
        for _ in range(stacks):
            self.hourglasses.append(HourglassStack(position, spatial_dims, depth))
            self.lasts.append(nn.Sequential(*position(), ConvUnit(style, features, features, style.one, style.one)))
        self.heads = _pointwise(style, out_channels=out_channels, in_channels=features, count=stacks)
        self.features_back = _pointwise(style, features, features, stacks - 1)
        self.heatmaps_back = _pointwise(style, out_channels, features, stacks - 1)
        bare = (*self.heads, *self.features_back, *self.heatmaps_back)
        initialize(self, init, style.slope, heads=bare)

    @property
    def multiple(self) -> int:
        """Return what the image's length along every axis must be a multiple of."""
        return int(STEP * 2**self._depth)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images [B, C, *S] to the heatmaps [B, K, *S / 4] of every stack, first to last.

        Raises:
            ValueError: If a length is not a multiple of `multiple`; names the nearest that are.
        """
        check_axes(image, self.spatial_dims)
        check_size(image.shape[2:], self.multiple)
        # Channels-last spares the convolutions a reordering on every call.
        trunk = self.stem(image.contiguous(memory_format=CHANNELS_LAST[image.ndim - 2]))
        outputs: list[Tensor] = []
        for stack, (hourglass, last, head) in enumerate(zip(self.hourglasses, self.lasts, self.heads, strict=True)):
            features = last(hourglass(trunk))
            outputs.append(head(features))
            if stack < len(self.features_back):
                trunk = trunk + self.features_back[stack](features) + self.heatmaps_back[stack](outputs[-1])
        return outputs


def _maker(style: Style, plan: UnitPlan, survival: Sequence[float]) -> MakeUnits:
    """Return what makes a number of units in a row; each takes the next survival probability."""
    kept = iter(survival)
    kernel = (3,) * style.spatial_dims

    def make(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
        widths = [in_channels] + [out_channels] * (count - 1)
        return nn.Sequential(
            *(make_unit(style, plan, width, out_channels, kernel, style.one, survival=next(kept)) for width in widths)
        )

    return make


def quarter_stem(
    style: Style, plan: UnitPlan, in_channels: int, features: int, survival: Sequence[float] = (1.0,) * 3
) -> nn.Sequential:
    """Return what reads the image and steps by 4: a convolution and three units, with a survival probability each."""
    dims = style.spatial_dims
    units = _maker(style, plan, survival)
    return nn.Sequential(
        ConvUnit(style, in_channels, features // 4, (7,) * dims, (2,) * dims),
        *units(features // 4, features // 2, 1),
        MAX_POOL[dims](2),
        *units(features // 2, features, 1),
        *units(features, features, 1),
    )


def _pointwise(style: Style, in_channels: int, out_channels: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(make_convolution(style, in_channels, out_channels, style.one, style.one) for _ in range(count))


def _fitting(unit: Unit, residual: ResidualOptions) -> ResidualOptions:
    """Return the options, where the kind of unit has a use for them."""
    # The order is set by default; a highway unit carries its input by a shortcut.
    unused = replace(residual, preactivation=False, shortcut=None if unit == "highway" else residual.shortcut)
    if not UnitPlan(unit).is_residual and unused != ResidualOptions():
        raise ValueError(f"residual: expected nothing here, as {unit} is no residual unit, found {residual}")
    return residual


def _check(stacks: int, features: int, depth: int, units_per_position: int, inner: float) -> None:
    for name, value in (("stacks", stacks), ("depth", depth), ("units_per_position", units_per_position)):
        if value < 1:
            raise ValueError(f"{name}: expected 1 or more, found {value}")
    if features < 4 or features % 4:
        raise ValueError(f"features: expected a multiple of 4, as the stem has a quarter of them, found {features}")
    if not inner > 0:
        raise ValueError(f"inner: expected a part above 0, found {inner}")


def check_size(size: Sequence[int], multiple: int) -> None:
    """Check that all poolings divide evenly, as what went down and what went across would not meet again.

    Raises:
        ValueError: If they do not; names the nearest lengths that fit.
    """
    if all(length and length % multiple == 0 for length in size):
        return
    below = [max(multiple, length - length % multiple) for length in size]
    above = [max(multiple, length + -length % multiple) for length in size]
    nearest = f"nearest is {below}" if below == above else f"nearest are {below} and {above}"
    raise ValueError(
        f"image: expected a multiple of {multiple} along every axis, found {list(size)}; the {nearest}: crop or pad it"
    )
