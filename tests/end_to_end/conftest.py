import cv2
import numpy as np
import pytest

from datamodules.figures import make_figures
from datamodules.phantom import make_phantom
from pipeline.cli import main


@pytest.fixture(scope="session")
def volumes(tmp_path_factory):
    """Six small CT phantoms in the nnU-Net raw layout."""
    return make_phantom(tmp_path_factory.mktemp("data") / "ct", cases=6, shape=(40, 32, 32), workers=0)


@pytest.fixture(scope="session")
def slices(tmp_path_factory):
    """Six images of bright discs with masks of 0 and 255."""
    root = tmp_path_factory.mktemp("data") / "em"
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((80, 96), dtype=np.uint8)
        for x, y in rng.integers(10, 70, (4, 2)):
            cv2.circle(mask, (int(x), int(y)), 9, 255, -1)
        image = np.clip(mask * 0.5 + rng.normal(60, 10, mask.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "images" / f"slice_{number}.png"), image)
        cv2.imwrite(str(root / "masks" / f"slice_{number}.png"), mask)
    return root


@pytest.fixture(scope="session")
def figures(tmp_path_factory):
    """Twelve rendered figures in the layout of COCO, and their video."""
    return make_figures(tmp_path_factory.mktemp("data") / "figures", images=12, workers=0)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder to run commands in; the cache is a folder of it, and no tracking server is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache that lasts, so that each data set is prepared once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def train(work, cache):
    """Run `pipeline train` with a tiny budget and return its run's folder."""

    def run(config, *arguments, steps=2):
        # Without a time limit the learning rate follows the steps alone, and runs can be compared.
        budget = [
            "--trainer.max_time",
            "null",
            "--trainer.max_epochs",
            "2",
            "--data.steps_per_epoch",
            str(steps),
            "--data.workers",
            "0",
        ]
        before = set(work.glob("mlruns/artifacts/*/*/artifacts"))
        assert main(["train", "--config", config, *budget, "--data.cache_dir", str(cache), *arguments]) == 0
        (folder,) = set(work.glob("mlruns/artifacts/*/*/artifacts")) - before
        return folder

    return run
