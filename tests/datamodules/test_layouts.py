import json
import logging
import unicodedata

import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases, read_image

LONG = "a" * 235  # with its ending as long as a file name can be


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


def test_labels_of_the_config_go_before_those_of_the_file(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    listing = find_cases(root, labels={"background": 0, "both": [1, 2], "right": 2}, label_map={3: 2})
    assert listing.labels.names == ("both", "right")
    assert listing.labels.label_map == ((3, 2),)


def test_nnunet_of_the_first_version_is_not_taken_for_decathlon(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    entries = [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]
    edit(root, training=entries, modality={"0": "CT"}, labels={"0": "background", "1": "l", "2": "r"})
    assert find_cases(root).layout == "nnunet"


def write_decathlon(root, write_volume, channels):
    shape = (5, 6, 7) if channels == 1 else (5, 6, 7, channels)
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    write_volume(root / "imagesTr" / "brain_1.nii.gz", array)
    write_volume(root / "labelsTr" / "brain_1.nii.gz", np.ones((5, 6, 7), np.uint8))
    description = {
        "modality": {str(channel): f"M{channel}" for channel in range(channels)},
        "labels": {"0": "background", "1": "tumour"},
        "training": [{"image": "./imagesTr/brain_1.nii.gz", "label": "./labelsTr/brain_1.nii.gz"}],
    }
    (root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return array


@pytest.mark.parametrize("channels", [1, 3])
def test_decathlon(tmp_path, write_volume, channels):
    array = write_decathlon(tmp_path, write_volume, channels)
    listing = find_cases(tmp_path)
    assert listing.layout == "msd"
    assert listing.labels.names == ("tumour",)
    assert len(listing.channel_names) == channels
    image = read_image(listing.cases[0], channels)
    np.testing.assert_array_equal(image.array, np.moveaxis(array.reshape(5, 6, 7, channels), -1, 0))
    assert len(listing.cases[0].files) == 2


@pytest.mark.parametrize("declared", [1, 2])
def test_f32_decathlon_with_fewer_channels_declared_than_stored_is_refused(tmp_path, write_volume, declared):
    write_decathlon(tmp_path, write_volume, 3)
    edit(tmp_path, modality={str(channel): f"M{channel}" for channel in range(declared)})
    listing = find_cases(tmp_path)
    with pytest.raises(DataError, match=rf"expected {declared} channel\(s\), found 3 in 1 file"):
        read_image(listing.cases[0], declared)


def test_decathlon_lists_what_is_missing(tmp_path, write_volume):
    write_decathlon(tmp_path, write_volume, 1)
    more = {"image": "imagesTr/brain_2.nii.gz", "label": "labelsTr/brain_2.nii.gz"}
    edit(tmp_path, training=[{"image": "imagesTr/brain_1.nii.gz", "label": "labelsTr/brain_1.nii.gz"}, more])
    with pytest.raises(DataError, match=r"2 missing.*brain_2"):
        find_cases(tmp_path)


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


def test_groups_come_from_the_pattern(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["p1_a", "p1_b", "p2_a"])
    assert [case.group for case in find_cases(root, group_pattern=r"(p\d+)_").cases] == ["p1", "p1", "p2"]


@pytest.mark.parametrize("pattern", [r"(p\d+", r"p\d+", r"(q\d+)", r"(x)?p"])
def test_a_pattern_that_finds_no_group_is_refused(tmp_path, write_dataset, pattern):
    root = write_dataset(tmp_path, ["p1_a"])
    with pytest.raises(DataError, match="group_pattern"):
        find_cases(root, group_pattern=pattern)


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


def test_names_without_a_channel_are_refused(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    (root / "imagesTr" / "a_0000.nii.gz").rename(root / "imagesTr" / "a.nii.gz")
    with pytest.raises(DataError, match="NAME_0000"):
        find_cases(root)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path, write_dataset):
    with pytest.raises(DataError, match=r"data\.root"):
        find_cases(tmp_path / "absent")
    with pytest.raises(DataError, match="an empty folder"):
        find_cases(tmp_path)
    root = write_dataset(tmp_path, ["a"])
    (root / "imagesTr" / "a_0000.nii.gz").unlink()
    with pytest.raises(DataError, match="found none"):
        find_cases(root)


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


@pytest.mark.parametrize("name", ["with space", "Zoë Müller", "名前", LONG, "quote'\"[x]*?", "line\nbreak"])
def test_f31_unusual_names_work(tmp_path, write_dataset, name):
    listing = find_cases(write_dataset(tmp_path / "a folder — ü", [name]))
    assert ids(listing) == [name]
    assert read_image(listing.cases[0]).array.shape[0] == 1


def test_f31_accents_match_in_either_encoding(tmp_path, write_dataset):
    root = write_dataset(tmp_path, [unicodedata.normalize("NFC", "é")])
    label = next((root / "labelsTr").iterdir())
    label.rename(label.with_name(unicodedata.normalize("NFD", label.name)))
    assert len(find_cases(root).cases) == 1


def test_f31_symbolic_links_work(tmp_path, write_dataset):
    real = write_dataset(tmp_path / "real", ["a"])
    linked = tmp_path / "linked"
    (linked / "imagesTr").mkdir(parents=True)
    (linked / "imagesTr" / "b_0000.nii.gz").symlink_to(real / "imagesTr" / "a_0000.nii.gz")
    (linked / "labelsTr").mkdir()
    (linked / "labelsTr" / "b.nii.gz").symlink_to(real / "labelsTr" / "a.nii.gz")
    (linked / "dataset.json").symlink_to(real / "dataset.json")
    listing = find_cases(linked)
    assert ids(listing) == ["b"]
    assert read_image(listing.cases[0]).path.name == "b_0000.nii.gz"


@pytest.mark.parametrize("twin", ["CASE", "Case"])
def test_f31_names_equal_but_for_case_are_refused(tmp_path, write_dataset, twin):
    with pytest.raises(DataError, match=r"rename or remove one"):
        find_cases(write_dataset(tmp_path, ["case", twin]))


def test_f31_names_equal_but_for_the_encoding_of_accents_are_refused(tmp_path, write_dataset):
    names = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    with pytest.raises(DataError, match="encoding"):
        find_cases(write_dataset(tmp_path, names))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "labels", "layout", "count", "channel", "foreground"),
    [
        ("head_neck_ct", None, "nnunet", 44, "CT", 5),
        ("hippocampus_mr", None, "nnunet", 188, "MRI", 2),
        ("em_membranes", {"membrane": 0, "cell": 255}, "images_masks", 22, "image", 1),
    ],
)
def test_real_data(shared_data, name, labels, layout, count, channel, foreground):
    listing = find_cases(shared_data / name, labels=labels)
    assert (listing.layout, len(listing.cases), listing.channel_names) == (layout, count, (channel,))
    assert len(listing.labels.names) == foreground
    assert read_image(listing.cases[0], 1).array.ndim == 4
