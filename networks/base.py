"""The base class of all networks: it keeps its constructor's arguments, so that it can be built again."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal, get_type_hints

from torch import Tensor, nn


class Network(nn.Module):
    """Base of all networks: tensors in, tensors out.

    Every subclass takes `in_channels` and `out_channels` as its first two arguments. The arguments of its
    constructor are kept in `init_args`, defaults included, as values that JSON can hold.

    Attributes:
        init_args: The constructor's arguments by name.
        answers: What the outputs are: a logit for every voxel, for every class of a whole image, or heatmaps.
    """

    init_args: dict[str, Any]
    answers: ClassVar[Literal["voxels", "classes", "heatmaps"]] = "voxels"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            setattr(cls, "__init__", _recording(cls, cls.__dict__["__init__"]))  # noqa: B010

    @property
    def in_channels(self) -> int:
        """Return the number of channels that the network reads."""
        return int(self.init_args["in_channels"])

    @property
    def out_channels(self) -> int:
        """Return the number of channels that the network gives."""
        return int(self.init_args["out_channels"])

    @property
    def spatial_dims(self) -> int:
        """Return 2 for images [B, C, X, Y] and 3 for volumes [B, C, X, Y, Z]."""
        return int(self.init_args.get("spatial_dims", 2))

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Map images [B, C, *S] to logits [B, K, *S], or to a list of them for several losses."""
        raise NotImplementedError


def describe(network: Network) -> dict[str, Any]:
    """Return the class path and constructor arguments from which `build` makes the network again."""
    kind = type(network)
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": dict(network.init_args)}


def build(description: Mapping[str, Any]) -> Network:
    """Build a network from what `describe` returned, with new weights.

    Nothing is imported by name: the class path is looked up among the networks of this package, so that a
    description from a stranger cannot run other code.

    Args:
        description: `class_path` and `init_args`.

    Raises:
        ValueError: If the class is not a network of this package, or the arguments do not fit it.
    """
    known = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _subclasses(Network)}
    class_path = description.get("class_path")
    if class_path not in known:
        raise ValueError(f"unknown network {class_path!r}: expected one of {', '.join(sorted(known))}")
    init_args = description.get("init_args", {})
    try:
        return known[class_path](**init_args)
    except TypeError as error:
        raise ValueError(f"arguments {init_args!r} do not fit {class_path}: {error}") from error


def _subclasses(kind: type[Network]) -> Iterator[type[Network]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("networks."):
            yield child
        yield from _subclasses(child)


def _recording(cls: type[Network], init: Callable[..., None]) -> Callable[..., None]:
    """Wrap a constructor so that the arguments of an instance of exactly this class are kept."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self: Network, *args: object, **kwargs: object) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        bound.arguments |= _with_dataclasses(init, bound.arguments)
        init(*bound.args, **bound.kwargs)
        if type(self) is cls:
            named = dict(list(bound.arguments.items())[1:])  # the first is self
            # Through JSON and back: tuples become lists, and what a model folder could not hold raises here.
            self.init_args = json.loads(json.dumps(named, default=_mapping))

    return wrapped


def _mapping(value: object) -> dict[str, Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"expected arguments that JSON can hold, found {type(value).__name__}")


def _with_dataclasses(init: Callable[..., None], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return as dataclasses those arguments that are declared so and come as mappings, as a model folder has them."""
    given = {name: value for name, value in arguments.items() if isinstance(value, Mapping)}
    types = get_type_hints(init) if given else {}
    return {name: types[name](**value) for name, value in given.items() if dataclasses.is_dataclass(types.get(name))}


def stages_of(output: Tensor | list[Tensor]) -> list[Tensor]:
    """Return all outputs of a network [B, K, *S], each of which may have a loss, the answer last.

    An hourglass gives its stacks first to last, all of one size; a deeply supervised U-Net its finest level first.
    """
    if isinstance(output, Tensor):
        return [output]
    return output if output[0].shape[-1] <= output[-1].shape[-1] else output[::-1]


def answer_of(output: Tensor | list[Tensor]) -> Tensor:
    """Return the output that is a network's answer, [B, K, *S]."""
    return stages_of(output)[-1]
