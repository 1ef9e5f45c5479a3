"""What one network costs on this machine, measured in this process alone.

python benchmarks/one_network.py '{"network": {"class_path": ..., "init_args": ...}, "shape": ..., "precision": "bf16"}'

Prints one line of JSON. `network_costs.py` starts it anew for each network, so that the peak of memory is its own.
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import networks.members  # noqa: F401 -- makes all classes known to `build`
from networks import build

PASSES, STEPS = 5, 3  # of which the median is taken, after one that fills caches
ENOUGH_S = 3.0  # a slow network is repeated less
_STATUS = Path("/proc/self/status")


def count(network: Mapping[str, Any], shape: Sequence[int]) -> tuple[int, int]:
    """Return the parameters of a network, and the multiply-adds of a forward pass per image.

    Nothing is computed: on the meta device tensors have a shape and no content.

    Args:
        network: Class path and arguments, as `networks.describe` gives them.
        shape: Of the input, [B, C, *S].
    """
    with torch.device("meta"):
        made = build(network).eval()
        image = torch.empty(1, *shape[1:])
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        made(image)
    return sum(parameter.numel() for parameter in made.parameters()), counter.get_total_flops() // 2


def measure(network: Mapping[str, Any], shape: Sequence[int], precision: str) -> dict[str, float]:
    """Return the median milliseconds and the peak growth in MiB of a forward pass and of a training step.

    A step is forward, backward and update by AdamW. The growth is that of the process since its imports: weights,
    features, in a step also gradients and what the optimizer keeps.

    Args:
        network: Class path and arguments, as `networks.describe` gives them.
        shape: Of the input, [B, C, *S].
        precision: `fp32`, or `bf16` for mixed precision as the application trains.

    Raises:
        ValueError: If the precision is neither.
    """
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"precision: expected fp32 or bf16, found {precision!r}")

    def cast() -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    _step(nn.Linear(1, 1), torch.ones(1, 1), cast)()  # PyTorch loads much at its first step
    before = peak_mib()
    made, image = build(network), torch.randn(*shape)

    def forward() -> None:
        with torch.inference_mode(), cast():
            made(image)

    made.eval()
    forward_ms, forward_mib = _median_ms(forward, PASSES), peak_mib() - before
    made.train()
    step_ms, step_mib = _median_ms(_step(made, image, cast), STEPS), peak_mib() - before
    return {"forward_ms": forward_ms, "step_ms": step_ms, "forward_mib": forward_mib, "step_mib": step_mib}


def _step(network: nn.Module, image: Tensor, cast: Callable[[], AbstractContextManager[object]]) -> Callable[[], None]:
    """Return what does one step of training; its loss costs next to nothing."""
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        with cast():
            outputs = network(image)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            loss = torch.stack([output.float().square().mean() for output in outputs]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _median_ms(work: Callable[[], None], times: int) -> float:
    work()
    seconds: list[float] = []
    while len(seconds) < times and math.fsum(seconds) < ENOUGH_S:
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


def peak_mib() -> float:
    """Return the peak of resident memory of this program so far, in MiB."""
    if _STATUS.exists():
        # On Linux ru_maxrss begins at the size of the program that started this one.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def main(job: str) -> None:
    """Measure what a line of JSON describes, and print the result as another."""
    told = json.loads(job)
    result: dict[str, float] = measure(told["network"], told["shape"], told["precision"])
    result["parameters"], result["multiply_adds"] = count(told["network"], told["shape"])
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
