import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datamodules import sampling
from datamodules.figures import make_figures
from datamodules.formats.errors import DataError
from datamodules.keypoints import Skeleton
from datamodules.pose import PoseData, flip_if_safe
from datamodules.pose_augmentation import PoseAugmentation
from datamodules.splits import SplitChoice

NAMES = ["nose", "left_hand", "right_hand"]


def write_coco(root, count=10):
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, count + 1):
        cv2.imwrite(str(root / "images" / f"{number}.png"), rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "width": 80, "height": 60})
        points = np.column_stack([rng.uniform(20, 60, 3), rng.uniform(10, 50, 3), [2, 1, 2]]).round(1)
        box, area = [15, 5, 50, 50], 2500
        entry = {"id": number, "image_id": number, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0}
        annotations.append(entry | {"keypoints": points.ravel().tolist(), "num_keypoints": 3})
    category = {"id": 1, "name": "person", "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]}
    described = {"images": images, "annotations": annotations, "categories": [category]}
    (root / "annotations.json").write_text(json.dumps(described), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp("data") / "coco")


@pytest.fixture
def make(root, tmp_path):
    def build(seed=0, **changes):
        settings = {
            "root": root,
            "input_size": (32, 24),
            "batch_size": 2,
            "workers": 0,
            "steps_per_epoch": 3,
            "cache_dir": tmp_path / "cache",
        }
        data = PoseData(**settings | changes)
        data.seed = seed
        data.prepare_data()
        data.setup("fit")
        return data

    return build


def same(a, b):
    return a.case_id == b.case_id and all(torch.equal(x, y) for x, y in zip(a[:4], b[:4], strict=True))


def test_what_the_network_must_fit_is_known_after_setup(make):
    data = make()
    assert (data.in_channels, data.out_channels) == (3, 3)
    assert data.skeleton.names == tuple(NAMES)
    assert data.skeleton.pairs == ((1, 2),)
    assert data.preprocessing.subject == "box"
    assert len(data.training_samples) == 8
    assert [s.id for s in data.validation_samples] == list(data.split.validation)
    assert len(data.digest) == 64
    assert data.training_range["width_px"] == [80, 80]


def test_an_epoch_has_the_batches_asked_for_and_each_epoch_others(make):
    loader = make().train_dataloader()
    first = list(loader)
    assert [tuple(batch.image.shape) for batch in first] == [(2, 3, 24, 32)] * 3
    loader.sampler.set_epoch(1)
    assert not torch.equal(first[0].image, next(iter(loader)).image)


def test_f20_batches_are_the_same_with_any_number_of_workers_and_after_a_resume(make):
    alone = make()
    loader = alone.train_dataloader()
    first = list(loader)
    loader.sampler.set_epoch(1)
    second = list(loader)
    resumed = make(workers=2).train_dataloader()
    resumed.sampler.set_epoch(1)
    shared = list(resumed)
    assert all(same(a, b) for a, b in zip(second, shared, strict=True))
    assert not same(first[0], shared[0])
    assert shared[0].image.is_contiguous(memory_format=torch.channels_last)
    assert not same(first[0], next(iter(make(seed=1).train_dataloader())))


def test_validation_holds_every_subject_once_and_plainly(make):
    data = make(split=SplitChoice(folds=3))
    batches = list(data.val_dataloader())
    assert [name for batch in batches for name in batch.case_id] == list(data.split.validation)
    assert [len(batch.case_id) for batch in batches] == [2, 2]
    for batch, again in zip(batches, data.val_dataloader(), strict=True):
        assert same(batch, again)
        for name, affine in zip(batch.case_id, batch.to_original, strict=True):
            np.testing.assert_allclose(affine, data.preprocessing.affine(data.samples[name].box))


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_share_the_validation_in_batches(make, monkeypatch, size):
    data = make(split=SplitChoice(folds=2))
    seen = []
    for rank in range(size):
        monkeypatch.setattr(sampling, "_rank_and_size", lambda rank=rank: (rank, size))
        seen.append([name for batch in data.val_dataloader() for name in batch.case_id])
    assert {name for names in seen for name in names} == set(data.split.validation)
    assert len({len(names) for names in seen}) == 1


def test_images_decode_in_prepare_data_alone(make, root, tmp_path):
    make()
    written = {path: path.stat().st_ino for path in (tmp_path / "cache" / "pose-images").iterdir()}
    data = make()
    list(data.train_dataloader())
    assert {path: path.stat().st_ino for path in (tmp_path / "cache" / "pose-images").iterdir()} == written


def test_setup_without_prepare_data_works_as_on_another_node(root, tmp_path):
    data = PoseData(root, input_size=(32, 24), workers=0, cache_dir=tmp_path)
    with pytest.raises(RuntimeError, match="call prepare_data and setup first"):
        _ = data.skeleton
    data.setup("fit")
    assert data.out_channels == 3


def test_no_augmentation_is_the_plain_cut(make):
    data = make(augmentation=None)
    batch = next(iter(data.train_dataloader()))
    np.testing.assert_allclose(batch.to_original[0], data.preprocessing.affine(data.samples[batch.case_id[0]].box))


def test_the_log_says_where_everything_comes_from(make, caplog):
    with caplog.at_level(logging.INFO):
        make()
    assert "cut out by their boxes: 10 of 10 subjects have a box" in caplog.text
    assert "joint names" in caplog.text


def test_embedded_figures_of_another_version_are_not_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_figures(Path("data") / "figures", images=6, frames=0, size=(64, 64), workers=0)
    settings = {"embedded": "figures", "input_size": (32, 24), "workers": 0, "cache_dir": tmp_path / "cache"}
    PoseData(**settings).prepare_data()
    path = Path("data") / "figures" / "annotations.json"
    described = json.loads(path.read_text())
    described["info"]["figures"]["version"] += 1
    path.write_text(json.dumps(described))
    with pytest.raises(DataError, match=r"rendered figures of version.*remove the folder data/figures"):
        PoseData(**settings).prepare_data()
    assert PoseData(**settings | {"root": Path("data") / "figures"}).prepare_data() is None


def test_images_that_do_not_decode_are_all_named(tmp_path):
    root = write_coco(tmp_path / "coco")
    for name in ("3.png", "7.png"):
        path = root / "images" / name
        path.write_bytes(path.read_bytes()[:-100])
    data = PoseData(root, workers=0, cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match="found 2 of 10") as caught:
        data.prepare_data()
    assert all(f"images/{name}: expected intact PNG chunks" in str(caught.value) for name in ("3.png", "7.png"))


def test_a_mirror_image_without_known_pairs_is_turned_off_with_a_word(caplog):
    sided = Skeleton(("nose", "left_hand", "right_hand"))
    augmentation = PoseAugmentation(rotation_degrees=10)
    safe = flip_if_safe(augmentation, sided)
    assert (safe.flip_p, safe.rotation_degrees) == (0.0, 10)
    assert augmentation.flip_p == 0.5
    assert "left_hand, right_hand" in caplog.text
    assert "data.pairs" in caplog.text
    caplog.clear()
    assert flip_if_safe(PoseAugmentation(flip_p=0), sided).flip_p == 0
    assert flip_if_safe(augmentation, Skeleton(sided.names, pairs=((1, 2),))).flip_p == 0.5
    assert flip_if_safe(augmentation, Skeleton(("nose", "tail"))).flip_p == 0.5
    assert flip_if_safe(None, sided) is None
    assert not caplog.records


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"steps_per_epoch": 0},
        {"input_size": (0, 64)},
        {"padding": 0.9},
        {"padding": float("nan")},
        {"workers": -1},
        {"cache_mib": -1},
    ],
)
def test_settings_that_cannot_be_are_refused(root, wrong):
    with pytest.raises(ValueError, match="data: expected batch_size"):
        PoseData(root, **wrong)


def test_no_data_and_absent_data_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"data\.root: expected a folder of annotated images, found nothing"):
        PoseData()
    with pytest.raises(DataError, match=r"check --data\.root"):
        PoseData(tmp_path / "absent")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "subject", "joints", "total"),
    [("sports_pose", "box", 14, 2400), ("open_field_mouse", "image", 4, 86), ("mirror_mouse", "image", 17, 90)],
)
def test_real_data_sets_train_with_no_edit_but_the_path(make, shared_data, name, subject, joints, total):
    data = make(root=shared_data / name, workers=1)
    assert (data.preprocessing.subject, data.out_channels) == (subject, joints)
    assert len(data.training_samples) + len(data.validation_samples) == total
    batch = next(iter(data.train_dataloader()))
    assert batch.keypoints.shape == (2, joints, 2)
    assert set(batch.visibility.unique().tolist()) <= {0, 1, 2}
