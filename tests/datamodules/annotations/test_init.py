import json
import shutil

import pytest

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError


def test_an_unknown_format_is_a_wrong_option(tmp_path):
    with pytest.raises(ValueError, match="auto, coco, deeplabcut, mpii, lsp, found 'yolo'"):
        find_poses(tmp_path, "yolo")


def test_nothing_at_the_path_is_refused(tmp_path):
    with pytest.raises(DataError, match="nothing at this path"):
        find_poses(tmp_path / "none")


def test_a_folder_that_fits_nothing_lists_what_was_looked_for_and_found(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "boxes.json").write_text('{"images": [], "annotations": [], "categories": []}')
    (tmp_path / "joints.mat").write_bytes(b"no matrix")
    (tmp_path / "config.yaml").write_text("bodyparts: [a]")

    with pytest.raises(DataError) as caught:
        find_poses(tmp_path)
    for part in ("COCO", "DeepLabCut", "MPII", "Leeds"):
        assert part in caught.value.expected
    for part in (
        "broken.json, which is no JSON",
        "other.json, JSON of another kind",
        "boxes.json, a COCO file without",
    ):
        assert part in caught.value.found
    assert "joints.mat: another kind of file" in caught.value.found
    assert "config.yaml without any CollectedData file" in caught.value.found


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="found an empty folder"):
        find_poses(tmp_path)


def test_a_file_of_no_known_kind_is_refused(tmp_path):
    (tmp_path / "labels.txt").touch()

    with pytest.raises(DataError, match=r"labels\.txt, of no known kind"):
        find_poses(tmp_path / "labels.txt")


def test_a_format_that_is_asked_for_must_be_there(coco, write_coco):
    with pytest.raises(DataError, match=r"joints\.mat"):
        find_poses(write_coco(coco), "lsp")


def test_several_coco_files_are_refused_and_one_can_be_named(coco, write_coco):
    root = write_coco(coco, name="annotations/train.json")
    shutil.copy(root / "annotations/train.json", root / "annotations/val.json")

    with pytest.raises(DataError, match=r"annotations/train\.json, annotations/val\.json.*data\.root"):
        find_poses(root)
    assert len(find_poses(root / "annotations/val.json").samples) == 3


def test_a_coco_file_without_keypoints_beside_it_does_not_count(coco, write_coco):
    root = write_coco(coco)
    boxes = {"images": coco["images"], "annotations": [], "categories": [{"id": 1, "name": "mouse"}]}
    (root / "instances.json").write_text(json.dumps(boxes))

    assert len(find_poses(root).samples) == 3


def test_what_else_fits_is_told(coco, write_coco):
    root = write_coco(coco)
    (root / "CollectedData.csv").write_text("scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\nimages/a.png,1,2\n")
    listing = find_poses(root)

    assert listing.format == "coco"
    assert "CollectedData.csv fits as well: data.format deeplabcut takes it" in listing.origins[0]
    assert find_poses(root, "deeplabcut").skeleton.names == ("nose",)
