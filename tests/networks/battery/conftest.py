"""What the battery runs over: every registered member, and a U-Net around every encoder, in 2-D and in 3-D.

A network is narrowed by its class, never by its name, and keeps its depth: whatever is registered is tested. Tests
that ask for a `subject` run over all of them; a `residual_subject` is a member with residual units, a
`preactivated_subject` one that can have them in pre-activation order. An `exported_subject` is any member and, as an
export takes seconds for every fifty layers, of U-Nets around an encoder in 2-D the shallowest of those made of the same
kinds of layers. ONNX runs all of them in 2-D, and in 3-D again the shallowest of each kind.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from networks.base import Network
from networks.classifier import Classifier
from networks.encoders import ENCODERS, find_encoder
from networks.hourglass import Hourglass
from networks.members import MEMBERS
from networks.residual import ResidualUnit
from networks.unet import UNet

NARROWEST = 8  # channels of the first layer; with far fewer a ReLU may silence all of them
# Five steps of 2 leave three voxels or more: of two, a norm would make 1 and -1, and no gradient would get through.
ODD_SIZES = {2: (65, 33), 3: (65, 17, 17)}
SMALL_SIZES = {2: (33, 33), 3: (33, 17, 17)}  # where gradients do not matter and float64 is slow
SEED = 0
CLASSES = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write golden.json anew instead of testing it")


def _width(encoder: str) -> float:
    return NARROWEST / find_encoder(encoder).plan.stem_width


def _narrow_classifier(arguments: dict[str, Any], spatial_dims: int) -> dict[str, Any]:
    return {"width": _width(arguments["encoder"])}


def _narrow_unet(arguments: dict[str, Any], spatial_dims: int) -> dict[str, Any]:
    if "encoder" in arguments:
        return {"encoder_width": _width(arguments["encoder"]), "channels": (4, 4, 8, 8, 8)}
    channels = arguments["channels"]
    changes: dict[str, Any] = {"channels": tuple(4 * width // channels[0] for width in channels)}
    if spatial_dims == 3 and arguments.get("padding") == "valid":
        # Unpadded kernels of 3 need 188 voxels along an axis: one axis shows that as well as three.
        changes["kernel_sizes"] = ((3, 1, 1),) * len(channels)
    return changes


def _narrow_hourglass(arguments: dict[str, Any], spatial_dims: int) -> dict[str, Any]:
    return {"features": NARROWEST}


NARROW: dict[type[Network], Callable[[dict[str, Any], int], dict[str, Any]]] = {
    Classifier: _narrow_classifier,
    UNet: _narrow_unet,
    Hourglass: _narrow_hourglass,
}


@dataclass(frozen=True)
class Subject:
    """A narrow network of full depth: a member, or a U-Net around an encoder."""

    name: str
    spatial_dims: int
    around: bool = False

    @property
    def label(self) -> str:
        return f"unet({self.name})" if self.around else self.name

    def __str__(self) -> str:
        return f"{self.label}-{self.spatial_dims}d"

    def make(self, **changes: object) -> Network:
        """Make the network for three classes or landmarks, always with the same weights."""
        torch.manual_seed(SEED)
        if self.around:
            arguments: dict[str, Any] = {"encoder": self.name}
            narrow = _narrow_unet(arguments, self.spatial_dims)
            # The norm of the encoders' papers. An instance norm of a few voxels enlarges rounding with every layer:
            # at 200 layers two kernels of one convolution differ by a hundredth of the logits.
            narrow |= {"norm": "batch"}
            return UNet(2, CLASSES, spatial_dims=self.spatial_dims, **arguments, **narrow | changes)
        member = MEMBERS[self.name]
        narrow = NARROW[member.network](member.arguments, self.spatial_dims)
        return member.make(None, CLASSES, self.spatial_dims, **narrow | changes)

    def make_with(self, norm: str = "group", **options: object) -> Network:
        """Make the network with a norm, and with other options of its residual units beside its own."""
        own = self.make().init_args["residual"]
        return self.make(norm=norm, norm_groups=2, residual=own | options)

    def settled(self, sizes: dict[int, tuple[int, ...]] = ODD_SIZES) -> tuple[Network, Tensor]:
        """Make the network for evaluation, with running statistics of a training step, and images for it."""
        network = self.make()
        image = self.images(network, sizes)
        with torch.no_grad():
            network(image)
        return network.eval(), image

    def images(self, network: Network, sizes: dict[int, tuple[int, ...]] = ODD_SIZES) -> Tensor:
        """Draw two small images of a size that the network takes, odd where it may be."""
        return torch.randn(2, network.in_channels, *fitting_size(network, sizes[self.spatial_dims]))


def fitting_size(network: Network, size: Sequence[int]) -> tuple[int, ...]:
    """Return a size, or the nearest above that a network takes."""
    multiple = getattr(network, "multiple", 1)
    lengths = [-(-length // multiple) * multiple for length in size]
    while network.init_args.get("padding") == "valid":
        try:
            with torch.no_grad():
                network(torch.zeros(1, network.in_channels, *lengths))
            break
        except ValueError as error:
            axis, nearest = re.search(r"along axis (\d).*nearest.*?(\d+)\]", str(error)).groups()
            lengths[int(axis)] = int(nearest)
    return tuple(lengths)


def as_list(outputs: Tensor | list[Tensor]) -> list[Tensor]:
    """Return the outputs of any network as a list."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def weighted_sum(outputs: Tensor | list[Tensor]) -> Tensor:
    """Return a sum of all outputs with random weights, which no norm in front of it makes constant."""
    return sum((output.float() * torch.randn(output.shape)).mean() for output in as_list(outputs))


