import json
import logging

import cv2
import numpy as np
import pytest

from datamodules.cases import read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases


def ids(listing):
    return [case.id for case in listing.cases]


def edit(root, **changes):
    path = root / "dataset.json"
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def write_pair(root, name, masks="masks", channels=None):
    image = np.zeros((6, 8) if channels is None else (6, 8, channels), np.uint8)
    for folder in ("images", masks):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "images" / f"{name}.png"), image)
    cv2.imwrite(str(root / masks / f"{name}.png"), np.full((6, 8), 255, np.uint8))


def test_nnunet_raw(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["b", "a_1"], channels=2)
    (root / "imagesTr" / "._a_0000.nii.gz").write_bytes(b"")
    (root / "imagesTr" / "notes.txt").write_text("kept by hand", encoding="utf-8")
    listing = find_cases(root)
    assert (listing.root, listing.layout, listing.channel_names) == (root, "nnunet", ("C0", "C1"))
    assert listing.labels.names == ("left", "right")
    assert ids(listing) == ["a_1", "b"]
    case = listing.cases[0]
    assert case.group == "a_1"
    assert [path.name for path in case.images] == ["a_1_0000.nii.gz", "a_1_0001.nii.gz"]
    assert case.label == root / "labelsTr" / "a_1.nii.gz"
    assert read_image(case, 2).array.shape == (2, 12, 10, 8)


