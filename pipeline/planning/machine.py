"""What a training may use of this machine: device, free memory, and the precision that it computes well in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from pipeline.inference.devices import computes_bf16, pick_device

Kind = Literal["cpu", "cuda"]

SHARE = 0.8  # of what is free: others start programs too
_MEMINFO = Path("/proc/meminfo")
_LIMITS = (  # of the memory of a container, and what is used of it
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


@dataclass(frozen=True)
class Machine:
    """The device that is planned for.

    Args:
        kind: "cpu" or "cuda".
        device: The device in PyTorch's words.
        name: What it is, for the reader.
        precision: The trainer's precision that suits it.
        precision_reason: Why.
        free_bytes: Memory that is free on it.
        threads: That a CPU computes with.
    """

    kind: Kind
    device: str
    name: str
    precision: str
    precision_reason: str
    free_bytes: int
    threads: int = 1

    @property
    def accelerator(self) -> str:
        """Return the device in the trainer's words."""
        return "gpu" if self.kind == "cuda" else "cpu"

    @property
    def devices(self) -> int | list[int]:
        """Return the trainer's `devices`: how many, or which."""
        index = torch.device(self.device).index
        return [index] if index else 1


def describe_machine(device: str) -> Machine:
    """Return what is known of a device.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: If it cannot be used, or is neither a CPU nor a CUDA device.
    """
    found = pick_device(device)
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected cpu or cuda, which a step can be measured on, found {found.type}")
    bf16 = computes_bf16(found)
    if found.type == "cuda":
        name, free = torch.cuda.get_device_name(found), torch.cuda.mem_get_info(found)[0]
        precision = "bf16-mixed" if bf16 else "16-mixed"
        words = "this GPU computes in bfloat16" if bf16 else "this GPU has no bfloat16; float16 with a loss scale"
        return Machine("cuda", str(found), name, precision, words, free)
    threads = torch.get_num_threads()
    precision = "bf16-mixed" if bf16 else "32-true"
    words = "this CPU computes in bfloat16" if bf16 else "this CPU would only emulate bfloat16, slower than float32"
    return Machine(
        "cpu", "cpu", f"CPU, {threads} thread{'s' * (threads > 1)}", precision, words, free_memory(), threads
    )


def free_memory() -> int:
    """Return the bytes of main memory that a new program may take, within the limits of a container."""
    if _MEMINFO.exists():
        line = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable"))
        free = int(line.split()[1]) * 1024
    else:
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # how much is in use is not told
    for limit, used in _LIMITS:
        if limit.exists() and used.exists() and limit.read_text().strip() != "max":
            free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(free, 0)
