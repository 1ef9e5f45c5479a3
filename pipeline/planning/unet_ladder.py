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

_SCALES = (
    0.95,
    0.9,
    0.85,
    0.8,
    0.75,
    0.7,
    0.65,
    0.6,
    0.55,
    0.5,
    0.42,
    0.35,
    0.3,
    0.25,
    0.2,
    0.16,
    0.13,
    0.1,
)  # of the median shape's edges
_CPU_WIDTHS = (32, 24, 16)
_NARROWEST = 8
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
    """

    topology: Topology
    channels: tuple[int, ...]
    batch: int
    large: bool

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


def build_ladder(grid: GridChoice, machine: Machine, voxels: int) -> list[Choice]:
    """Return the U-Nets to choose from.

    On a CPU a step's seconds are the limit, so that the batch is small, and width is given up before context; on a GPU
    it is memory, so that width stays and the batch shrinks first, then the patch.

    Args:
        grid: On which the network works.
        machine: Where it trains.
        voxels: Of all cases, against which a batch is bounded.
    """
    shape, spacing = grid.shape[: grid.dims], grid.voxel_mm[: grid.dims]
    whole = plan_topology(shape, spacing)
    if machine.kind == "cpu":
        choices = [_choice(whole, width, _cpu_batch(whole, voxels)) for width in _CPU_WIDTHS]
        parts = [plan_topology(shape, spacing, scale) for scale in _SCALES]
        choices += [_choice(part, _CPU_WIDTHS[-1], _cpu_batch(part, voxels)) for part in parts]
        choices += [_choice(part, _NARROWEST, 2) for part in parts[len(parts) // 3 :]]
    else:
        batches = range(_largest_batch(whole, voxels), 1, -1)
        choices = [_choice(whole, _GPU_WIDTH, batch, large=True) for batch in batches]
        parts = [plan_topology(shape, spacing, scale) for scale in _SCALES]
        choices += [_choice(part, _GPU_WIDTH, 2, large=True) for part in parts]
    return list({(choice.topology.patch, choice.channels, choice.batch): choice for choice in choices}.values())


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
        )
        for choice in choices
    ]


def _choice(topology: Topology, width: int, batch: int, *, large: bool = False) -> Choice:
    flat = len(topology.patch) == 2
    most = (512 if flat else 320) if large else (8 if flat else 10) * width
    channels = tuple(min(width * 2**level, most) for level in range(topology.levels))
    return Choice(topology, channels, batch, large)


def _cpu_batch(topology: Topology, voxels: int) -> int:
    wanted = _CPU_VOXELS[len(topology.patch)] // math.prod(topology.patch)
    return max(2, min(wanted, _largest_batch(topology, voxels)))


def _largest_batch(topology: Topology, voxels: int) -> int:
    return max(2, min(_MOST_BATCH, int(_DATA_SHARE * voxels / math.prod(topology.patch))))


def _short(values: Sequence[tuple[int, ...]]) -> list[int | list[int]]:
    """Return one number for a level that has the same along all axes."""
    return [each[0] if len(set(each)) == 1 else list(each) for each in values]
