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
    (origin,) = [line for line in find_poses(other).origins if line.startswith("images:")]
    assert origin == f"images: 2 in {root / 'images'}, outside of {other}, by their paths in labels.json"


@pytest.mark.parametrize("all_of_them", [False, True])
@pytest.mark.parametrize("name", ["../outside/b.png", "x/../../outside/b.png", "..\\outside\\b.png", "../gone/b.png"])
def test_f33_names_that_lead_out_of_the_data_set_are_refused(
    coco, write_coco, write_images, tmp_path, name, all_of_them
):
    root = tmp_path / "set"
    write_coco(coco, root)
    write_images(tmp_path / "outside", "b.png")
    write_images(root, "b.png", "x/c.png")
    coco["images"][1]["file_name"] = name
    if all_of_them:
        coco["images"], coco["annotations"] = coco["images"][1:], coco["annotations"][1:2]
    (root / "annotations.json").write_text(json.dumps(coco))

    with pytest.raises(
        DataError, match=r"images within the data set, found 1 names that `..` leads out of it.*full paths"
    ):
        find_poses(root)


def test_names_that_stay_within_the_data_set_may_go_up(coco, write_coco, tmp_path):
    for image in coco["images"]:
        image["file_name"] = f"../images/{image['file_name']}"
    write_coco(coco | {"images": []}, tmp_path / "set", name="annotations/labels.json")
    (tmp_path / "set" / "annotations" / "labels.json").write_text(json.dumps(coco))
    for name in ("a.png", "b.png"):
        (tmp_path / "set" / "images").mkdir(exist_ok=True)
        (tmp_path / "set" / "images" / name).touch()
    listing = find_poses(tmp_path / "set")

    assert listing.samples[0].image.samefile(tmp_path / "set" / "images" / "a.png")


def test_f33_going_up_from_a_linked_folder_leads_out(coco, write_coco, write_images, tmp_path):
    root = tmp_path / "set"
    write_images(tmp_path / "disk" / "frames", "a.png")
    write_images(tmp_path / "disk", "secret.png")
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "disk" / "frames")
    coco["images"] = [{"id": 1, "file_name": "../secret.png"}]
    coco["annotations"] = coco["annotations"][:1]
    (root / "annotations.json").write_text(json.dumps(coco))

    with pytest.raises(DataError, match=r"1 names that `\.\.` leads out"):
        find_poses(root)
