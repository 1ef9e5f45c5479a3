"""Hourglasses for a data set of keypoints, from the most wanted to the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.planning.fitting import Rung
from pipeline.planning.machine import Machine
from pipeline.planning.pose_fingerprint import PosePrint
from pipeline.planning.quantities import size_text
from pipeline.planning.trial import Trial

DEPTH = 4
MULTIPLE = 4 * 2**DEPTH  # pixels that an hourglass of this depth takes the input in
PADDING = 1.25  # a box is this many times as large when it is cut out: joints lie on its border
SUBJECT_PX = 96  # of the input that a subject should span in a whole image: 24 cells of a heatmap
_LARGEST = {"cpu": 384, "cuda": 512}  # pixels of the input's longer side
_WIDTHS = {"cpu": ((2, 128), (2, 96), (1, 128), (1, 64)), "cuda": ((4, 256), (2, 256), (2, 128))}
_LARGEST_NETWORK = {"cpu": (4, 128), "cuda": (8, 256)}  # stacks and features
_BATCHES = {"cpu": (8, 4), "cuda": (32, 16, 8)}


@dataclass(frozen=True)
class PoseChoice:
    """An hourglass with its input and batch.

    Args:
        size: Width and height of the input in pixels.
        stacks: Hourglasses in a row.
        features: Their channels.
        batch: Subjects of a step.
    """

    size: tuple[int, int]
    stacks: int
    features: int
    batch: int

    @property
    def words(self) -> str:
        """Return it for the log."""
        return f"input {size_text(self.size)}, {self.stacks} stacks of {self.features} features, batch {self.batch}"


def build_pose_ladder(found: PosePrint, machine: Machine) -> list[PoseChoice]:
    """Return the hourglasses to choose from: of each size the large first, then smaller inputs.

    Args:
        found: The data set.
        machine: Where it trains.
    """
    sizes = input_sizes(found, _LARGEST[machine.kind])
    batches = [batch for batch in _BATCHES[machine.kind] if batch <= max(4, found.subjects // 4)] or [2]
    choices = [PoseChoice(sizes[0], *_LARGEST_NETWORK[machine.kind], batches[0])]  # where there is time for it
    choices += [PoseChoice(sizes[0], *width, batches[0]) for width in _WIDTHS[machine.kind][:2]]
    choices += [PoseChoice(size, *width, batches[0]) for size in sizes for width in _WIDTHS[machine.kind][1:3]]
    choices += [PoseChoice(sizes[-1], *width, batches[-1]) for width in _WIDTHS[machine.kind][1:]]
    return list(dict.fromkeys(choices))


def input_sizes(found: PosePrint, largest: int) -> list[tuple[int, int]]:
    """Return sizes of the input in the aspect of what is cut out, multiples of what the hourglass takes.

    The first shows a subject with as many pixels as it has, but no more than `largest`; for whole images it is large
    enough that the subject spans `SUBJECT_PX`. The others are smaller by `MULTIPLE` at a time, down to 128 or 64.

    Args:
        found: The data set.
        largest: Pixels of the longer side at most.
    """
    shown = [PADDING * edge for edge in found.box_px] if found.subject[0] == "box" else list(found.image_px)
    longer = max(shown)
    if found.subject[0] == "box":
        wanted = longer
    else:
        wanted = min(longer, max(256.0, longer * SUBJECT_PX / max(found.extent_px, 1.0)))
    top = int(min(largest, max(2 * MULTIPLE, MULTIPLE * round(wanted / MULTIPLE))))
    sizes = []
    for edge in range(top, MULTIPLE, -MULTIPLE):
        other = max(MULTIPLE, MULTIPLE * int(edge * min(shown) / longer / MULTIPLE + 0.5))
        sizes.append((edge, other) if shown[0] >= shown[1] else (other, edge))
    return sizes


def pose_rungs(choices: Sequence[PoseChoice], machine: Machine, joints: int) -> list[Rung]:
    """Return the training steps of some hourglasses."""
    return [
        Rung(
            Trial(
                network={
                    "class_path": "networks.hourglass.Hourglass",
                    "init_args": {
                        "in_channels": 3,
                        "out_channels": joints,
                        "stacks": choice.stacks,
                        "features": choice.features,
                        "depth": DEPTH,
                    },
                },
                shape=(choice.batch, 3, choice.size[1], choice.size[0]),
                answers="heatmaps",
                precision=machine.precision,
                device=machine.device,
            ),
            choice.words,
        )
        for choice in choices
    ]
