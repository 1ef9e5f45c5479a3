"""What a training holds beside its steps: libraries, the processes that draw patches, whole cases in validation."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.planning.quantities import gib

# Measured as proportional shares (PSS) of `pipeline train` on tiny volumes.
_MAIN_BYTES, _WORKER_BYTES = 800 * 2**20, 240 * 2**20
_GPU_BYTES = 2**30  # the driver's context, and the fragments between tensors
# Bytes for each voxel of a whole case, also measured: the image in the cache, as a batch, padded, and that of the next
# case while this one is computed; the logits as they are blended and cut to size; the classes as indices, labels, and
# what scores need of them.
_IMAGE_BYTES, _LOGIT_BYTES, _LABEL_BYTES = 16, 8, 24


@dataclass(frozen=True)
class Reserve:
    """Memory that is not for the step.

    Args:
        workers: Processes that draw patches.
        voxels: Of the largest prepared case; 0 where cases are small or not known yet.
        channels: Of its image.
        outputs: Channels of the logits.
        on_gpu: Whether the memory is a GPU's: logits that do not fit there go to the main memory.
    """

    workers: int = 2
    voxels: int = 0
    channels: int = 1
    outputs: int = 2
    on_gpu: bool = False

    @property
    def case_bytes(self) -> int:
        """Return what validation holds of the largest case."""
        return self.voxels * (_IMAGE_BYTES * self.channels + _LOGIT_BYTES * self.outputs + _LABEL_BYTES)

    @property
    def base_bytes(self) -> int:
        """Return what is held whatever the cases are like."""
        return _GPU_BYTES if self.on_gpu else _MAIN_BYTES + self.workers * _WORKER_BYTES

    @property
    def bytes(self) -> int:
        """Return all of it."""
        return self.base_bytes + (0 if self.on_gpu else self.case_bytes)

    @property
    def words(self) -> str:
        """Return what it consists of, for the reader."""
        if self.on_gpu:
            return f"{gib(self.bytes)} for the driver"
        parts = [f"{gib(_MAIN_BYTES)} for libraries"]
        if self.workers:
            parts.append(f"{self.workers} x {gib(_WORKER_BYTES)} for the processes that draw patches")
        if self.voxels:
            parts.append(
                f"{gib(self.case_bytes)} for the largest case in validation ({self.voxels / 1e6:.1f} million voxels, "
                f"{self.channels} channel{'s' * (self.channels > 1)}, {self.outputs} outputs)"
            )
        return " + ".join(parts)
