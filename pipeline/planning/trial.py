"""One real training step in a process of its own, whose memory and time are taken."""

from __future__ import annotations

import logging
import math
import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

import networks  # noqa: F401 -- makes all classes known to `build`
from datamodules.heatmaps import HeatmapCodec
from networks.base import build, stages_of
from pipeline.inference.devices import is_out_of_memory
from pipeline.losses import DiceCELoss
from pipeline.pose_losses import HeatmapLoss

log = logging.getLogger(__name__)

_STATUS = Path("/proc/self/status")
_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
_MOST_STEPS = 2  # after one that fills caches; the fastest counts
_ENOUGH_S = 2.5  # of measured steps
# A step that waits this much longer than it computes shares its cores with other programs.
_BUSY, _USUAL_WAIT = 1.7, 1.25
# The limit within the process only stops what is far off from filling the machine: it counts reserved memory too.
_SLACK, _SLACK_BYTES = 1.3, 2**29


@dataclass(frozen=True)
class Trial:
    """A training step that is to be tried.

    Args:
        network: Class path and arguments, as `networks.build` takes them.
        shape: Of the batch, [B, C, *S].
        answers: "voxels" for class indices or masks, "heatmaps" for joints.
        overlapping: For voxels: one mask per structure.
        optimizer: "adamw" or "sgd".
        precision: As the trainer calls it.
        device: "cpu" or "cuda".
    """

    network: dict[str, Any]
    shape: tuple[int, ...]
    answers: Literal["voxels", "heatmaps"] = "voxels"
    overlapping: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"
    precision: str = "32-true"
    device: str = "cpu"


@dataclass(frozen=True)
class Measured:
    """What a training step took.

    Args:
        peak_bytes: Growth of the process from before the network was made; weights, features, gradients, optimiser.
        step_s: Seconds of the fastest step; infinite where memory ran out.
        busy: Whether other programs took the cores, so that `step_s` is what the step computed, and not the clock's.
    """

    peak_bytes: int
    step_s: float
    busy: bool = False

    @property
    def ran(self) -> bool:
        """Whether memory sufficed for a step."""
        return math.isfinite(self.step_s)


def start_server() -> None:
    """Begin to import what trials need, in a process of its own, so that the first one does not wait for it.

    Workers that read cases are started by the same server: call it before them.
    """
    _start_server()


def _start_server() -> Any:  # noqa: ANN401 -- contexts of the start methods have no common type
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.planning.preload"])
    forkserver.ensure_running()
    return context


def measure(trial: Trial, limit_bytes: int) -> Measured:
    """Do a trial in a child process and return what it took.

    Args:
        trial: What to do.
        limit_bytes: Growth that is asked for; a trial that goes far beyond it is stopped by itself.

    Raises:
        RuntimeError: If the child fails for another reason than memory.
    """
    context = _start_server()
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_report, args=(trial, limit_bytes, torch.get_num_threads(), sending), daemon=True)
    child.start()
    sending.close()
    answer: Any = None
    try:
        answer = receiving.recv()
    except EOFError:
        child.join()
        if child.exitcode != -9:
            raise RuntimeError(f"the process that tried a training step ended with code {child.exitcode}") from None
        log.warning("A trial was killed by the system, most often for lack of memory")
        return Measured(limit_bytes, math.inf)
    finally:
        if answer is None:
            child.kill()  # as of Ctrl-C that only this process was told
        child.join()
        receiving.close()
    if isinstance(answer, str):
        raise RuntimeError(f"a training step could not be tried: {answer}")
    return Measured(*answer)


def _report(trial: Trial, limit_bytes: int, threads: int, connection: Connection) -> None:
    """Run in the child: send what the step took, or the text of an error."""
    torch.set_num_threads(threads)
    begun = 0
    try:
        _take_step(Trial(_TINY, (2, 1, 8, 8), precision=trial.precision, device=trial.device), steps=1)
        begun = peak_bytes(trial.device)
        _limit_process(trial.device, limit_bytes)
        seconds, busy = _take_step(trial, _MOST_STEPS)
        connection.send((peak_bytes(trial.device) - begun, seconds, busy))
    except (RuntimeError, ValueError, MemoryError) as error:
        grown = peak_bytes(trial.device) - begun
        # Libraries below PyTorch say in words of their own that they got no memory.
        if begun and (is_out_of_memory(error) or grown > limit_bytes / 2):
            connection.send((max(grown, limit_bytes), math.inf))
        else:
            connection.send(f"{type(error).__name__}: {error}")


