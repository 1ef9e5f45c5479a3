"""A pose model folder's network, applied to batches of crops."""

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.cropping import PosePreprocessing, cut
from datamodules.formats.errors import DataError
from datamodules.heatmaps import HeatmapCodec
from datamodules.keypoints import Box, Skeleton
from networks.base import answer_of
from pipeline.calibration import Calibration
from pipeline.inference.devices import Precision, is_out_of_memory, pick_autocast
from pipeline.model_folder import LoadedModel, ModelDescription
from pipeline.model_reference import DESCRIPTION

log = logging.getLogger(__name__)

# Enough that small layers are worth their call, and few enough for the caches: 16 crops of 128 x 128, 8 of 256 x 256.
_CPU_PIXELS, _CPU_BATCH = 2**19, (4, 16)
_OTHER_BATCH = 64


@dataclass(frozen=True)
class PoseSettings:
    """What the user may choose about the network's part.

    Args:
        flip_test: Average with the mirrored image's answer; None is what the model folder says.
        precision: What the network computes in.
        batch_size: Crops at once; None is what suits the device.

    Raises:
        ValueError: If the batch size is below 1.
    """

    flip_test: bool | None = None
    precision: Precision = "auto"
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch size: expected 1 or more, found {self.batch_size}")


class PosePrediction(NamedTuple):
    """The joints of a batch of crops.

    Args:
        points: x and y in pixels of the original image [B, K, 2], float64 on the CPU.
        score: Maximum of each joint's heatmap [B, K], float32 on the CPU.
        confidence: The calibrated score [B, K], float32 on the CPU; the score within 0 to 1 where the model folder
            has no calibration.
        heatmaps: [B, K, h, w], float32 on the device.
    """

    points: Tensor
    score: Tensor
    confidence: Tensor
    heatmaps: Tensor


