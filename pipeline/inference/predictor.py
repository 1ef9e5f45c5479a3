"""A model folder's network, applied to one case at a time."""

import dataclasses
import logging
import math
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from datamodules.cases import Case, read_image
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume
from datamodules.labels import LabelSet
from datamodules.preprocessing import Preprocessing, Sheared, replace_nonfinite
from datamodules.training_range import outside_training_range
from networks.base import Network
from pipeline.inference.devices import Precision, is_out_of_memory, pick_autocast
from pipeline.inference.output_formats import Format
from pipeline.inference.sliding import Progress, output_margin, sliding_window
from pipeline.model_folder import LoadedModel

log = logging.getLogger(__name__)

_TILE_BATCH = {"cpu": 1}  # more than one tile at once only drops out of a CPU's caches
_OTHER_TILE_BATCH = 4
_LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}  # spares a tenth (3-D) to a quarter (2-D) on a CPU
_OUTPUT_FORMAT = 2  # raise it when the same model and settings give other files


@dataclass(frozen=True)
class PredictionSettings:
    """What the user may choose.

    Args:
        overlap: Share of a tile common with its neighbour, in [0, 1).
        mirror: Average over mirrored copies.
        probabilities: Write probabilities as well.
        overlays: Write a picture per case as well.
        strict: Refuse cases unlike those of training, and doubtful geometry, instead of warning.
        precision: What the network computes in.
        volume: Which volume of a 4-D file.
        formats: What masks are written as; by default as the input is.
        sheared: What to do with an affine that is not at right angles; by default as the model was trained.

    Raises:
        ValueError: If the overlap or the volume is out of range, or a format is unknown.
    """

    overlap: float = 0.5
    mirror: bool = False
    probabilities: bool = False
    overlays: bool = False
    strict: bool = False
    precision: Precision = "auto"
    volume: int | None = None
    formats: tuple[Format, ...] = ()
    sheared: Sheared | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.overlap < 1.0:
            raise ValueError(f"overlap is a share of the tile from 0 to below 1, found {self.overlap}")
        if self.volume is not None and self.volume < 0:
            raise ValueError(f"volume counts from 0, found {self.volume}")
        if unknown := set(self.formats) - set(get_args(Format)):
            raise ValueError(f"format is one of {', '.join(get_args(Format))}, found {', '.join(sorted(unknown))}")