def test_nnunet_of_the_first_version_is_not_taken_for_decathlon(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    entries = [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]
    edit(root, training=entries, modality={"0": "CT"}, labels={"0": "background", "1": "l", "2": "r"})
    assert find_cases(root).layout == "nnunet"


def test_a_missing_label_is_refused_and_a_spare_one_is_told(tmp_path, write_dataset, caplog):
    root = write_dataset(tmp_path, ["a", "b"])
    label = root / "labelsTr" / "b.nii.gz"
    label.rename(root / "labelsTr" / "c.nii.gz")
    with pytest.raises(DataError, match=r"none for 1: b"):
        find_cases(root)
    (root / "imagesTr" / "b_0000.nii.gz").unlink()
    with caplog.at_level(logging.WARNING):
        assert ids(find_cases(root)) == ["a"]
    assert "1 labels without an image: c" in caplog.text


def test_a_missing_folder_of_labels_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    (root / "labelsTr").rename(root / "labels")
    with pytest.raises(DataError, match=r"labelsTr.*folder of labels"):
        find_cases(root)


def test_a_missing_channel_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a", "b"], channels=2)
    (root / "imagesTr" / "b_0001.nii.gz").unlink()
    with pytest.raises(DataError, match=r"_0000, _0001 of every case.*b: b_0000"):
        find_cases(root)


def test_a_case_without_all_channels_can_be_left_out_and_listed(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a", "b", "c"], channels=2)
    (root / "imagesTr" / "b_0001.nii.gz").unlink()
    listing = find_cases(root, complete=False)
    assert ids(listing) == ["a", "c"]
    assert listing.incomplete == {"b": "b_0000.nii.gz"}
    assert listing.unused == ()
    for name in ("a", "c"):
        (root / "imagesTr" / f"{name}_0001.nii.gz").unlink()
    with pytest.raises(DataError, match="channels _0000, _0001 of every case"):
        find_cases(root, complete=False)


def test_names_without_a_channel_are_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    (root / "imagesTr" / "a_0000.nii.gz").rename(root / "imagesTr" / "a.nii.gz")
    with pytest.raises(DataError, match="NAME_0000"):
        find_cases(root)


@pytest.mark.parametrize(("colours", "message"), [(3, None), (None, r"expected 3 channel.*1 in 1 file")])
def test_nnunet_colour_images_hold_all_channels_in_one_file(tmp_path, colours, message):
    write_pair(tmp_path, "x_0000", "labelsTr", colours)
    (tmp_path / "images").rename(tmp_path / "imagesTr")
    (tmp_path / "labelsTr" / "x_0000.png").rename(tmp_path / "labelsTr" / "x.png")
    description = {"channel_names": {"0": "R", "1": "G", "2": "B"}, "labels": {"background": 0, "cell": 255}}
    (tmp_path / "dataset.json").write_text(json.dumps({**description, "file_ending": ".png"}), encoding="utf-8")
    listing = find_cases(tmp_path)
    assert (ids(listing), listing.channel_names) == (["x"], ("R", "G", "B"))
    if message is None:
        assert read_image(listing.cases[0], 3).array.shape == (3, 8, 6, 1)
    else:
        with pytest.raises(DataError, match=message):
            read_image(listing.cases[0], 3)


def test_a_list_of_files_in_dataset_json_may_point_anywhere(tmp_path, write_dataset):
    real = write_dataset(tmp_path / "real", ["a", "b"], channels=2)
    root = tmp_path / "Dataset001"
    root.mkdir()
    listed = {
        name: {
            "images": [f"../real/imagesTr/{name}_{channel:04d}.nii.gz" for channel in range(2)],
            "label": str(real / "labelsTr" / f"{name}.nii.gz"),
        }
        for name in ("a", "b")
    }
    description = json.loads((real / "dataset.json").read_text(encoding="utf-8"))
    (root / "dataset.json").write_text(json.dumps({**description, "dataset": listed}), encoding="utf-8")
    listing = find_cases(root)
    assert (listing.layout, ids(listing)) == ("nnunet", ["a", "b"])
    assert read_image(listing.cases[1], 2).array.shape[0] == 2
    listed["b"]["images"].pop()
    edit(root, dataset=listed)
    with pytest.raises(DataError, match=r"2 image\(s\) for each case.*1 for b"):
        find_cases(root)
    (real / "labelsTr" / "a.nii.gz").unlink()
    with pytest.raises(DataError, match=r"1 missing: .*labelsTr/a\.nii\.gz"):
        find_cases(root)
    edit(root, dataset=["a"])
    with pytest.raises(DataError, match="found list"):
        find_cases(root)
    edit(root, dataset={"a": {"images": "a.nii.gz"}})
    with pytest.raises(DataError, match="`dataset` such as"):
        find_cases(root)


def test_f31_a_key_of_the_list_that_leads_out_of_the_folder_is_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    edit(root, dataset={"../a": {"images": ["imagesTr/a_0000.nii.gz"], "label": "labelsTr/a.nii.gz"}})
    with pytest.raises(DataError, match=r"'\.\./a' \(a key of `dataset`\)"):
        find_cases(root)


def test_files_that_are_left_out_are_listed_where_that_is_allowed(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a", "b"])
    label = root / "labelsTr" / "b.nii.gz"
    label.rename(root / "labelsTr" / "c.nii.gz")
    listing = find_cases(root, complete=False)
    assert ids(listing) == ["a"]
    assert [path.name for path in listing.unlabelled] == ["b_0000.nii.gz"]
    assert [path.name for path in listing.unused] == ["c.nii.gz"]


def test_only_files_of_the_stated_ending_count_in_both_folders(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    for name in ("imagesTr/a_0000.png", "labelsTr/a.png"):
        cv2.imwrite(str(root / name), np.zeros((4, 5), np.uint8))
    assert find_cases(root).cases[0].label == root / "labelsTr" / "a.nii.gz"


def test_an_ending_that_no_file_has_is_named_and_null_is_none(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    edit(root, file_ending=".nrrd")
    with pytest.raises(DataError, match=r"files ending in \.nrrd, found a_0000\.nii\.gz; mend `file_ending`"):
        find_cases(root)
    edit(root, file_ending=None)
    assert ids(find_cases(root)) == ["a"]


@pytest.mark.parametrize("labels", [["background", "liver"], 3, "liver"])
def test_labels_that_are_no_object_are_refused(tmp_path, write_dataset, labels):
    root = write_dataset(tmp_path, ["a"])
    edit(root, labels=labels)
    with pytest.raises(DataError, match=r"dataset\.json: expected labels such as"):
        find_cases(root)


def test_the_way_around_an_ignore_label_works_as_it_is_told(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    edit(root, labels={"background": 0, "organ": 1, "ignore": 2})
    with pytest.raises(DataError, match=r"data\.labels to \{background: 0, organ: 1\} and data\.label_map to \{2: 0\}"):
        find_cases(root)
    listing = find_cases(root, labels={"background": 0, "organ": 1}, label_map={2: 0})
    stored = read_label(listing.cases[0]).array
    np.testing.assert_array_equal(listing.labels.encode(stored), stored[0] == 1)


def test_f31_a_listed_file_whose_name_is_too_long_is_missing(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    edit(root, dataset={"a": {"images": ["x" * 300 + ".nii.gz"], "label": "labelsTr/a.nii.gz"}})
    with pytest.raises(DataError, match=r"1 missing: .*xxx"):
        find_cases(root)
    edit(root, dataset=None, training=[{"image": "x" * 300, "label": "y"}])
    assert ids(find_cases(root)) == ["a"]
