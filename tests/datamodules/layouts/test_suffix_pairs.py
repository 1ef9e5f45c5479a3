import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases, layout_of

LABELS = {"organ": 1}


@pytest.mark.parametrize("ending", ["_seg", "_mask", "_label", "_labels", "-seg", "_SEG", "_segmentation", "_gt"])
def test_each_image_lies_beside_its_label(tmp_path, write_mask, ending):
    for name in ("a", "b_seg_2"):
        write_mask(tmp_path / f"{name}.nii.gz")
        write_mask(tmp_path / f"{name}{ending}.nii.gz")
    listing = find_cases(tmp_path, labels=LABELS)
    assert (listing.layout, [case.id for case in listing.cases]) == ("suffix_pairs", ["a", "b_seg_2"])
    assert listing.cases[0].label == tmp_path / f"a{ending}.nii.gz"


def test_the_label_may_be_of_another_format_and_the_image_of_several_channels(tmp_path, write_mask, write_png):
    for channel in range(2):
        write_mask(tmp_path / f"a_{channel:04d}.nii")
    write_mask(tmp_path / "a_seg.nii.gz")
    (case,) = find_cases(tmp_path, labels=LABELS).cases
    assert (case.id, [path.name for path in case.images]) == ("a", ["a_0000.nii", "a_0001.nii"])


def test_an_image_without_a_label_is_refused_and_a_label_without_an_image_is_listed(tmp_path, write_mask):
    for name in ("a", "a_seg", "b", "c_seg"):
        write_mask(tmp_path / f"{name}.nii.gz")
    with pytest.raises(DataError, match=r"each of 2 images.*none for 1: b"):
        find_cases(tmp_path, labels=LABELS)
    (tmp_path / "b.nii.gz").unlink()
    assert find_cases(tmp_path, labels=LABELS).unused == (tmp_path / "c_seg.nii.gz",)


def test_two_labels_of_an_image_are_refused(tmp_path, write_mask):
    for name in ("a", "a_seg", "a_mask"):
        write_mask(tmp_path / f"{name}.nii.gz")
    with pytest.raises(DataError, match=r"a_mask\.nii\.gz, a_seg\.nii\.gz"):
        find_cases(tmp_path, labels=LABELS)


def test_scans_without_any_label_are_in_no_layout(tmp_path, write_mask):
    for name in ("a", "b", "lone_seg"):
        write_mask(tmp_path / f"{name}.nii.gz")
    with pytest.raises(DataError, match="known layout"):
        layout_of(tmp_path)


def test_numbered_images_with_masks_of_the_same_numbers_are_cases_of_their_own(tmp_path, write_png):
    for number in range(3):
        write_png(tmp_path / f"img_{number:04d}.png")
        write_png(tmp_path / f"img_{number:04d}_mask.png", 1)
    listing = find_cases(tmp_path, labels=LABELS)
    assert [case.id for case in listing.cases] == ["img_0000", "img_0001", "img_0002"]
    assert listing.cases[2].label == tmp_path / "img_0002_mask.png"