SUBJECTS = [
    Subject(name, dims, around)
    for registry, around in ((MEMBERS, False), (ENCODERS, True))
    for name in registry
    for dims in (2, 3)
]


@functools.cache
def _has_residual_units(name: str) -> bool:
    return any(isinstance(module, ResidualUnit) for module in Subject(name, 2).make().modules())


@functools.cache
def _takes_preactivation(name: str) -> bool:
    try:
        Subject(name, 2).make_with(preactivation=True)
    except ValueError as error:
        if "preactivation" not in str(error):
            raise
        return False
    return True


@functools.cache
def _kinds_of_layers(name: str, around: bool) -> tuple[frozenset[tuple[object, ...]], int]:
    """Return what kinds of layers a network is made of, and how many layers it has."""
    network = Subject(name, 2, around).make()
    layers = [module for module in network.modules() if not any(True for _ in module.children())]
    facts = ("kernel_size", "stride", "padding")
    kinds = {(type(layer), getattr(layer, "groups", 1) > 1, *(getattr(layer, f, 0) for f in facts)) for layer in layers}
    units = [unit for unit in network.modules() if isinstance(unit, ResidualUnit)]
    orders = {(type(unit.activation), len(unit.branch), type(unit.shortcut)) for unit in units}
    return frozenset(kinds | orders | {(type(network),)}), len(layers)


def _is_shallowest(subject: Subject) -> bool:
    kinds, layers = _kinds_of_layers(subject.name, subject.around)
    others = [_kinds_of_layers(name, subject.around) for name in (ENCODERS if subject.around else MEMBERS)]
    return layers == min(count for other, count in others if other == kinds)


def _is_exported(subject: Subject) -> bool:
    return not subject.around or (subject.spatial_dims == 2 and _is_shallowest(subject))


def is_run_by_onnx(subject: Subject) -> bool:
    """Tell whether a subject is exported to ONNX too, which takes three times as long as `torch.export`."""
    return subject.spatial_dims == 2 or _is_shallowest(subject)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in CHOICES.keys() & set(metafunc.fixturenames):
        # By module, so that a fixture can share what is expensive among the tests of a file.
        metafunc.parametrize(name, list(filter(CHOICES[name], SUBJECTS)), ids=str, scope="module")


CHOICES: dict[str, Callable[[Subject], bool]] = {
    "subject": lambda one: True,
    "residual_subject": lambda one: not one.around and _has_residual_units(one.name),
    "preactivated_subject": lambda one: (
        not one.around and _has_residual_units(one.name) and _takes_preactivation(one.name)
    ),
    "exported_subject": _is_exported,
}


@pytest.fixture(scope="session")
def helpers() -> Any:
    """Return the functions of this file: test files cannot import each other."""

    class Helpers:
        as_list = staticmethod(as_list)
        weighted_sum = staticmethod(weighted_sum)
        is_run_by_onnx = staticmethod(is_run_by_onnx)
        odd_sizes = ODD_SIZES
        small_sizes = SMALL_SIZES

    return Helpers