_TINY: dict[str, Any] = {
    "class_path": "networks.unet.UNet",
    "init_args": {"in_channels": 1, "out_channels": 2, "spatial_dims": 2, "channels": [4, 4], "strides": [1, 2]},
}


def _take_step(trial: Trial, steps: int) -> tuple[float, bool]:
    """Train a network of random weights on random input.

    Returns:
        Seconds of the fastest step, and whether other programs took the cores meanwhile.
    """
    device = torch.device(trial.device)
    network = build(trial.network).to(device).train()
    kept = [parameter.detach().clone() for parameter in network.parameters()]  # the running average of the weights
    if trial.optimizer == "adamw":
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.99, nesterov=True)
    image = torch.randn(trial.shape, device=device)
    loss_of = _loss_of(trial, network.out_channels, device)
    found: list[tuple[float, bool]] = []
    for number in range(steps + 1):
        begun, computed = time.perf_counter(), time.process_time()
        with _cast(trial):
            loss = loss_of(network(image))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        torch._foreach_lerp_(kept, list(network.parameters()), 0.001)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken = time.perf_counter() - begun
        # The first step fills caches, but one that takes long anyway is measure enough.
        if number or taken > _ENOUGH_S or steps == 1:
            found.append(_undisturbed(taken, time.process_time() - computed, device))
        if math.fsum(seconds for seconds, _ in found) > _ENOUGH_S:
            break
    return min(found)


def _undisturbed(seconds: float, computed_s: float, device: torch.device) -> tuple[float, bool]:
    """Return what a step takes that has its cores for itself, and whether this one had not.

    On a CPU the choice of a network must not depend on what else the machine did meanwhile: what the step computed
    counts, never the clock.

    Args:
        seconds: By the clock.
        computed_s: What all threads computed together.
        device: On a GPU the clock alone counts.
    """
    if device.type != "cpu":
        return seconds, False
    alone = computed_s / torch.get_num_threads()
    return _USUAL_WAIT * alone, seconds > _BUSY * alone


def _cast(trial: Trial) -> AbstractContextManager[object]:
    kind = _AUTOCAST.get(trial.precision)
    return torch.autocast(torch.device(trial.device).type, kind or torch.bfloat16, enabled=kind is not None)


def _loss_of(trial: Trial, channels: int, device: torch.device) -> Callable[[Tensor | list[Tensor]], Tensor]:
    """Return the loss that the task has, against targets drawn once."""
    batch, _, *size = trial.shape
    if trial.answers == "heatmaps":
        heatmap_loss, codec = HeatmapLoss(4.0), HeatmapCodec(sigma=1.5)
        points = torch.rand(batch, channels, 2, device=device) * torch.tensor(size[::-1], device=device)
        seen = torch.full((batch, channels), 2, dtype=torch.uint8, device=device)
        extent = (size[1], size[0])
        return lambda output: heatmap_loss(stages_of(output), lambda cells: codec.encode(points, seen, extent, cells))
    voxel_loss = DiceCELoss(overlapping=trial.overlapping, batch_dice=True)
    if trial.overlapping:
        label = torch.randint(2, (batch, channels, *size), dtype=torch.uint8, device=device)
    else:
        label = torch.randint(channels, (batch, 1, *size), dtype=torch.uint8, device=device)
    return lambda output: voxel_loss(output, label)


def peak_bytes(device: str) -> int:
    """Return the highest memory of this program so far: resident on the CPU, allocated on a GPU."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        # On Linux ru_maxrss begins at the size of the program that started this one.
        return 1024 * _status("VmHWM")
    import resource  # absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _status(field: str) -> int:
    """Return a number of KiB from the system's account of this process."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])


def _limit_process(device: str, limit_bytes: int) -> None:
    """Let an allocation far over the limit fail here, before the machine runs out of memory."""
    if torch.device(device).type == "cpu" and _STATUS.exists():
        import resource  # absent on Windows

        bound = 1024 * _status("VmData") + int(limit_bytes * _SLACK) + _SLACK_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (bound, resource.getrlimit(resource.RLIMIT_DATA)[1]))
