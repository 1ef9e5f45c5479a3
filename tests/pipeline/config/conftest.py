import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule

import pipeline
from datamodules.formats.errors import DataError
from pipeline.config.imports import restrict_imports
from pipeline.config.training_cli import TrainingCLI


class Net(torch.nn.Module):
    pass


class TinyNet(Net):
    def __init__(self, in_channels: int, out_channels: int, channels: list[int], unit: str = "plain"):
        super().__init__()
        self.given = (in_channels, out_channels, channels, unit)


class WideNet(Net):
    def __init__(self, in_channels: int, out_channels: int, width: int = 3):
        super().__init__()
        self.given = (in_channels, out_channels, width)


class AnyTask(LightningModule):
    pass


class TinyTask(AnyTask):
    def __init__(
        self,
        network: Callable[[int, int], Net],
        learning_rate: float = 0.01,
        optimizer: Literal["adamw", "sgd"] = "adamw",
    ):
        super().__init__()
        if learning_rate <= 0:
            raise ValueError("model.learning_rate: expected a positive number")
        self.make_network, self.learning_rate = network, learning_rate


@dataclass
class Choice:
    crop: Literal["none", "air"] = "none"
    sigma: float = 1.0


class AnyData(LightningDataModule):
    pass


class TinyData(AnyData):
    def __init__(
        self,
        root: Path | None = None,
        batch_size: int = 2,
        choice: Choice | None = Choice(),  # noqa: B008
        spacing_mm: tuple[float, float, float] | Literal["median"] = "median",
        labels: dict[str, int] | None = None,
    ):
        super().__init__()
        if root == Path("unreadable"):
            raise DataError(root, "a folder", "nothing", "name another one with --data.root")
        self.root, self.batch_size, self.choice, self.labels = root, batch_size, choice, labels


@pytest.fixture(autouse=True)
def standins(monkeypatch):
    """Classes of a module that counts as ours, as a config's class paths are importable names."""
    module = types.ModuleType("pipeline.standins")
    for cls in (Net, TinyNet, WideNet, AnyTask, TinyTask, Choice, AnyData, TinyData):
        cls.__module__ = module.__name__
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(pipeline, "standins", module, raising=False)
    return module


CONFIG = """
model:
  class_path: TinyTask
  init_args:
    network:
      class_path: TinyNet
      init_args: {channels: [2, 4]}
data:
  class_path: TinyData
trainer:
  max_epochs: 1
  accelerator: cpu
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def parse(tmp_path):
    """Parse a command line with the stand-ins as the base classes."""

    def run(*arguments):
        restrict_imports(allow_custom_code=False)
        logger = {"class_path": "CSVLogger", "init_args": {"save_dir": str(tmp_path)}}
        defaults = {"logger": logger, "enable_model_summary": False}
        return TrainingCLI([str(argument) for argument in arguments], AnyTask, AnyData, defaults)

    return run