class SegmentationPredictor:
    """Read a case as the model was trained to, and give its logits.

    Args:
        model: What `load_model_folder` returned.
        device: Where the network runs; it is moved there.
        settings: The user's choices.

    Raises:
        ValueError: If the model is not for segmentation, or the precision is none of the device's.
    """

    def __init__(self, model: LoadedModel, device: torch.device, settings: PredictionSettings) -> None:
        description = model.description
        if description.task != "segmentation":
            hint = "; joints come from `pipeline pose`" if description.task == "pose" else ""
            raise ValueError(f"{model.folder}: expected a segmentation model, found one for {description.task}{hint}")
        self.model, self.device, self.settings = model, device, settings
        self.labels = LabelSet.from_dict(description.labels)
        self.preprocessing = Preprocessing.from_dict(description.preprocessing)
        if sheared := "refuse" if settings.strict else settings.sheared:
            self.preprocessing = dataclasses.replace(self.preprocessing, sheared=sheared)
        self.autocast = pick_autocast(settings.precision, device, description.inference.get("precision"))
        self.tile = tuple(description.patch_size)
        self.network = model.network.to(device).eval()
        self.network.to(memory_format=_LAYOUT[len(self.tile)])  # type: ignore[call-overload]  # not in torch's stub
        self.mirror_axes = self._mirrored() if settings.mirror else ()
        self.margin = network_margin(self.network, self.tile, device)
        self.tile_batch = _TILE_BATCH.get(device.type, _OTHER_TILE_BATCH)

    @property
    def channels(self) -> int:
        """Return the number of channels that a case must have."""
        return len(self.preprocessing.channels)

    @property
    def precision(self) -> str:
        """Return the name of the type that the network computes in."""
        return str(self.autocast or torch.float32).removeprefix("torch.")

    def outcome_settings(self) -> dict[str, Any]:
        """Return everything beside model and input that the outputs depend on, JSON-able."""
        chosen = {**dataclasses.asdict(self.settings), "precision": self.precision}
        return {**chosen, "mirror_axes": list(self.mirror_axes), "output_format": _OUTPUT_FORMAT}

    def read(self, case: Case) -> tuple[Volume, list[str]]:
        """Return the image of a case with finite voxels, and what there is to say about it.

        Raises:
            DataError: If a file is broken, the channels are not those of the model, or with `strict` the
                geometry is doubtful or the image lies outside of what was seen in training.
        """
        image = read_image(self.located(case), self.channels, strict=self.settings.strict)
        volume, replaced = replace_nonfinite(image)
        messages = [f"{replaced} voxels were NaN or infinite, replaced by the minimum"] if replaced else []
        seen = self.model.description.training_range
        findings = outside_training_range(volume, seen) if seen else []
        if findings and self.settings.strict:
            remedy = "use a model that was trained on such images, or leave out --strict"
            raise DataError(volume.path, "an image like those of training", "; ".join(findings), remedy)
        return volume, [*messages, *findings]

    def located(self, case: Case) -> Case:
        """Return the case with the volumes to take from 4-D files."""
        if self.settings.volume is not None:
            indices = (self.settings.volume,) * len(case.images)
            return dataclasses.replace(case, volume_indices=indices, all_volumes=False)
        if len(case.images) == 1 and self.channels > 1:
            return dataclasses.replace(case, all_volumes=True)
        return case

    def logits(self, image: Tensor, progress: Progress | None = None) -> Tensor:
        """Return logits [K, X', Y', Z'] of a prepared image [C, X', Y', Z'].

        When memory runs out the tile batch is halved, once and for all cases that follow.

        Raises:
            MemoryError: If memory runs out again.
            FloatingPointError: If the network gives NaN or infinity.
        """
        try:
            logits = self._slide(image, progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logits = self._slide_again(image, progress)
        # A sum is finite only if all of its terms are, and needs no second array.
        if not math.isfinite(logits.sum(dtype=torch.float64).item()):
            raise FloatingPointError(f"the network gave NaN or infinity in {self.precision}: try --precision fp32")
        return logits

    def _mirrored(self) -> tuple[int, ...]:
        axes = tuple(self.model.description.inference.get("mirror_axes", range(len(self.tile))))
        if not axes:
            log.warning("mirroring changes nothing: this model was trained without mirrored copies")
        return axes

    def _slide_again(self, image: Tensor, progress: Progress | None) -> Tensor:
        needed = 4 * self.labels.num_channels * math.prod(image.shape[1:]) / 2**20
        estimate = f"out of memory on {self.device}: the logits take {needed:.0f} MiB, the network more"
        if self.tile_batch == 1:
            raise MemoryError(f"{estimate}; use another device")
        self.tile_batch //= 2
        log.warning("%s; trying again with tile batch %d", estimate, self.tile_batch)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            return self._slide(image, progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryError(f"{estimate}, with tile batch {self.tile_batch} too") from error

    def _slide(self, image: Tensor, progress: Progress | None) -> Tensor:
        return sliding_window(
            self.network,
            image,
            self.tile,
            overlap=self.settings.overlap,
            tile_batch=self.tile_batch,
            mirror_axes=self.mirror_axes,
            device=self.device,
            autocast=self.autocast,
            margin=self.margin,
            progress=progress,
        )


def network_margin(network: Network, tile: tuple[int, ...], device: torch.device) -> tuple[int, ...]:
    """Return the voxels that an unpadded network's output lacks on each side of a tile, else nothing."""
    if network.init_args.get("padding", "same") == "same":
        return ()
    return output_margin(network, network.in_channels, tile, device)