class PosePredictor:
    """Cut subjects out as the model was trained to, and find their joints.

    Args:
        model: What `load_model_folder` returned.
        device: Where the network runs; it is moved there.
        settings: The user's choices.

    Raises:
        ValueError: If the model is not for pose, or the precision is none of the device's.
        DataError: If model.json does not describe a pose model.
    """

    def __init__(self, model: LoadedModel, device: torch.device, settings: PoseSettings | None = None) -> None:
        description = model.description
        if description.task != "pose":
            hint = "; masks come from `pipeline predict`" if description.task == "segmentation" else ""
            raise ValueError(f"{model.folder}: expected a pose model, found one for {description.task}{hint}")
        self.model, self.device, self.settings = model, device, settings or PoseSettings()
        self._read(description)
        chosen, self._trained_flip_test = self.settings.flip_test, bool(description.inference.get("flip_test", False))
        self.flip_test = self._trained_flip_test if chosen is None else chosen
        self.autocast = pick_autocast(self.settings.precision, device, description.inference.get("precision"))
        self.batch_size = self.settings.batch_size or self._fitting_batch()
        self.network = model.network.to(device).eval()
        # Half to a quarter of the time on a CPU, together with bf16.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stub

    def _read(self, description: ModelDescription) -> None:
        try:
            self.skeleton = Skeleton.from_dict(description.labels)
            self.preprocessing = PosePreprocessing.from_dict(description.preprocessing)
            self.codec = HeatmapCodec.from_dict(description.inference["codec"])
            calibration = description.inference.get("calibration")
            self.calibration = Calibration.from_dict(calibration) if calibration else Calibration()
        except (KeyError, TypeError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
            remedy = "use the version of this software named in its 'versions', or get the folder again"
            expected = "joints, preprocessing, codec and calibration of a pose model"
            raise DataError(self.model.folder / DESCRIPTION, expected, found, remedy) from error
        if len(self.skeleton.names) != self.model.network.out_channels:
            expected = f"{self.model.network.out_channels} joints, one per map of the network"
            remedy = "get the model folder again"
            raise DataError(self.model.folder / DESCRIPTION, expected, f"{len(self.skeleton.names)} names", remedy)

    def _fitting_batch(self) -> int:
        if self.device.type != "cpu":
            return _OTHER_BATCH
        width, height = self.preprocessing.input_size
        return min(max(_CPU_PIXELS // (width * height), _CPU_BATCH[0]), _CPU_BATCH[1])

    @property
    def precision(self) -> str:
        """Return the name of the type that the network computes in."""
        return str(self.autocast or torch.float32).removeprefix("torch.")

    def outcome_settings(self) -> dict[str, Any]:
        """Return what the joints depend on beside model and images, JSON-able; the batch size is not among it."""
        return {"precision": self.precision, "flip_test": self.flip_test}

    def doubts(self) -> list[str]:
        """Say where the flip test is not as the model was trained and calibrated."""
        trained = self._trained_flip_test
        if self.flip_test == trained:
            return []
        doubts = ["confidence was calibrated " + ("with" if trained else "without") + " the flip test"]
        if self.calibration.kind == "none":
            doubts.clear()
        if self.flip_test:
            doubts.insert(
                0, "the flip test is on, but this model was trained without mirror images or without the test"
            )
        return doubts

    def cut(self, image: NDArray[np.uint8], box: Box) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Cut a subject's box out of an RGB image [H, W, 3] as in training.

        Returns:
            The crop [height, width, 3], and the map [2, 3] from its pixels to those of the image.

        Raises:
            ValueError: If the box has no extent.
        """
        to_original = self.preprocessing.affine(box)
        return cut(image, to_original, self.preprocessing.input_size), to_original

    def cell_to_input(self, size: tuple[int, int]) -> tuple[tuple[float, float], NDArray[np.float64]]:
        """Return how far apart the cells of maps lie on the crop in pixels, and the map [2, 3] from cells to pixels.

        Args:
            size: Width and height of the maps.
        """
        (step_x, first_x), (step_y, first_y) = self.codec.cell_to_pixel(self.preprocessing.input_size, size)
        return (step_x, step_y), np.array([[step_x, 0.0, first_x], [0.0, step_y, first_y]])

    @torch.inference_mode()
    def predict(self, crops: Tensor, to_original: NDArray[np.float64] | Tensor) -> PosePrediction:
        """Find the joints of crops.

        Args:
            crops: RGB, uint8 [B, height, width, 3], on any device.
            to_original: Maps [B, 2, 3] from pixels of the crops to those of the images.

        Raises:
            MemoryError: If memory runs out also for half of the batch.
            FloatingPointError: If the network gives NaN or infinity.
        """
        heatmaps = self._heatmaps_in_memory(crops.to(self.device, non_blocking=True))
        decoded = self.codec.decode(heatmaps, self.preprocessing.input_size)
        # One transfer brings all numbers back; the map to the original needs the precision of float64.
        packed = torch.cat([decoded.points.float(), decoded.score.float()[..., None]], dim=-1).cpu()
        if not torch.isfinite(packed).all():
            raise FloatingPointError(f"the network gave NaN or infinity in {self.precision}: try --precision fp32")
        affine = torch.as_tensor(to_original, dtype=torch.float64)
        points = packed[..., :2].double() @ affine[:, :, :2].mT + affine[:, None, :, 2]
        score = packed[..., 2].contiguous()
        return PosePrediction(points, score, self.calibration.apply(score), heatmaps)

    def _heatmaps_in_memory(self, crops: Tensor) -> Tensor:
        """Return heatmaps [B, K, h, w]; where memory runs out, half of the batch is tried once, also from then on."""
        parts = torch.split(crops, self.batch_size)
        try:
            return torch.cat([self._heatmaps(part) for part in parts]) if len(parts) > 1 else self._heatmaps(crops)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if self.batch_size == 1:
                raise MemoryError(f"out of memory on {self.device} with a single crop; use another device") from error
        self.batch_size = (min(self.batch_size, len(crops)) + 1) // 2
        log.warning("out of memory on %s; trying again with batch size %d", self.device, self.batch_size)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            return torch.cat([self._heatmaps(part) for part in torch.split(crops, self.batch_size)])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryError(
                f"out of memory on {self.device} with batch size {self.batch_size} too; give --batch-size 1"
            ) from error

    def _heatmaps(self, crops: Tensor) -> Tensor:
        # A permuted image is channels-last without being copied.
        image = self.preprocessing.normalise(crops.permute(0, 3, 1, 2))
        heatmaps = self._answer(image)
        if self.flip_test:
            mirrored = self.codec.mirror(self._answer(image.flip(-1)), self.skeleton.mirrored)
            heatmaps = (heatmaps + mirrored) / 2
        return heatmaps

    def _answer(self, image: Tensor) -> Tensor:
        """Return the heatmaps [B, K, h, w] of an hourglass' last stack, or the finest ones of a U-Net."""
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            return answer_of(self.network(image)).float()
