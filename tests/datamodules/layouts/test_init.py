import unicodedata

import pytest

from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases, read_image

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
