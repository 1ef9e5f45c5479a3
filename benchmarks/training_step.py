"""What a training step costs beside the bare arithmetic on a batch in memory.

    python benchmarks/training_step.py [--steps 30]

Both are measured in this process with the network of unet_ct.yaml: forward, loss, backward and update in a plain
loop, and the same through Lightning with patches drawn by worker processes, augmentation, averaging of weights,
the health monitor, progress and logging. The ratio is what counts; 1.10 is the limit that the design sets.
"""

import argparse
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from datamodules.augmentation import Augmentation
from datamodules.patches import SegmentationBatch
from datamodules.phantom import make_phantom
from datamodules.preprocessing_choice import PreprocessingChoice
from datamodules.segmentation import SegmentationData
from networks import Network, UNet
from pipeline.ema import WeightEMA
from pipeline.health.monitor import HealthMonitor
from pipeline.losses import DiceCELoss
from pipeline.pacing import ValidationPacing
from pipeline.progress import TrainingProgress
from pipeline.tasks.segmentation import SegmentationTask
from pipeline.tracking.logger import MlflowLogger

LIMIT = 1.10
WARM_UP = 5  # steps that fill caches and start workers


def make_network(in_channels: int, out_channels: int) -> Network:
    """Return the network of unet_ct.yaml."""
    return UNet(
        in_channels,
        out_channels,
        channels=(16, 32, 64, 128, 160),
        unit=("plain", "basic", "basic", "basic", "basic"),
        units_per_level=1,
        decoder_unit="plain",
        deep_supervision=True,
    )


class Stopwatch(Callback):
    """Take the time from the end of one step to the end of the next."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def bare_step_s(batch: SegmentationBatch, steps: int) -> float:
    """Return the median seconds of forward, loss, backward and update on one batch."""
    network, loss = make_network(1, 7), DiceCELoss(overlapping=False, batch_dice=True)
    optimizer = torch.optim.AdamW(network.parameters())
    seconds = []
    for _ in range(steps + WARM_UP):
        begun = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(network(batch.image), batch.label)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[WARM_UP:])


def trained_step_s(data: SegmentationData, folder: Path, steps: int) -> float:
    """Return the median seconds of a step of the real training."""
    watch = Stopwatch()
    trainer = Trainer(
        max_steps=steps + WARM_UP,
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=12.0,
        logger=MlflowLogger(tracking_uri=str(folder / "mlruns")),
        callbacks=[TrainingProgress(), ValidationPacing(), WeightEMA(0.999), HealthMonitor(), watch],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
    )
    trainer.fit(SegmentationTask(make_network), datamodule=data)
    ends = watch.ends[WARM_UP:]
    return statistics.median(later - earlier for earlier, later in pairwise(ends))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30, help="steps that are measured (default: 30)")
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = SegmentationData(
            root=make_phantom(folder / "ct", cases=10),
            preprocessing=PreprocessingChoice(intensity="ct", crop="air"),
            augmentation=Augmentation(mirror_axes=[]),
            cache_dir=folder / "cache",
        )
        data.prepare_data()
        batch = next(iter(data.train_dataloader()))
        bare, trained = bare_step_s(batch, steps), trained_step_s(data, folder, steps)
    print(f"{'forward, backward, update in memory':40} {1000 * bare:8.0f} ms")
    print(f"{'step of the real training':40} {1000 * trained:8.0f} ms")
    print(f"{'ratio':40} {trained / bare:8.2f}    limit {LIMIT:.2f}")


if __name__ == "__main__":
    main()
