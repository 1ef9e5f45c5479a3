import unicodedata
from dataclasses import replace

import pytest

from datamodules.cases import read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.hashing import hash_case
from datamodules.integrity.patients import hash_patient
from datamodules.layouts import find_cases

LABELS = {"organ": 1}


@pytest.fixture
def table(tmp_path, write_mask):
    """Write files a, b, c and a table that names them."""
    for name in ("a", "b", "c"):
        write_mask(tmp_path / "scans" / f"{name}.nii.gz")
        write_mask(tmp_path / "labels" / f"{name}.nii.gz")

    def write(*rows, separator=",", encoding="utf-8", name="cases.csv"):
        text = "".join(separator.join(row) + "\n" for row in rows)
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def scan(name):
    return f"scans/{name}.nii.gz"


def label(name):
    return f"labels/{name}.nii.gz"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_each_row_is_a_case(table, separator, encoding):
    rows = [("image", "label", "group", "id"), (scan("b"), label("b"), "Zoé", ""), (scan("a"), label("a"), "Z", "x y")]
    path = table(*rows, separator=separator, encoding=encoding)
    listing = find_cases(path, labels=LABELS)
    assert (listing.layout, listing.root, listing.split) == ("table", path, None)
    assert [(case.id, case.group) for case in listing.cases] == [("b", "Zoé"), ("x y", "Z")]
    assert listing.cases[0].label == path.parent / label("b")
    assert read_image(listing.cases[0], 1).array.shape[0] == 1


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (("image_1", "image_0"), ("channel_0", "channel_1")),
        (("image_T2", "image_T1"), ("T2", "T1")),
    ],
)
def test_several_images_are_channels(table, columns, names):
    path = table((*columns, "label"), (scan("a"), scan("b"), label("a")))
    listing = find_cases(path, labels=LABELS)
    assert listing.channel_names == names
    images = [image.name for image in listing.cases[0].images]
    assert images == (["b.nii.gz", "a.nii.gz"] if columns[0] == "image_1" else ["a.nii.gz", "b.nii.gz"])


def test_mask_columns_are_overlapping_structures_in_their_order(table):
    path = table(("image", "mask_tumour", "mask_liver"), (scan("a"), label("b"), label("a")))
    listing = find_cases(path)
    assert listing.labels.names == ("tumour", "liver")
    assert read_label(listing.cases[0]).array.shape[0] == 2
    chosen = find_cases(table(("image", "mask_tumour", "mask_liver"), (scan("a"), "", label("a"))), labels={"liver": 1})
    assert [mask.name for mask in chosen.cases[0].masks] == ["a.nii.gz"]


def test_names_of_channels_and_structures_keep_their_capital_letters(table):
    path = table(("Image_T1", "IMAGE_T2", "Mask_Liver"), (scan("a"), scan("b"), label("a")))
    listing = find_cases(path)
    assert (listing.channel_names, listing.labels.names) == (("T1", "T2"), ("Liver",))


def test_the_split_is_that_of_the_table(table, caplog):
    header = ("image", "label", "split")
    path = table(header, (scan("a"), label("a"), "Train"), (scan("b"), label("b"), "val"), (scan("c"), label("c"), ""))
    listing = find_cases(path, labels=LABELS)
    assert listing.split.to_dict() == {"train": ["a"], "validation": ["b"]}
    assert listing.notes == ("cases.csv: 1 case(s) neither train nor validate: c",)
    assert listing.notes[0] in caplog.text
    with pytest.raises(DataError, match=r"data\.split\.fold 0.*fold 1"):
        find_cases(path, labels=LABELS, fold=1)


def test_f17_one_patient_in_both_parts_of_the_split_is_refused(table):
    header = ("image", "label", "split", "group")
    path = table(header, (scan("a"), label("a"), "train", "p1"), (scan("b"), label("b"), "validation", "p1"))
    with pytest.raises(DataError, match=r"1 in both training and validation: p1 \(a, b\)"):
        find_cases(path, labels=LABELS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("image", "label", "grup"), ("x", "y", "z")], "'grup'.*nearest to 'grup' is 'group'"),
        ([("image", "label"), (scan("a"), "")], "empty: row 2, column label"),
        (
            [("image", "label", "group"), (scan("a"), label("a"), "1"), ("", label("b"), "")],
            "row 3, column image; row 3",
        ),
        ([("image", "label"), (scan("a"), label("a")), (scan("z"), label("z"))], r"row 3, scans/z\.nii\.gz; row 3"),
        ([("image", "label"), (scan("x" * 300), label("a"))], r"none at row 2, scans/xxx"),
        ([("image", "label"), (scan("a"), label("a")), (scan("a"), label("b"))], "'a' in rows 2, 3.*column id"),
        ([("image", "label", "id"), (scan("a"), label("a"), "../x")], r"names of cases.*'\.\./x' \(row 2\)"),
        ([("image", "label", "split"), (scan("a"), label("a"), "trian")], "'trian' in row 2; did you mean train"),
        ([("image", "label"), (scan("a"), label("a"), "x")], "2 cells in each row, found 3 in row 2"),
        ([("image", "label")], "labelled cases"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table, rows, message):
    with pytest.raises(DataError, match=message):
        find_cases(table(*rows), labels=LABELS)


