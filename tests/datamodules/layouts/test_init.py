import logging
import unicodedata

import cv2
import nibabel as nib
import numpy as np
import pytest

from datamodules.cases import read_image
from datamodules.formats import read_volume
from datamodules.formats.errors import DataError
from datamodules.integrity.patients import hash_patient
from datamodules.layouts import LAYOUTS, find_cases, layout_of

LONG = "a" * 235  # with its ending as long as a file name can be


def ids(listing):
    return [case.id for case in listing.cases]


def test_labels_of_the_config_go_before_those_of_the_file(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["a"])
    listing = find_cases(root, labels={"background": 0, "both": [1, 2], "right": 2}, label_map={3: 2})
    assert listing.labels.names == ("both", "right")
    assert listing.labels.label_map == ((3, 2),)


def test_groups_come_from_the_pattern(tmp_path, write_dataset):
    root = write_dataset(tmp_path, ["p1_a", "p1_b", "p2_a"])
    assert [case.group for case in find_cases(root, group_pattern=r"(p\d+)_").cases] == ["p1", "p1", "p2"]


@pytest.mark.parametrize("pattern", [r"(p\d+", r"p\d+", r"(q\d+)", r"(x)?p"])
def test_a_pattern_that_finds_no_group_is_refused(tmp_path, write_dataset, pattern):
    root = write_dataset(tmp_path, ["p1_a"])
    with pytest.raises(DataError, match="group_pattern"):
        find_cases(root, group_pattern=pattern)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path, write_dataset):
    with pytest.raises(DataError, match=r"data\.root"):
        find_cases(tmp_path / "absent")
    with pytest.raises(DataError, match="an empty folder"):
        find_cases(tmp_path)
    root = write_dataset(tmp_path, ["a"])
    (root / "imagesTr" / "a_0000.nii.gz").unlink()
    with pytest.raises(DataError, match="found none"):
        find_cases(root)


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


def test_f31_folders_may_be_links_and_a_broken_one_is_named(tmp_path, write_dataset):
    real = write_dataset(tmp_path / "real", ["a"])
    linked = tmp_path / "linked"
    linked.mkdir()
    for entry in real.iterdir():
        (linked / entry.name).symlink_to(entry)
    assert ids(find_cases(linked)) == ["a"]
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "images").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"images \(a link to .*gone, which is not there\)"):
        find_cases(broken)
    with pytest.raises(DataError, match=r"a link to .*gone, which is not there"):
        find_cases(broken / "images")


def test_what_fits_no_layout_is_refused_with_an_example_of_each(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"found notes\.txt") as caught:
        layout_of(tmp_path)
    for layout in LAYOUTS:
        assert layout.NAME in str(caught.value)
        assert layout.EXAMPLE.splitlines()[0] in str(caught.value)


def test_the_layout_is_said_in_the_log(tmp_path, write_dataset, caplog):
    root = write_dataset(tmp_path, ["a"])
    with caplog.at_level(logging.INFO):
        find_cases(root)
    assert f"{root}: read in the layout 'nnunet'" in caplog.text


def test_f17_the_patient_of_a_dicom_series_is_its_group(tmp_path, write_series):
    rows = []
    for name, patient in (("a", "p1"), ("b", "P1"), ("c", "p2"), ("d", "")):
        folder = write_series(tmp_path / name, patient, seed=len(rows))
        volume = read_volume(folder)
        label = nib.Nifti1Image(np.ones(volume.shape, np.uint8), volume.affine)
        nib.save(label, tmp_path / f"{name}.nii.gz")
        rows.append(f"{name},{name}.nii.gz,{'train' if name in 'ac' else 'validation'}\n")
    table = tmp_path / "cases.csv"
    table.write_text("image,label,split\n" + "".join(rows), encoding="utf-8")
    with pytest.raises(DataError, match=rf"{hash_patient('p1')} \(a, b\)"):
        find_cases(table, labels={"organ": 1})
    table.write_text("image,label\n" + "".join(row.rpartition(",")[0] + "\n" for row in rows), encoding="utf-8")
    listing = find_cases(table, labels={"organ": 1})
    assert [case.group for case in listing.cases] == [hash_patient("p1")] * 2 + [hash_patient("p2"), "d"]
    assert read_image(listing.cases[0], 1).shape == (5, 6, 4)
    assert [case.group for case in find_cases(table, labels={"organ": 1}, group_pattern="(.)").cases] == list("abcd")


def test_f13_a_damaged_dicom_series_is_refused_when_it_is_read(tmp_path, write_series, write_mask, caplog):
    for path in write_series(tmp_path / "images" / "a", "p1").iterdir():
        path.write_bytes(path.read_bytes()[:300])
    write_mask(tmp_path / "masks" / "a.nii.gz")
    write_series(tmp_path / "images" / "b", "p2")
    write_mask(tmp_path / "masks" / "b.nii.gz")
    listing = find_cases(tmp_path, labels={"organ": 1})
    assert [case.group for case in listing.cases] == ["a", hash_patient("p2")]
    with pytest.raises(DataError, match=r"images/a"):
        read_image(listing.cases[0])


def test_channels_are_counted_in_a_case_that_can_be_read(tmp_path, caplog):
    for name in ("a", "b"):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.zeros((4, 5, 3), np.uint8))
    (tmp_path / "images" / "a.png").write_bytes(b"\x89PNG cut short")
    assert find_cases(tmp_path, labels={"cell": 1}).channel_names == ("red", "green", "blue")
    assert "the channels are counted in another case: " in caplog.text
    (tmp_path / "images" / "b.png").write_bytes(b"\x89PNG cut short")
    with pytest.raises(DataError, match=r"a\.png"):
        find_cases(tmp_path, labels={"cell": 1})


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
