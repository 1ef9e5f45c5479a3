import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.image_store import open_store
from datamodules.keypoints import PoseListing, PoseSample, Skeleton
from datamodules.prepared_poses import digest_poses, prepare_poses
from datamodules.splits import SplitChoice


@pytest.fixture
def listing(tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (50, 60, 3), dtype=np.uint8))
        points = rng.uniform(10, 40, (2, 2)).astype(np.float32)
        samples.append(PoseSample(f"s{number}", f"g{number}", path, points, np.array([2, 1], np.uint8), (5, 5, 40, 40)))
    return PoseListing(tuple(samples), Skeleton(("a", "b")), "coco")


@pytest.fixture
def prepare(tmp_path):
    def build(listing, **changes):
        images = open_store([s.image for s in listing.samples], tmp_path / "cache", cache_mib=1, workers=1)
        settings = {"input_size": (32, 32), "subject": "auto", "padding": 1.25} | changes
        return prepare_poses(tmp_path, listing, images, SplitChoice(folds=3), **settings)

    return build


def changed(listing, index, **changes):
    samples = list(listing.samples)
    samples[index] = replace(samples[index], **changes)
    return replace(listing, samples=tuple(samples))


def test_subjects_are_parted_and_ready_to_be_cut_out(listing, prepare):
    ready = prepare(listing)
    assert sorted(ready.split.train + ready.split.validation) == [f"s{n}" for n in range(6)]
    assert (ready.preprocessing.subject, ready.preprocessing.input_size) == ("box", (32, 32))
    assert [s.id for s in ready.subjects(ready.split.validation)] == list(ready.split.validation)
    assert ready.subjects(["s3"])[0].box == (5, 5, 40, 40)
    assert ready.training_range["width_px"] == [60, 60]


def test_subjects_that_teach_nothing_are_in_no_part(listing, prepare):
    away = np.array([[500, 500], [-50, 3]], np.float32)
    ready = prepare(changed(listing, 2, keypoints=away))
    assert "s2" not in ready.samples
    assert "s2" not in ready.split.train + ready.split.validation
    assert len(ready.listing.samples) == 6


def test_f17_the_same_image_in_two_groups_is_refused_by_name(listing, prepare, tmp_path):
    copy = tmp_path / "copy.png"
    shutil.copy(listing.samples[4].image, copy)
    with pytest.raises(DataError, match=r"every image in one group.*copy\.png and 4\.png|4\.png and copy\.png"):
        prepare(changed(listing, 1, image=copy))


def test_several_subjects_of_one_image_are_one_group(listing, prepare, tmp_path):
    shared = changed(listing, 1, image=listing.samples[4].image, group="g4")
    ready = prepare(shared)
    parts = [{"s1", "s4"} & set(part) for part in (ready.split.train, ready.split.validation)]
    assert sorted(map(len, parts)) == [0, 2]


def test_several_subjects_of_one_image_without_boxes_are_cut_out_apart(listing, prepare):
    boxless = replace(listing, samples=tuple(replace(sample, box=None) for sample in listing.samples))
    assert prepare(boxless).preprocessing.subject == "image"
    shared = changed(boxless, 1, image=listing.samples[4].image, group="g4")
    ready = prepare(shared)
    assert ready.preprocessing.subject == "box"
    one, other = ready.subjects(["s1", "s4"])
    assert one.box != other.box
    with pytest.raises(DataError, match=r"4\.png: expected one subject in each image"):
        prepare(shared, subject="image")
    unlabelled = changed(shared, 1, visibility=np.zeros(2, np.uint8))
    assert prepare(unlabelled, subject="image").preprocessing.subject == "image"


@pytest.mark.parametrize("subject", ["box", "image"])
def test_f04_joints_far_out_of_their_image_are_named(listing, prepare, caplog, subject):
    slipped = np.array([[30, 20], [500, 20]], np.float32)
    prepare(changed(listing, 2, keypoints=slipped), subject=subject)
    assert "1 joints lie far outside of their images; check them in s2" in caplog.text


def test_fewer_groups_than_folds_make_a_fold_each(listing, prepare, caplog):
    samples = tuple(replace(sample, group=f"video{number // 3}") for number, sample in enumerate(listing.samples))
    ready = prepare(replace(listing, samples=samples))
    assert {len(ready.split.train), len(ready.split.validation)} == {3}
    assert len({ready.samples[id_].group for id_ in ready.split.validation}) == 1
    assert "There are 2 groups (video0, video1), fewer than data.split.folds" in caplog.text


def test_a_single_group_cannot_be_split(listing, prepare):
    samples = tuple(replace(sample, group="one") for sample in listing.samples)
    with pytest.raises(DataError, match="at least one group"):
        prepare(replace(listing, samples=samples))


def test_the_digest_knows_images_and_annotations_but_not_names_or_order(listing, prepare, tmp_path):
    def digest(other):
        images = open_store([s.image for s in other.samples], tmp_path / "cache", cache_mib=1, workers=1)
        return digest_poses(other, images)

    first = digest(listing)
    assert len(first) == 64
    assert digest(replace(listing, samples=listing.samples[::-1])) == first
    moved = tmp_path / "moved.png"
    shutil.copy(listing.samples[0].image, moved)
    assert digest(changed(listing, 0, image=moved)) == first
    nudged = listing.samples[0].keypoints + np.float32(0.5)
    others = [
        changed(listing, 0, keypoints=nudged),
        changed(listing, 0, visibility=np.array([2, 2], np.uint8)),
        changed(listing, 0, box=(5, 5, 40, 41)),
        changed(listing, 0, head_size_px=9.0),
        replace(listing, skeleton=Skeleton(("a", "c"))),
    ]
    cv2.imwrite(str(moved), np.zeros((50, 60, 3), np.uint8))
    others.append(changed(listing, 0, image=moved))
    assert len({first, *map(digest, others)}) == 7