def test_labels_may_be_declared_beside_the_table(table):
    path = table(("image", "label"), (scan("a"), label("a")))
    with pytest.raises(DataError, match=r"data\.labels"):
        find_cases(path)
    (path.parent / "dataset.json").write_text('{"labels": {"background": 0, "organ": 1}}', encoding="utf-8")
    assert find_cases(path).labels.names == ("organ",)


def test_f31_a_broken_link_is_named_with_its_row(table, tmp_path):
    (tmp_path / "scans" / "link.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    path = table(("image", "label"), (scan("link"), label("a")))
    with pytest.raises(DataError, match=r"row 2, scans/link\.nii\.gz.*links"):
        find_cases(path, labels=LABELS)


@pytest.fixture
def study(write_series, tmp_path):
    """Write a folder of two series, numbers 1 and 2."""
    for number in (1, 2):
        for path in write_series(tmp_path / f"series{number}", f"p{number}", seed=number, number=number).iterdir():
            (tmp_path / "both").mkdir(exist_ok=True)
            path.rename(tmp_path / "both" / f"{number}_{path.name}")
    return "both"


def test_f11_the_series_of_a_folder_is_named_by_its_column(table, study):
    header = ("image", "label", "series", "id")
    rows = [(study, label("a"), "1", "first"), (study, label("b"), "2", "second")]
    first, second = find_cases(table(header, *rows), labels=LABELS).cases
    assert (first.group, second.group) == (hash_patient("p1"), hash_patient("p2"))
    assert len(first.all_files) == 5
    assert not (read_image(first).array == read_image(second).array).all()
    unnamed = table(("image", "label"), (study, label("a")), (scan("b"), label("b")))
    with pytest.raises(DataError, match="in a CSV table by the column series"):
        read_image(find_cases(unnamed, labels=LABELS).cases[1])


@pytest.mark.parametrize("channels", [("0", "1"), ("T2", "T1")])
def test_f11_each_channel_may_have_a_series_of_its_own(table, study, channels):
    header = (*(f"image_{name}" for name in channels), "label", *(f"series_{name}" for name in reversed(channels)))
    (case,) = find_cases(table(header, (study, study, label("a"), "2", "1")), labels=LABELS).cases
    assert case.series == ("1", "2")
    both = read_image(case, 2)
    for channel in range(2):
        assert (read_image(case.only(channel)).array[0] == both.array[channel]).all()
    assert len(case.all_files) == 9
    swapped = replace(case, series=("2", "1"))
    assert hash_case(case) != hash_case(swapped)
    assert (read_image(swapped).array == both.array[::-1]).all()
    with pytest.raises(DataError, match=r"found series_x; name each column of series as that of its image"):
        find_cases(table(("image_0", "label", "series_x"), (study, label("a"), "1")), labels=LABELS)


def test_f11_the_series_of_a_row_counts_for_the_folder_that_holds_several(table, study, write_series, tmp_path):
    write_series(tmp_path / "alone", "p3", seed=3, number=7)
    path = table(("image_0", "image_1", "label", "series"), (study, "alone", label("a"), "2"))
    (case,) = find_cases(path, labels=LABELS).cases
    assert case.series == ("2", None)
    assert read_image(case, 2).array.shape[0] == 2


def test_f17_a_group_in_either_encoding_of_accents_is_one(table):
    composed, decomposed = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    header = ("image", "label", "group")
    listing = find_cases(
        table(header, (scan("a"), label("a"), composed), (scan("b"), label("b"), decomposed)), labels=LABELS
    )
    assert [case.group for case in listing.cases] == [composed, composed]
    assert listing.notes == ()
    rows = [(scan("a"), label("a"), "P1"), (scan("b"), label("b"), "p1")]
    (note,) = find_cases(table(header, *rows), labels=LABELS).notes
    assert "'P1' (as of a), 'p1' (as of b) may be one patient" in note
