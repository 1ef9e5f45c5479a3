import json

import pytest

from datamodules.annotations import find_poses
from datamodules.annotations.images import plain_path
from datamodules.formats.errors import DataError


def _move(root, source, target):
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / source).rename(root / target)


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("labels.json", "images"),
        ("labels.json", "."),
        ("labels.json", "frames"),
        ("annotations/labels.json", "images"),
        ("annotations/labels.json", "val2017"),
        ("annotations/labels.json", "."),
        ("annot/labels.json", "images"),
    ],
)
def test_a_coco_file_needs_no_edit_but_its_path(coco, write_coco, tmp_path, file, images):
    root = write_coco(coco, name=file)
    for name in ("a.png", "b.png"):
        _move(root, f"images/{name}", f"{images}/{name}") if images != "images" else None

    by_file = find_poses(tmp_path / file)
    by_folder = find_poses(tmp_path)

    assert [sample.image for sample in by_file.samples] == [sample.image for sample in by_folder.samples]
    assert by_file.samples[0].image == (tmp_path / images / "a.png")


def test_sub_folders_in_file_names_are_followed(coco, write_coco):
    coco["images"][0]["file_name"] = "one/deep/a.png"
    coco["images"][1]["file_name"] = "two\\b.png"
    root = write_coco(coco)
    _move(root, "images/two\\b.png", "images/two/b.png")

    assert [sample.id for sample in find_poses(root).samples] == ["one_deep_a", "one_deep_a_2", "two_b"]


@pytest.mark.parametrize("prefix", ["/data/of/another/computer/", "C:\\Users\\me\\set\\"])
def test_paths_of_another_computer_are_shortened_and_told(coco, write_coco, prefix):
    root = write_coco(coco)
    for image in coco["images"]:
        image["file_name"] = prefix + image["file_name"]

    (root / "annotations.json").write_text(json.dumps(coco))
    listing = find_poses(root)

    assert listing.samples[0].image == root / "images/a.png"
    assert [sample.id for sample in listing.samples] == ["a", "a_2", "b"]
    assert listing.samples[0].group == "a.png"
    assert any("are not there and left out" in origin for origin in listing.origins)


def test_images_of_one_name_in_several_folders_are_not_mixed_up(coco, write_coco):

    root = write_coco(coco)
    coco["images"][0]["file_name"], coco["images"][1]["file_name"] = "one/a.png", "two/a.png"
    (root / "annotations.json").write_text(json.dumps(coco))

    with pytest.raises(DataError, match=r"one/a\.png and two/a\.png, of which only"):
        find_poses(root)


def test_missing_images_are_counted_and_named(coco, write_coco):
    root = write_coco(coco)
    (root / "images" / "b.png").unlink()

    with pytest.raises(DataError, match=r"its 2 images.*found 1 missing in .*images: b\.png"):
        find_poses(root)


def test_two_folders_with_all_images_are_refused(coco, write_coco, write_images):
    root = write_coco(coco)
    (root / "images").rename(root / "full")
    write_images(root / "small", "a.png", "b.png")

    with pytest.raises(DataError, match=r"all of them in each of full, small.*rename"):
        find_poses(root)


def test_f31_a_name_too_long_for_the_file_system_is_missing(coco, write_coco):

    root = write_coco(coco)
    coco["images"][1]["file_name"] = "x" * 400 + ".png"
    (root / "annotations.json").write_text(json.dumps(coco))

    with pytest.raises(DataError, match="1 missing"):
        find_poses(root)


@pytest.mark.parametrize(
    ("written", "plain"),
    [("a.png", "a.png"), ("./a/../b.png", "b.png"), ("a\\b c.png", "a/b c.png"), (" a.png", "a.png")],
)
def test_paths_are_written_plainly(written, plain):
    assert plain_path(written) == plain


def test_full_paths_that_are_there_are_taken(coco, write_coco, tmp_path):
    root = write_coco(coco)
    for image in coco["images"]:
        image["file_name"] = str(root / "images" / image["file_name"])
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "labels.json").write_text(json.dumps(coco))

    assert find_poses(other).samples[0].image == root / "images/a.png"
