import json
import unicodedata

import numpy as np
import pytest

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError


def test_subjects_have_joints_boxes_and_areas_as_written(coco, write_coco):
    listing = find_poses(write_coco(coco))

    assert listing.format == "coco"
    assert [sample.id for sample in listing.samples] == ["a", "a_2", "b"]
    first, second, _ = listing.samples
    np.testing.assert_array_equal(first.keypoints, [[10, 20], [12.5, 8], [0, 0]])
    np.testing.assert_array_equal(first.visibility, [2, 1, 0])
    assert first.keypoints.dtype == np.float32
    assert first.visibility.dtype == np.uint8
    assert first.box == (9, 7, 20, 30)
    assert first.area_px == 600
    assert first.image.name == "a.png"
    assert second.box is None
    assert second.area_px is None


def test_skeleton_comes_from_the_category_and_pairs_from_names(coco, write_coco):
    skeleton = find_poses(write_coco(coco)).skeleton

    assert skeleton.names == ("nose", "left_ear", "right_ear")
    assert skeleton.edges == ((0, 1), (0, 2))
    assert skeleton.pairs == ((1, 2),)


def test_subjects_of_one_image_are_one_group(coco, write_coco):
    groups = [sample.group for sample in find_poses(write_coco(coco)).samples]

    assert groups[0] == groups[1] != groups[2]


def test_videos_that_the_file_tells_apart_are_groups(coco, write_coco):
    for image, video in zip(coco["images"], (11, 12), strict=True):
        image["video_id"] = video

    assert [sample.group for sample in find_poses(write_coco(coco)).samples] == ["11", "11", "12"]


def test_a_skeleton_with_a_joint_0_counts_from_0(coco, write_coco):
    coco["categories"][0]["skeleton"] = [[0, 2]]

    assert find_poses(write_coco(coco)).skeleton.edges == ((0, 2),)


def test_a_skeleton_of_names_and_a_flip_map_are_taken(coco, write_coco):
    coco["categories"][0] |= {
        "keypoints": ["tip", "one", "other"],
        "skeleton": [["tip", "one"]],
        "keypoint_flip_map": [["one", "other"]],
    }
    skeleton = find_poses(write_coco(coco)).skeleton

    assert skeleton.edges == ((0, 1),)
    assert skeleton.pairs == ((1, 2),)


def test_crowds_and_unlabelled_annotations_are_left_out_and_counted(coco, write_coco):
    coco["annotations"][0]["iscrowd"] = 1
    coco["annotations"][1]["keypoints"] = [0] * 9
    coco["annotations"].append({"id": 9, "image_id": 2, "category_id": 7, "bbox": [1, 1, 2, 2]})
    listing = find_poses(write_coco(coco))

    assert len(listing.samples) == 1
    told = " | ".join(listing.origins)
    for part in ("1 of a crowd", "1 without any labelled joint", "1 without keypoints"):
        assert part in told


def test_categories_with_the_same_joints_count_together(coco, write_coco):
    coco["categories"].append(coco["categories"][0] | {"id": 8, "name": "rat"})
    coco["annotations"][1]["category_id"] = 8
    listing = find_poses(write_coco(coco))

    assert len(listing.samples) == 3
    assert any("mouse, rat" in origin for origin in listing.origins)


def test_a_category_without_labels_does_not_count(coco, write_coco):
    coco["categories"].insert(0, {"id": 1, "name": "ball"})
    coco["annotations"].append({"id": 9, "image_id": 1, "category_id": 1, "keypoints": [0, 0, 0]})

    assert len(find_poses(write_coco(coco)).samples) == 3


def test_categories_with_different_joints_are_refused_by_name(coco, write_coco):
    coco["categories"].append({"id": 8, "name": "hand", "keypoints": ["thumb"]})
    coco["annotations"].append({"id": 9, "image_id": 1, "category_id": 8, "keypoints": [1, 1, 2]})

    with pytest.raises(DataError, match=r"mouse \(3 joints\), hand \(1 joints\)"):
        find_poses(write_coco(coco))


