import json
import shutil

import cv2
import nibabel as nib
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


class VolumeSet:
    """A small CT data set in the nnU-Net raw layout, to plant faults in."""

    SHAPE = (24, 20, 16)
    AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
    CASES = ("a", "b", "c", "d", "e", "f")

    def __init__(self, root):
        self.root = root

    def write(self, channels=1):
        for folder in ("imagesTr", "labelsTr", "imagesTs"):
            (self.root / folder).mkdir(parents=True)
        for seed, case in enumerate([*self.CASES, "t"]):
            self.write_case(case, seed, channels)
        shutil.rmtree(self.root / "labelsTs")
        labels = {"background": 0, "left": 1, "right": 2}
        names = {str(channel): f"CT {channel}" for channel in range(channels)}
        self.describe(labels=labels, numTraining=len(self.CASES), file_ending=".nii.gz", channel_names=names)
        return self

    def write_case(self, case, seed, channels):
        rng = np.random.default_rng(seed)
        label = np.zeros(self.SHAPE, np.uint8)
        label[3 + seed % 3 : 9, 6 + seed // 3 : 14, 4:12], label[12:18, 6 + seed // 3 : 14, 4 + seed % 3 : 12] = 1, 2
        part = "Ts" if case == "t" else "Tr"
        for channel in range(channels):
            voxels = np.full(self.SHAPE, -1000.0)
            voxels[2:-2, 2:-2, 1:-1] = 40
            voxels += 60 * label + rng.normal(0, 15, self.SHAPE)
            self.save(self.scan(case, channel, f"images{part}"), np.clip(voxels, -1024, 3000).astype(np.int16))
        (self.root / f"labels{part}").mkdir(exist_ok=True)
        self.save(self.root / f"labels{part}" / f"{case}.nii.gz", label)

    def copy(self, root):
        return VolumeSet(shutil.copytree(self.root, root))

    def scan(self, case, channel=0, folder="imagesTr"):
        return self.root / folder / f"{case}_{channel:04d}.nii.gz"

    def mask(self, case):
        return self.root / "labelsTr" / f"{case}.nii.gz"

    def describe(self, **changes):
        path = self.root / "dataset.json"
        content = (json.loads(path.read_text()) if path.exists() else {}) | changes
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    def save(self, path, array, affine=AFFINE):
        image = nib.Nifti1Image(array, affine)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        if not np.allclose(image.get_qform(), affine):  # a quaternion holds no shear
            image.set_qform(None, 0)
        nib.save(image, path)

    def read(self, path):
        return np.asarray(nib.load(path).dataobj).copy()

    def change(self, path, function):
        self.save(path, function(self.read(path)), nib.load(path).affine)

    def put(self, path, voxel, value, dtype=None):
        array = self.read(path).astype(dtype or self.read(path).dtype)
        array[voxel] = value
        self.save(path, array, nib.load(path).affine)

    def turn(self, affine, *paths):
        for path in paths:
            self.save(path, self.read(path), np.array(affine, dtype=float))

    def erase(self, value, cases):
        for case in cases:
            self.change(self.mask(case), lambda array: np.where(array == value, 0, array).astype(np.uint8))

    def damage(self, path, function):
        path.write_bytes(function(bytearray(path.read_bytes())))


@pytest.fixture(scope="session")
def sound_set(tmp_path_factory):
    """Six small CTs with two structures each, and one for testing, in which nothing is wrong."""
    return VolumeSet(tmp_path_factory.mktemp("sound") / "set").write()


@pytest.fixture(scope="session")
def sound_channels(tmp_path_factory):
    """The same with two channels."""
    return VolumeSet(tmp_path_factory.mktemp("sound") / "set").write(channels=2)


@pytest.fixture
def check(tmp_path, cache):
    """Run `pipeline check` and return its exit code and what is in check.json."""

    def run(root, *options):
        given = ["--output", str(tmp_path / "out"), "--cache-dir", str(cache), "--workers", "0", *options]
        code = main(["check", str(root), *([] if "--folds" in options else ["--folds", "2"]), *given])
        return code, json.loads((tmp_path / "out" / "check.json").read_text())

    return run
