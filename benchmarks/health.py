"""What the health monitor costs in a training.

    python benchmarks/health.py [--rounds 40] [--patch 64]

One real training with the network of unet_ct.yaml, whose steps take turns: without the monitor, with it, and with it
on a step whose layers are sampled. What slows the machine for a while slows all three alike, and it is the time of
the training's thread on the processor that counts, torch being held to one thread. A training samples one step in 25,
and the cost is put together accordingly; 1 % is the limit that the design sets. The copy of the healthy state is timed
by itself: the monitor takes one only so often that it stays under 0.2 %.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from training_step import make_network

from datamodules.phantom import make_phantom
from datamodules.preprocessing_choice import PreprocessingChoice
from datamodules.segmentation import SegmentationData
from pipeline.health.monitor import HealthMonitor
from pipeline.tasks.segmentation import SegmentationTask
from pipeline.tracking.logger import MlflowLogger

LIMIT_PERCENT = 1.0
LABELS = {"without": "step without the monitor", "with": "step with it", "sampled": "step whose layers are sampled"}
KINDS = tuple(LABELS)
WARM_UP = 2  # rounds


class Turns(HealthMonitor):
    """The monitor, on two steps of three."""

    def kind(self, trainer: Trainer) -> str:
        """Return which turn it is."""
        return KINDS[trainer.global_step % 3]

    def is_sampled(self, step: int) -> bool:
        """Sample the third turn."""
        return KINDS[step % 3] == "sampled"

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 -- as Lightning declares it
        batch_idx: int,
    ) -> None:
        """Watch when it is time to."""
        if self.kind(trainer) != "without":
            super().on_train_batch_start(trainer, pl_module, batch, batch_idx)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Watch when it is time to."""
        if self.kind(trainer) != "without":
            super().on_before_backward(trainer, pl_module, loss)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Watch when it is time to."""
        if self.kind(trainer) != "without":
            super().on_before_optimizer_step(trainer, pl_module, optimizer)


class Stopwatch(Callback):
    """Take the time of each step, the monitor's own work before and after it included."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.ended = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Note the time since the end of the last step."""
        now = time.thread_time()
        if self.ended:
            self.seconds[KINDS[(trainer.global_step - 1) % 3]].append(now - self.ended)
        self.ended = now


def steps_s(data: SegmentationData, folder: Path, rounds: int) -> tuple[dict[str, float], float]:
    """Return the median seconds of each kind of step, and the seconds of a copy of the healthy state."""
    monitor = Turns()
    watch = Stopwatch()
    trainer = Trainer(
        max_steps=3 * (rounds + WARM_UP),
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=12.0,
        logger=MlflowLogger(tracking_uri=str(folder / "mlruns")),
        callbacks=[monitor, watch],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(SegmentationTask(make_network, ema_decay=0.0), datamodule=data)
    begun = time.thread_time()
    monitor.snapshot.take(trainer)
    copy_s = time.thread_time() - begun
    return {kind: statistics.median(seconds[WARM_UP:]) for kind, seconds in watch.seconds.items()}, copy_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="steps of each kind that are measured (default: 40)")
    parser.add_argument("--patch", type=int, default=64, help="edge of a patch in voxels (default: 64)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    every = HealthMonitor().every_n_steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = SegmentationData(
            root=make_phantom(folder / "ct", cases=6),
            preprocessing=PreprocessingChoice(intensity="ct", crop="air"),
            patch_size=(options.patch,) * 3,
            cache_dir=folder / "cache",
            workers=1,
        )
        found, copy_s = steps_s(data, folder, options.rounds)
    mean = (found["with"] * (every - 1) + found["sampled"]) / every
    for kind, seconds in found.items():
        ratio = seconds / found["without"]
        print(f"{LABELS[kind]:40} {1000 * seconds:8.1f} ms {ratio:8.4f}")
    print(f"{f'one step in {every} sampled':40} {1000 * mean:8.1f} ms {mean / found['without']:8.4f}")
    print(f"{'copy of the healthy state':40} {1000 * copy_s:8.1f} ms")
    print(f"{'cost':40} {100 * (mean / found['without'] - 1):8.2f} %     limit {LIMIT_PERCENT:.2f} %")


if __name__ == "__main__":
    main()