def _set(*path):
    """Return a change of the content: the value is the last item."""

    def change(content):
        *keys, last, value = path
        for key in keys:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("annotations", 1, "keypoints", [1, 2, 2]), "expected 9 numbers.*found 3 in annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 2, 2, "x", 4, 2, 5, 6, 2]), "numbers as keypoints.*annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 2, 2, float("nan"), 4, 2, 5, 6, 2]), "joint 2 of annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 2, 2, None, 4, 1, 5, 6, 2]), "joint 2 of annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 2, 3, 3, 4, 2, 5, 6, 2]), "visibility 0, 1 or 2.*3 in annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 1e200, 2, 3, 4, 2, 5, 6, 2]), "joint 1 of annotation 6"),
        (_set("annotations", 1, "keypoints", [1, 10**400, 2, 3, 4, 2, 5, 6, 2]), "numbers as keypoints"),
        (_set("annotations", 1, "bbox", [1, 2, 3]), "bbox as four finite numbers.*annotation 6"),
        (_set("annotations", 1, "image_id", 99), "image_id 99 in annotation 6"),
        (_set("annotations", 1, "category_id", 99), "category_id 99 in annotations"),
        (_set("annotations", 1, "id", 5), "every annotation, found 1 that repeat: 5"),
        (_set("annotations", 1, [1]), r"list at annotations\[1\]"),
        (_set("images", 1, "id", 1), "every image, found 1 that repeat: 1"),
        (_set("images", 1, {"id": 2}), "`file_name` of every image"),
        (_set("categories", 0, "keypoints", []), "joint names of category mouse"),
        (_set("categories", 0, "keypoints", ["a", "b", "a"]), "different joint names in category mouse, found a"),
        (_set("categories", 0, "skeleton", [[1, 4]]), r"joints from 1 to 3 in skeleton, found \[1, 4\]"),
        (_set("categories", 0, "skeleton", [[1, "nose"]]), "pairs of joints as skeleton"),
        (_set("categories", 0, "skeleton", [["nose", "tail"]]), "pairs of two different joints"),
        (_set("categories", 0, "keypoint_flip_map", [["nose", "nose"]]), "pairs of two different joints"),
    ],
)
def test_malformed_content_is_refused_and_located(coco, write_coco, change, message):
    root = write_coco(coco)
    change(coco)
    (root / "annotations.json").write_text(json.dumps(coco))

    with pytest.raises(DataError, match=message):
        find_poses(root)


def test_no_labelled_joint_at_all_is_refused(coco, write_coco):
    for annotation in coco["annotations"]:
        annotation["keypoints"] = [0] * 9

    with pytest.raises(DataError, match="annotations with keypoints, found none"):
        find_poses(write_coco(coco))


def test_joints_out_of_the_image_are_kept(coco, write_coco):
    coco["annotations"][1]["keypoints"] = [-40, 0, 2, 66, 20, 2, 10, 500, 1]
    listing = find_poses(write_coco(coco))

    np.testing.assert_array_equal(listing.samples[2].keypoints[0], [-40, 0])


def test_f31_spaces_accents_and_sub_folders_are_kept(coco, write_coco):
    coco["images"][0]["file_name"] = "jour 1/souris été.png"
    coco["images"][1]["file_name"] = "jour 1/" + "x" * 200 + ".png"
    listing = find_poses(write_coco(coco))

    assert [sample.id for sample in listing.samples[:2]] == ["jour 1_souris été", "jour 1_souris été_2"]
    assert len(listing.samples[2].id.encode()) <= 160
    assert all(sample.image.is_file() for sample in listing.samples)


def test_f31_accents_stored_as_two_signs_are_found(coco, write_coco):
    coco["images"][0]["file_name"] = unicodedata.normalize("NFD", "é.png")
    root = write_coco(coco)
    coco["images"][0]["file_name"] = unicodedata.normalize("NFC", "é.png")
    (root / "annotations.json").write_text(json.dumps(coco))

    assert find_poses(root).samples[-2].id == unicodedata.normalize("NFC", "é")


def test_f31_names_equal_but_for_case_or_folder_get_ids_of_their_own(coco, write_coco):
    coco["images"][0]["file_name"] = "x/A.png"
    coco["images"][1]["file_name"] = "x_a.jpg"
    ids = [sample.id for sample in find_poses(write_coco(coco)).samples]

    assert len({id_.casefold() for id_ in ids}) == 3


@pytest.mark.shared_data
def test_the_sports_photographs_list_as_coco_and_as_lsp_with_the_same_joints(shared_data):
    coco, lsp = (find_poses(shared_data / "sports_pose", kind) for kind in ("auto", "lsp"))

    assert (coco.format, lsp.format) == ("coco", "lsp")
    assert len(coco.samples) == len(lsp.samples) == 2400
    assert coco.skeleton.names == lsp.skeleton.names
    assert set(coco.skeleton.pairs) == set(lsp.skeleton.pairs)
    assert set(coco.skeleton.edges) == set(lsp.skeleton.edges)
    assert len(lsp.skeleton.pairs) == 6
    assert any("joints.mat fits as well: data.format lsp" in origin for origin in coco.origins)
    for one, other in zip(coco.samples, lsp.samples, strict=True):
        assert (one.id, one.image, one.group) == (other.id, other.image, other.group)
        np.testing.assert_array_equal(one.visibility, other.visibility)
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.051)  # the JSON has one decimal
