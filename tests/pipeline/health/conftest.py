import logging

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from torch import nn
from torch.utils.data import DataLoader

from datamodules.patches import SegmentationBatch
from pipeline.tasks.base import Task


class Memory(Logger):
    """Keeps metrics, and has a run's folder."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.metrics = folder, {}

    name, version = "memory", 0

    @property
    def save_dir(self):
        return str(self.folder)

    def log_hyperparams(self, params, *args, **kwargs):
        pass

    def log_metrics(self, metrics, step=None):
        for key, value in metrics.items():
            self.metrics.setdefault(key, []).append((step, value))


class Small(Task):
    """A task of two convolutions whose loss or gradient a test may spoil at some step."""

    def __init__(self, spoil=None, optimizer="sgd", rate=0.01):
        super().__init__(lambda i, o: None, optimizer, rate, 0.0, 0.0, 0.0)
        self.network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1)
        )
        self.spoil = spoil or (lambda step, loss: loss)
        self.weights = []  # before each step

    def check(self, data):
        raise NotImplementedError

    def finish(self, trainer, folder):
        raise NotImplementedError

    def forward(self, image):
        return self.network(image)

    def training_step(self, batch, batch_idx):
        self.weights.append({name: p.detach().clone() for name, p in self.network.named_parameters()})
        logits = self.network(batch.image)
        loss = nn.functional.cross_entropy(logits, batch.label[:, 0])
        loss = self.spoil(self.trainer.global_step, loss)
        self.refuse_non_finite(loss, batch.image, batch.case_id)
        return loss

    def validation_step(self, batch, batch_idx):
        self.network(batch.image)


def batches(count):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 2, 1, 8, 8, generator=generator)
    return [
        SegmentationBatch(image, (image > 0.5).long(), [f"case_{n}", f"case_{n}b"]) for n, image in enumerate(images)
    ]


@pytest.fixture
def fit(tmp_path):
    """Train a task with callbacks and return the trainer; a loader is a list of batches."""

    def run(task, callbacks, steps=12, ckpt_path=None, **options):
        torch.manual_seed(0)
        accumulated = options.get("accumulate_grad_batches", 1)
        loader = DataLoader(batches(steps * accumulated), batch_size=None, collate_fn=lambda batch: batch)
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=Memory(tmp_path),
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=5,
            **options,
        )
        trainer.fit(task, loader, DataLoader(batches(1), batch_size=None, collate_fn=lambda b: b), ckpt_path=ckpt_path)
        return trainer

    return run


@pytest.fixture
def small():
    """Make the task from a fixed seed."""

    def make(*args, **kwargs):
        torch.manual_seed(0)
        return Small(*args, **kwargs)

    return make


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
