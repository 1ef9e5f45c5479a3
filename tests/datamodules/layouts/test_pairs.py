import cv2
import numpy as np
import pytest

from datamodules.cases import read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases


def ids(listing):
    return [case.id for case in listing.cases]


def write_pair(root, name, masks="masks", channels=None):
    image = np.zeros((6, 8) if channels is None else (6, 8, channels), np.uint8)
    for folder in ("images", masks):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "images" / f"{name}.png"), image)
    cv2.imwrite(str(root / masks / f"{name}.png"), np.full((6, 8), 255, np.uint8))


@pytest.mark.parametrize(
    ("channels", "names"), [(None, ("image",)), (3, ("red", "green", "blue"))], ids=["grey", "colour"]
)
def test_images_and_masks(tmp_path, channels, names):
    for name in ("s_2", "s_10"):
        write_pair(tmp_path, name, channels=channels)
    listing = find_cases(tmp_path, labels={"membrane": 0, "cell": 255})
    assert (listing.layout, listing.channel_names) == ("images_masks", names)
    assert ids(listing) == ["s_10", "s_2"]
    assert listing.labels.names == ("cell",)


def test_images_and_masks_without_labels_are_refused_with_the_remedy(tmp_path):
    write_pair(tmp_path, "s")
    with pytest.raises(DataError, match=r"data\.labels"):
        find_cases(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": {"cell": 255}}', encoding="utf-8")
    assert find_cases(tmp_path).labels.names == ("cell",)


def write_channels(root, *names):
    """Write images of several files each, whose masks bear the names of the cases alone."""
    for name in names:
        write_pair(root, name)
        mask = root / "masks" / f"{name}.png"
        mask.replace(mask.with_name(f"{name[:-5]}.png"))


@pytest.mark.parametrize("second", [["b_0000"], ["b_0000", "b_0002"]], ids=["too few", "other numbers"])
def test_images_and_masks_of_uneven_channels_are_refused(tmp_path, second):
    write_channels(tmp_path, "a_0000", "a_0001", *second)
    with pytest.raises(DataError, match=f"a: _0000 _0001, b: {' '.join(name[1:] for name in second)};"):
        find_cases(tmp_path, labels={"cell": 255})


def test_images_of_several_channels_have_one_mask(tmp_path):
    write_channels(tmp_path, "a_0000", "a_0001", "b_0000", "b_0001")
    listing = find_cases(tmp_path, labels={"cell": 255})
    assert {case.id: len(case.images) for case in listing.cases} == {"a": 2, "b": 2}
    assert read_image(listing.cases[0], 2).array.shape == (2, 8, 6, 1)


def test_f32_numbered_images_with_masks_of_the_same_names_are_cases_of_their_own(tmp_path):
    names = [f"img_{number:04d}" for number in range(6)]
    for name in names:
        write_pair(tmp_path, name)
    listing = find_cases(tmp_path, labels={"cell": 255})
    assert ids(listing) == names
    assert all(len(case.images) == 1 and case.label.stem == case.id for case in listing.cases)
    (tmp_path / "masks" / "img_0003.png").unlink()
    with pytest.raises(DataError, match="none for 1: img_0003"):
        find_cases(tmp_path, labels={"cell": 255})


@pytest.mark.parametrize(("images", "masks"), [("image", "label"), ("imagesTr", "labelsTr"), ("Images", "Masks")])
def test_folders_may_have_other_names(tmp_path, write_dataset, images, masks):
    root = write_dataset(tmp_path, ["a", "b"], channels=2)
    (root / "dataset.json").unlink()
    for old, new in (("imagesTr", images), ("labelsTr", masks)):
        (root / old).rename(root / new)
    listing = find_cases(root, labels={"left": 1, "right": 2})
    assert (listing.layout, ids(listing), listing.channel_names) == (
        "images_masks",
        ["a", "b"],
        ("channel_0", "channel_1"),
    )
    assert read_image(listing.cases[0], 2).array.shape[0] == 2


def test_two_folders_of_labels_are_refused(tmp_path, write_dataset):
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "a", "labels")
    with pytest.raises(DataError, match=r"one folder of labels.*labels/, masks/"):
        find_cases(tmp_path, labels={"cell": 255})


def write_slices(root, folder, name, value):
    for number in range(3):
        path = root / folder / name / f"slice_{number + 9}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((6, 8), value + number, np.uint8))


def test_folders_of_slices_are_volumes_where_their_spacing_is_stated(tmp_path):
    for name in ("a", "b"):
        write_slices(tmp_path, "images", name, 10)
        write_slices(tmp_path, "masks", name, 0)
    listing = find_cases(tmp_path, labels={"low": 1, "high": 2}, spacing_mm=(0.5, 0.5, 3.0))
    assert (listing.layout, ids(listing)) == ("images_masks", ["a", "b"])
    image, label = read_image(listing.cases[0], 1), read_label(listing.cases[0])
    assert image.array[0, 0, 0].tolist() == [10, 11, 12]
    assert label.array[0, 0, 0].tolist() == [0, 1, 2]
    assert image.spacing_mm == label.spacing_mm == (0.5, 0.5, 3.0)
    assert len(listing.cases[0].all_files) == 6
    with pytest.raises(DataError, match=r"images/a.*stated spacing"):
        find_cases(tmp_path, labels={"low": 1, "high": 2})


def test_folders_of_slices_may_be_channels(tmp_path):
    for name in ("a_0000", "a_0001", "b_0000", "b_0001"):
        write_slices(tmp_path, "images", name, 10)
    for name in "ab":
        write_slices(tmp_path, "masks", name, 0)
    listing = find_cases(tmp_path, labels={"low": 1, "high": 2}, spacing_mm=(0.5, 0.5, 3.0))
    assert {case.id: len(case.images) for case in listing.cases} == {"a": 2, "b": 2}
    assert read_image(listing.cases[0], 2).shape == (8, 6, 3)


def test_numbered_folders_with_masks_of_the_same_names_are_cases_of_their_own(tmp_path):
    for folder in ("images", "masks"):
        for number in range(3):
            write_slices(tmp_path, folder, f"a_{number:04d}", 0)
    listing = find_cases(tmp_path, labels={"low": 1, "high": 2}, spacing_mm=(0.5, 0.5, 3.0))
    assert ids(listing) == ["a_0000", "a_0001", "a_0002"]


def test_images_of_an_unknown_ending_are_named(tmp_path):
    write_pair(tmp_path, "a")
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "a.JPG")
    (tmp_path / "images" / "b.jpg").touch()
    with pytest.raises(DataError, match=r"images: expected files ending in \.nii.*found 2 x \.jpg; convert"):
        find_cases(tmp_path, labels={"cell": 255})


def test_the_names_of_the_labels_are_shown_where_an_image_has_none(tmp_path):
    write_pair(tmp_path, "a")
    (tmp_path / "masks" / "a.png").rename(tmp_path / "masks" / "a_mask.png")
    with pytest.raises(DataError, match=r"none for 1: a; the labels are named a_mask; add"):
        find_cases(tmp_path, labels={"cell": 255})
