"""Where numbers first went bad: in weights, in the images, in a layer of the forward pass, or in a gradient."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from networks.branch_extras import StochasticDepth

_RANDOM = (_DropoutNd, StochasticDepth)
Note = Callable[[str, nn.Module, tuple[Any, ...], Any], object]  # name, module, inputs, output


def tensors_of(value: object) -> Iterator[Tensor]:
    """Yield the floating-point tensors of a module's arguments or output, nested as they may be."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value.detach()
    elif isinstance(value, dict):
        yield from tensors_of(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_of(item)


def is_bad(value: object) -> bool:
    """Tell whether a tensor, or one of several, holds NaN or infinity."""
    return any(not bool(torch.isfinite(tensor).all()) for tensor in tensors_of(value))


def blame_forward(network: nn.Module, image: Tensor) -> str:
    """Return in words where the numbers of a forward pass first go bad.

    The pass is run again, without gradients and in the mode that the network is in; the caller sets autocast.

    Args:
        network: The network, not its wrapper for several ranks.
        image: The batch that gave the loss, [B, C, *S].
    """
    if weights := bad_weights(network):
        return weights
    if is_bad(image):
        return "the images hold voxels that are not finite"
    found: list[str] = []
    last = ["the input"]

    def note(name: str, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if found:
            return
        if is_bad(inputs):
            found.append(f"a result between {last[0]} and layer {name}, computed outside of layers, is not finite")
        elif is_bad(output):
            largest = max(float(tensor.abs().max()) for tensor in tensors_of(inputs))
            found.append(f"the output of layer {name} ({type(module).__name__}) is the first that is not finite, "
                         f"with an input of at most {largest:.3g} in size")  # fmt: skip
        last[0] = f"layer {name}"

    output = _run(network, image, note)
    if found:
        return found[0]
    if is_bad(output):
        return f"the network's output is not finite, and all its layers' are: look behind {last[0]}"
    if any(isinstance(module, _RANDOM) for module in network.modules()):
        return "weights and images are finite, and so was a second pass, with other random draws"
    return "weights, images and every layer's output are finite: the loss itself went bad"


def blame_gradient(network: nn.Module, image: Tensor) -> str:
    """Return in words which gradient went bad first, which is the last one in the order of the forward pass.

    Args:
        network: The network after its backward pass.
        image: The batch that was seen last, [B, C, *S].
    """
    if weights := bad_weights(network):
        return weights
    order: dict[str, nn.Module] = {}
    _run(network, image, lambda name, module, inputs, output: order.setdefault(name, module))
    gradients = {
        name: [p.grad for p in module.parameters() if p.grad is not None] for name, module in reversed(order.items())
    }
    for name, found in gradients.items():
        if is_bad(found):
            kind = type(order[name]).__name__
            return f"the gradient of layer {name} ({kind}) went bad first; weights and loss are finite"
    others = [name for name, p in network.named_parameters() if p.grad is not None and is_bad(p.grad)]
    if others:
        return f"the gradient of {others[-1]} is not finite; weights and loss are"
    largest, name = max((float(g.abs().max()), name) for name, found in gradients.items() for g in found)
    return f"each gradient is finite, but their norm overflows: that of layer {name} reaches {largest:.3g}"


def bad_weights(network: nn.Module) -> str:
    """Return in words which parameter is not finite, or an empty string."""
    # Not buffers: a norm's running mean goes bad within the step, through what it was given.
    found = [name for name, parameter in network.named_parameters() if is_bad(parameter)]
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more} held values that are not finite before this step"


@torch.no_grad()
def _run(network: nn.Module, image: Tensor, note: Note) -> object:
    """Run the forward pass and call `note` behind every innermost module."""
    handles = []
    for name, module in network.named_modules():
        if next(module.children(), None) is None:

            def hook(m: nn.Module, inputs: tuple[Any, ...], output: object, name: str = name) -> None:
                note(name, m, inputs, output)

            handles.append(module.register_forward_hook(hook))
    try:
        return network(image)
    finally:
        for handle in handles:
            handle.remove()
