"""The encoders of the literature by name."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

from networks.densenet import DenseNetPlan, make_densenet
from networks.encoder import Encoder
from networks.layers import Style
from networks.residual import ResidualOptions
from networks.resnet import ResNetPlan, cifar_plan, make_resnet, residual_plan
from networks.stem import Stem
from networks.units import Unit, UnitPlan


@dataclass(frozen=True)
class Member:
    """An encoder of the literature.

    Attributes:
        plan: Its integers.
        paper: Where it is described.
        switches: What sets it apart, in words.
    """

    plan: ResNetPlan | DenseNetPlan
    paper: str
    switches: str


_DEEP = "He et al. 2016, Deep Residual Learning"
_IDENTITY = "He et al. 2016, Identity Mappings"
_XIE = "Xie et al. 2017, ResNeXt"
_HUANG = "Huang et al. 2017, DenseNet"
_HIGHWAY = "Srivastava et al. 2015, Highway Networks"
_PREACTIVATION = ResidualOptions(preactivation=True)
_PAD = ResidualOptions(shortcut="pad")
_STAGES: dict[int, tuple[Unit, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
    200: ("bottleneck", (3, 24, 36, 3)),
}
_CIFAR: dict[str, tuple[UnitPlan, str, str]] = {
    "cifar_resnet": (UnitPlan("basic", _PAD), _DEEP, "basic, padded shortcuts (A)"),
    "cifar_plain": (UnitPlan("plain"), _DEEP, "plain, no shortcuts"),
    "cifar_highway": (UnitPlan("highway", _PAD), _HIGHWAY, "highway, learned gates"),
}


def _resnet(depth: int, options: ResidualOptions) -> ResNetPlan:
    unit, units = _STAGES[depth]
    return residual_plan(UnitPlan(unit, options), units)


def _resnext(depth: int, inner: float) -> ResNetPlan:
    return residual_plan(UnitPlan("resnext", inner=inner), _STAGES[depth][1])


def _cifar(family: str, depth: int) -> Member:
    unit, paper, switches = _CIFAR[family]
    return Member(cifar_plan(unit, depth), paper, switches)


def _members() -> dict[str, Member]:
    members: dict[str, Member] = {}
    for depth in (18, 34, 50, 101, 152):
        unit = _STAGES[depth][0]
        members[f"resnet{depth}"] = Member(_resnet(depth, ResidualOptions()), _DEEP, f"{unit}, projections (B)")
    # The paper of the network of 200 layers has it with pre-activation alone.
    for depth in (18, 34, 50, 101, 152, 200):
        name = f"preresnet{depth}" if depth < 200 else "resnet200"
        switches = f"{_STAGES[depth][0]}, pre-activation, projections (B)"
        members[name] = Member(_resnet(depth, _PREACTIVATION), _IDENTITY, switches)
    members["resnext50_32x4d"] = Member(_resnext(50, 0.5), _XIE, "bottleneck of 32 groups of 4, projections (B)")
    members["resnext101_32x8d"] = Member(_resnext(101, 1.0), _XIE, "bottleneck of 32 groups of 8, projections (B)")
    for depth, layers in ((121, (6, 12, 24, 16)), (169, (6, 12, 32, 32)), (201, (6, 12, 48, 32))):
        members[f"densenet{depth}"] = Member(DenseNetPlan(layers), _HUANG, "dense layers, growth 32, compression 0.5")
    for family, depths in (("cifar_resnet", (20, 56, 110)), ("cifar_plain", (20, 56)), ("cifar_highway", (20, 56))):
        members |= {f"{family}{depth}": _cifar(family, depth) for depth in depths}
    return members


ENCODERS = _members()


def find_encoder(name: str) -> Member:
    """Return an encoder by name; those of the CIFAR families of any depth 6n + 2, e.g. `cifar_resnet32`.

    Raises:
        ValueError: If there is none; names the nearest.
    """
    if name in ENCODERS:
        return ENCODERS[name]
    match = re.fullmatch(r"(\w+?)(\d+)", name)
    if match and match[1] in _CIFAR:
        return _cifar(match[1], int(match[2]))
    nearest = difflib.get_close_matches(name, ENCODERS, n=1, cutoff=0.0)[0]
    raise ValueError(f"encoder: {name!r} is unknown, the nearest is {nearest}; there are {', '.join(ENCODERS)}")


def has_residual_units(name: str) -> bool:
    """Tell whether an encoder is made of residual units.

    Raises:
        ValueError: If there is no such encoder.
    """
    plan = find_encoder(name).plan
    return isinstance(plan, ResNetPlan) and plan.unit.is_residual


def make_encoder(
    name: str,
    style: Style,
    in_channels: int,
    *,
    options: ResidualOptions | None = None,
    width: float = 1.0,
    stem: Stem | None = None,
    pyramid: bool = True,
) -> Encoder:
    """Make an encoder of the literature.

    Args:
        name: One of `ENCODERS`, or of a CIFAR family of any depth 6n + 2.
        style: What all layers have in common; the papers have batch norm and ReLU.
        in_channels: Channels of the image.
        options: What residual units have beside the member's own order and shortcut.
        width: Factor on all numbers of channels.
        stem: What reads the image, if not as in the paper.
        pyramid: Features of all levels are wanted, or those of the coarsest alone.

    Raises:
        ValueError: If the name, the width or an option does not fit.
    """
    plan = find_encoder(name).plan
    if not width > 0:
        raise ValueError(f"width of the encoder: expected a factor above 0, found {width}")
    plan = replace(plan.narrowed(width), stem=stem or plan.stem)
    chosen = options or ResidualOptions()
    if isinstance(plan, ResNetPlan) and has_residual_units(name):
        plan = replace(plan, unit=replace(plan.unit, options=_combined(name, chosen, plan.unit.options)))
    elif chosen != ResidualOptions():
        raise ValueError(f"residual: expected nothing here, as {name} has no residual units, found {chosen}")
    make = make_densenet if isinstance(plan, DenseNetPlan) else make_resnet
    return make(style, plan, in_channels, pyramid=pyramid)  # type: ignore[arg-type]


def _combined(name: str, chosen: ResidualOptions, own: ResidualOptions) -> ResidualOptions:
    """Return what was chosen on top of a member's own order and shortcut."""
    if chosen.preactivation and not own.preactivation:
        raise ValueError(f"residual.preactivation: expected false, as {name} has the original order; take a preresnet")
    return replace(chosen, preactivation=own.preactivation, shortcut=chosen.shortcut or own.shortcut)
