from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.image_store import ImageStore, StoredImage
from datamodules.keypoints import PoseSample, Skeleton
from datamodules.pose_subjects import (
    choose_subject,
    sides_without_partner,
    subject_box,
    to_subject,
    usable,
    warn_of_boxes,
    warn_of_far_joints,
)

IMAGE = Path("a.png")
STORE = ImageStore(Path("cache"), {IMAGE: StoredImage(200, 100, 0)}, {IMAGE: "content"})
SKELETON = Skeleton(("a", "b", "c"))


def sample(points, visibility=None, box=None, name="s"):
    points = np.array(points, np.float32)
    visible = np.full(len(points), 2) if visibility is None else np.array(visibility)
    return PoseSample(name, name, IMAGE, points, visible.astype(np.uint8), box)


def listing(*boxes, images="abcdef"):
    samples = [sample([[1, 1]], box=box, name=str(n)) for n, box in enumerate(boxes)]
    return [replace(each, image=Path(f"{images[n]}.png")) for n, each in enumerate(samples)]


@pytest.mark.parametrize(
    ("data", "format", "choice", "expected", "why"),
    [
        (listing((0, 0, 9, 9), None), "coco", "auto", "box", "1 of 2 subjects have a box"),
        (listing(None), "lsp", "auto", "box", "format lsp"),
        (listing(None), "mpii", "auto", "box", "format mpii"),
        (listing(None, None), "deeplabcut", "auto", "image", "no subject has a box"),
        (listing(None, None, None, images="aba"), "deeplabcut", "auto", "box", "1 of 2 images show several subjects"),
        (listing(None, None, None, images="aba"), "coco", "auto", "box", "1 of 2 images show several subjects"),
        (listing(None, None, images="aa"), "coco", "box", "box", "data.subject"),
        (listing(None), "coco", "box", "box", "data.subject"),
        (listing((0, 0, 9, 9)), "coco", "image", "image", "data.subject"),
    ],
)
def test_what_is_cut_out_is_chosen_with_a_reason(data, format, choice, expected, why):
    chosen, reason = choose_subject(data, format, choice)
    assert chosen == expected
    assert why in reason


@pytest.mark.parametrize("box", [None, (0, 0, 9, 9)])
def test_whole_images_that_show_several_subjects_are_refused_by_name(box):
    data = listing(None, box, None, images="abb")
    with pytest.raises(
        DataError, match=r"b\.png: expected one subject in each image.*found 2 in this one.*1 of 2 images"
    ):
        choose_subject(data, "deeplabcut", "image")


def test_a_box_is_taken_as_it_is_annotated():
    assert subject_box(sample([[5, 5]], box=(3, 4, 50, 60)), (200, 100), "box") == (3, 4, 50, 60)


def test_whole_images_have_no_need_of_boxes():
    assert subject_box(sample([[5, 5]], box=(3, 4, 50, 60)), (200, 100), "image") == (-0.5, -0.5, 200, 100)


@pytest.mark.parametrize(
    "box", [None, (3, 4, 0, 60), (3, 4, 50, -1), (float("nan"), 4, 5, 6), (300, 4, 50, 60), (-90, -90, 50, 60)]
)
def test_without_a_usable_box_the_labelled_joints_have_one(box):
    person = sample([[20, 30], [80, 90], [0, 0]], [2, 1, 0], box)
    assert subject_box(person, (200, 100), "box") == (20, 30, 60, 60)


def test_a_box_of_one_joint_has_an_extent():
    assert subject_box(sample([[20, 30], [0, 0]], [2, 0]), (200, 100), "box") == (12, 22, 16, 16)


def test_f04_joints_far_out_of_the_image_make_no_box(caplog):
    # 50 px, a quarter of the longer side, beyond the border are the margin
    person = sample([[20, 30], [80, 90], [5000, 30], [20, -900], [-50, 30], [90, 149]])
    assert subject_box(person, (200, 100), "box") == (-50, 30, 140, 119)
    beyond = sample([[20, 30], [80, 90], [-51, 30], [90, 150], [251, 40]])
    assert subject_box(beyond, (200, 100), "box") == (20, 30, 60, 60)


