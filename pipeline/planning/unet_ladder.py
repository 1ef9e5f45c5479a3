"""U-Nets for a grid, from the most wanted to the least: what is given up first, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.planning.fitting import Rung
from pipeline.planning.grid_choice import GridChoice
from pipeline.planning.machine import Machine
from pipeline.planning.quantities import size_text
from pipeline.planning.topology import Topology, plan_topology
from pipeline.planning.trial import Trial

_SHRINK = 0.93  # by which the edges of a patch shrink from one rung to the next
_SHOWN = {2: 128, 3: 48}  # voxels of an edge that time alone never takes away
_CPU_WIDTHS = (32, 24, 16)
_NARROW_WIDTHS = (16, 12, 8)  # with the least batch, before the patch gets smaller
_GPU_WIDTH = 32
_CPU_VOXELS = {2: 150_000, 3: 360_000}  # of a step: more only takes time from the number of steps
_MOST_BATCH = 12
_DATA_SHARE = 0.05  # of all voxels that one batch may hold: nnU-Net's bound
_GPU_UNITS = (1, 3, 4, 6, 6, 6, 6, 6)


@dataclass(frozen=True)
class Choice:
    """A U-Net with its patch and batch.

    Args:
        topology: Patch, steps and kernels.
        channels: Of each level.
        batch: Patches of a step.
        large: With the residual encoder of nnU-Net's presets, for GPUs.
        for_memory: Whether its patch shows less than the structures, which only want of memory excuses.
    """

    topology: Topology
    channels: tuple[int, ...]
    batch: int
    large: bool
    for_memory: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return the network's arguments as a config has them, without reasons."""
        topology, levels = self.topology, self.topology.levels
        chosen: dict[str, Any] = {
            "spatial_dims": len(topology.patch),
            "channels": list(self.channels),
            "strides": _short(topology.strides),
            "kernel_sizes": _short(topology.kernels),
            "unit": "basic" if self.large else ["plain", *["basic"] * (levels - 1)],
            "units_per_level": list(_GPU_UNITS[:levels]) + [6] * (levels - 8) if self.large else 1,
            "decoder_unit": "plain",
            "decoder_units_per_level": 1,
            "norm": "instance",
            "deep_supervision": True,
        }
        return {"stem": "convolution"} | chosen if self.large else chosen

    @property
    def words(self) -> str:
        """Return it for the log."""
        return f"patch {size_text(self.topology.patch)}, batch {self.batch}, channels {list(self.channels)}"


def build_ladder(grid: GridChoice, machine: Machine, voxels: int, shown: Sequence[float] = ()) -> list[Choice]:
    """Return the U-Nets to choose from.

    On a CPU a step's seconds are the limit: batch and width are given up before context. On a GPU it is memory, so that
    width stays and the batch shrinks first, then the patch. Patches that show less than a structure come last.

    Args:
        grid: On which the network works.
        machine: Where it trains.
        voxels: Of all cases, against which a batch is bounded.
        shown: Extent of the largest structure in voxels, by axis.
    """
    shape, spacing = grid.shape[: grid.dims], grid.voxel_mm[: grid.dims]
    whole, *parts = shrinking(shape, spacing)
    if machine.kind == "cpu":
        choices = [_choice(whole, width, _cpu_batch(whole, voxels)) for width in _CPU_WIDTHS]
        choices += [_choice(whole, width, 2) for width in _NARROW_WIDTHS]
        wide, narrow = _CPU_WIDTHS[-1], _NARROW_WIDTHS[1:]
        large = [part for part in parts if not _too_small(part, shape, shown)]
        choices += [_choice(part, wide, _cpu_batch(part, voxels)) for part in large]
        choices += [_choice(part, width, 2) for width in narrow for part in large[-1:]]
        small = [part for part in parts if part not in large]
        choices += [_choice(part, width, 2, for_memory=True) for part in small for width in (wide, narrow[-1])]
    else:
        batches = range(_largest_batch(whole, voxels), 1, -1)
        choices = [_choice(whole, _GPU_WIDTH, batch, large=True) for batch in batches]
        choices += [
            _choice(part, _GPU_WIDTH, 2, large=True, for_memory=_too_small(part, shape, shown)) for part in parts
        ]
    first: dict[object, Choice] = {}
    for choice in choices:
        first.setdefault((choice.topology.patch, choice.channels, choice.batch), choice)
    return sorted(first.values(), key=lambda choice: choice.for_memory)


def shrinking(shape: Sequence[int], spacing_mm: Sequence[float]) -> list[Topology]:
    """Return the topology of a whole shape and of ever smaller parts of it, to the least that there is."""
    found = [plan_topology(shape, spacing_mm)]
    least, scale = plan_topology(shape, spacing_mm, 1e-6), 1.0
    while found[-1].patch != least.patch:
        scale *= _SHRINK
        part = plan_topology(shape, spacing_mm, scale)
        if math.prod(part.patch) < math.prod(found[-1].patch):
            found.append(part)
        elif scale < 1e-5:
            break
    return found


def _too_small(topology: Topology, shape: Sequence[int], shown: Sequence[float]) -> bool:
    """Tell whether a patch shows less than a structure, or than what is enough of a large one."""
    enough = _SHOWN[len(shape)]
    wanted = [min(size, enough, *shown[axis : axis + 1]) for axis, size in enumerate(shape)]
    return any(mine < theirs for mine, theirs in zip(topology.patch, wanted, strict=True))


def rungs_of(
    choices: Sequence[Choice], machine: Machine, channels: tuple[int, int], *, overlapping: bool
) -> list[Rung]:
    """Return the training steps of some U-Nets.

    Args:
        choices: The U-Nets.
        machine: Where they train.
        channels: Of the images and of the answers.
        overlapping: Whether structures overlap.
    """
    return [
        Rung(
            Trial(
                network={
                    "class_path": "networks.unet.UNet",
                    "init_args": {"in_channels": channels[0], "out_channels": channels[1], **choice.arguments()},
                },
                shape=(choice.batch, channels[0], *choice.topology.patch),
                overlapping=overlapping,
                precision=machine.precision,
                device=machine.device,
            ),
            choice.words,
            choice.for_memory,
        )
        for choice in choices
    ]


def _choice(topology: Topology, width: int, batch: int, *, large: bool = False, for_memory: bool = False) -> Choice:
    flat = len(topology.patch) == 2
    most = (512 if flat else 320) if large else (8 if flat else 10) * width
    channels = tuple(min(width * 2**level, most) for level in range(topology.levels))
    return Choice(topology, channels, batch, large, for_memory)


def _cpu_batch(topology: Topology, voxels: int) -> int:
    wanted = _CPU_VOXELS[len(topology.patch)] // math.prod(topology.patch)
    return max(2, min(wanted, _largest_batch(topology, voxels)))


def _largest_batch(topology: Topology, voxels: int) -> int:
    return max(2, min(_MOST_BATCH, int(_DATA_SHARE * voxels / math.prod(topology.patch))))


def _short(values: Sequence[tuple[int, ...]]) -> list[int | list[int]]:
    """Return one number for a level that has the same along all axes."""
    return [each[0] if len(set(each)) == 1 else list(each) for each in values]
