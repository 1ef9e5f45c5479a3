"""Where and in which precision a network runs."""

from typing import Literal, get_args

import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]

# What a model folder may say of its training, in Lightning's words and in ours.
_TRAINED = {
    "32-true": "fp32",
    "32": "fp32",
    "bf16-mixed": "bf16",
    "bf16-true": "bf16",
    "16-mixed": "fp16",
    "16-true": "fp16",
}


def pick_device(name: str) -> torch.device:
    """Return the device of this name; "auto" is the first accelerator, else the CPU.

    Raises:
        ValueError: If the device is unknown or absent.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device("cuda" if name == "gpu" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with the backend
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}; try --device cpu") from error
    return device


def computes_bf16(device: torch.device) -> bool:
    """Tell whether the device computes in bfloat16 by itself: emulation would be slower than float32."""
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out: on the CPU torch raises a plain RuntimeError for that."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def pick_autocast(precision: Precision, device: torch.device, trained: str | None) -> torch.dtype | None:
    """Return the type that autocast computes in, None for float32.

    Args:
        precision: "auto" is the one that the model was trained in, where the device computes in it.
        device: Where the network runs.
        trained: The model's own precision, as Lightning names it or as `Precision` does.

    Raises:
        ValueError: If the precision is unknown, or was asked for and is none of the device's.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision is one of {', '.join(get_args(Precision))}, found {precision!r}")
    wanted = _TRAINED.get(str(trained), str(trained)) if precision == "auto" else precision
    if wanted == "bf16" and (precision == "bf16" or computes_bf16(device)):
        return torch.bfloat16
    if wanted == "fp16" and device.type == "cuda":
        return torch.float16
    if precision == "fp16":
        raise ValueError(f"fp16 needs a CUDA device, found {device}: use bf16 or fp32")
    return None