def test_f04_subjects_with_joints_far_out_of_their_image_are_named(caplog):
    fine = sample([[20, 30], [-50, 30], [-900, 0]], [2, 1, 0], name="fine")
    slipped = sample([[20, 30], [5000, 30], [20, -900]], name="slipped")
    warn_of_far_joints([fine, slipped], STORE)
    assert "2 joints lie far outside of their images; check them in slipped" in caplog.text
    caplog.clear()
    warn_of_far_joints([fine], STORE)
    assert not caplog.records


def test_subjects_that_teach_nothing_are_left_out_by_name(caplog):
    good = sample([[20, 30], [-50, 30]], name="one joint outside")
    unlabelled = sample([[0, 0]], [0], name="nothing labelled")
    away = sample([[250, 30], [-9, 4]], name="person out of the image")
    edge = sample([[-0.4, 99.4]], name="on the edge")
    assert usable([good, unlabelled, away, edge], STORE) == [good, edge]
    assert "1 of 4 subjects have no labelled joint and are left out: nothing labelled" in caplog.text
    assert "1 of 4 subjects lie outside of their image and are left out: person out of the image" in caplog.text


def test_usable_subjects_pass_in_silence(caplog):
    person = sample([[20, 30]])
    assert usable([person], STORE) == [person]
    assert not caplog.records


def test_doubtful_boxes_are_named(caplog):
    fine = sample([[20, 30], [40, 50]], box=(20, 30, 20, 20), name="fine")
    away = sample([[20, 30]], box=(300, 300, 20, 20), name="away")
    # two corners where a corner and an extent belong
    corners = sample([[150, 80], [160, 90]], box=(0.75, 0.8, 0.8, 0.9), name="shares of the image")
    warn_of_boxes([fine, away, corners], STORE)
    assert "1 of 3 boxes have no extent or lie outside of their image" in caplog.text
    assert "are taken: away" in caplog.text
    assert "1 of 3 boxes hold less than half" in caplog.text
    assert "pixels: shares of the image" in caplog.text
    assert "fine" not in caplog.text


def test_a_sample_becomes_a_subject_with_its_box():
    person = sample([[20, 30], [40, 70]])
    made = to_subject(person, STORE, "box")
    assert (made.id, made.image, made.box) == ("s", IMAGE, (20, 30, 20, 40))
    np.testing.assert_array_equal(made.keypoints, person.keypoints)


@pytest.mark.parametrize(
    "name",
    ["left_ear", "earRight", "rightear", "LEFT hip", "ear_L", "R.knee", "paw1LH_top", "hipL", "l-eye", "LShoulder"],
)
def test_names_with_a_side_and_no_partner_are_found(name):
    assert sides_without_partner(Skeleton(("nose", name))) == (name,)


@pytest.mark.parametrize(
    "name", ["nose", "tailbase", "tail_1", "neck", "head_top", "Lip", "Rump", "elbow", "joint3", "tail2R2", "LED"]
)
def test_names_without_a_side_are_not(name):
    assert sides_without_partner(Skeleton((name,))) == ()


def test_a_bare_l_and_r_in_front_may_be_sides():
    assert sides_without_partner(Skeleton(("rear", "nose", "lear", "ledge"))) == ("rear", "lear")
    assert sides_without_partner(Skeleton(("rear", "nose", "lear"), pairs=((2, 0),))) == ()


def test_pairs_have_their_partners():
    names = ("left_ear", "right_ear", "left_hand")
    assert sides_without_partner(Skeleton(names, pairs=((0, 1),))) == ("left_hand",)
    assert sides_without_partner(Skeleton(names[:2], pairs=((0, 1),))) == ()
