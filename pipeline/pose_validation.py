"""Validation subjects read from their files, cut out and predicted as `pipeline pose` would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.formats import photograph
from datamodules.keypoints import UNLABELLED, Box, PoseSample
from datamodules.pose_subjects import subject_box
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.pose_scores import FoundPose

View = Literal["whole", "shifted"]

_BEYOND = 0.06  # of the cut's side: how far out of view joints are moved at least


class Shown(NamedTuple):
    """A subject as the network is shown it.

    Attributes:
        sample: The subject.
        pixels: The cut, RGB [height, width, 3].
        to_original: Map [2, 3] from its pixels to those of the image.
    """

    sample: PoseSample
    pixels: NDArray[np.uint8]
    to_original: NDArray[np.float64]


def predict_subjects(
    predictor: PosePredictor, samples: Sequence[PoseSample], norm: KeypointNorm, view: View = "whole"
) -> list[FoundPose]:
    """Read the subjects' images and find their joints.

    Args:
        predictor: The model.
        samples: The subjects.
        norm: What their errors relate to.
        view: "whole" is the cut that `pipeline pose` makes of the annotated box; "shifted" is moved until at least
            half of the labelled joints are out of view, beyond each of the four sides in turn.

    Raises:
        DataError: An image does not decode.
    """
    found: list[FoundPose] = []
    waiting: list[Shown] = []
    for shown in show_subjects(predictor, samples, view):
        waiting.append(shown)
        if len(waiting) == predictor.batch_size:
            found += _predict(predictor, waiting, norm)
            waiting = []
    return found + (_predict(predictor, waiting, norm) if waiting else [])


def show_subjects(predictor: PosePredictor, samples: Sequence[PoseSample], view: View = "whole") -> Iterator[Shown]:
    """Yield the subjects as the network is shown them; an image of several is read once where they follow in a row.

    Raises:
        DataError: An image does not decode.
    """
    path: Path | None = None
    for turn, sample in enumerate(samples):
        if sample.image != path:
            path, image = sample.image, photograph.read(sample.image)
        size = (image.shape[1], image.shape[0])
        box = subject_box(sample, size, predictor.preprocessing.subject)
        if view == "shifted":
            box = box_out_of_view(
                sample, box, predictor.preprocessing.affine(box), predictor.preprocessing.input_size, turn
            )
        yield Shown(sample, *predictor.cut(image, box))


def box_out_of_view(
    sample: PoseSample, box: Box, to_original: NDArray[np.float64], size: tuple[int, int], turn: int
) -> Box:
    """Move a subject's box until a side of its cut leaves half of the labelled joints outside, or more if it is small.

    Args:
        sample: The subject, with at least one labelled joint.
        box: What is cut out of its image.
        to_original: Map [2, 3] from the pixels of that cut to those of the image, without rotation.
        size: Width and height of the cut.
        turn: Which side: 0 left, 1 top, 2 right, 3 bottom, and so on.
    """
    axis, sign = turn % 2, 1 if turn % 4 < 2 else -1
    border = to_original[axis] @ np.array([-0.5, -0.5, 1.0] if sign > 0 else [size[0] - 0.5, size[1] - 0.5, 1.0])
    places = np.sort(sign * sample.keypoints[sample.visibility != UNLABELLED][:, axis].astype(np.float64))
    middle = (len(places) - 1) // 2
    gap = (places[middle + 1] - places[middle]) / 2 if len(places) > 1 else 0.0
    # A small subject would lie on the border as a whole: joints that are out are so by more than a trifle.
    move = sign * (places[middle] + max(gap, _BEYOND * to_original[axis, axis] * size[axis])) - border
    return (box[0] + move * (axis == 0), box[1] + move * (axis == 1), box[2], box[3])


def _predict(predictor: PosePredictor, batch: Sequence[Shown], norm: KeypointNorm) -> list[FoundPose]:
    crops = torch.from_numpy(np.stack([shown.pixels for shown in batch]))
    affines = np.stack([shown.to_original for shown in batch])
    answer = predictor.predict(crops, affines)
    points, score, confidence = (part.double().numpy() for part in (answer.points, answer.score, answer.confidence))
    return [
        FoundPose(shown.sample, points[i], score[i], confidence[i], norm.length_px(shown.sample), shown.to_original)
        for i, shown in enumerate(batch)
    ]
