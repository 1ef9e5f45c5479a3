import pytest

from datamodules.formats import DataError
from datamodules.formats.slices import slice_files

SUFFIXES = (".png", ".tif")


def fill(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


def listed(folder):
    return [path.name for path in slice_files(folder, SUFFIXES)]


@pytest.mark.parametrize(
    "names",
    [
        ("1.png",),
        ("a.png", "b.png", "c.png"),
        ("s8.png", "s9.png", "s10.png", "s11.png"),
        ("s008.PNG", "s009.png", "s010.png"),
        ("s0.png", "s5.png", "s10.png"),
        ("z0.png", "z33.png", "z67.png", "z100.png"),
        ("t1_z1.png", "t1_z2.png", "t1_z3.png"),
        ("z1 20200131.png", "z2 20200201.png", "z3 20200301.png"),
        ("at1031.png", "at1790.png", "at2011.png"),
        ("slice-01.png", "slice-02.png", "slice-03.png"),
        ("slice-1.png", "slice-2.png"),
        ("slice-098.png", "slice-099.png", "slice-100.png"),
        ("IM-0001-9.png", "IM-0001-10.png", "IM-0001-11.png"),
        ("-scan a-7 1.png", "-scan a-7 2.png"),
        ("scan 2020-01-30.png", "scan 2020-01-31.png"),
        ("z0.25.png", "z0.50.png", "z0.75.png"),
        ("1.2.9.png", "1.2.10.png", "1.2.11.png"),
        ("v1.5_1.png", "v1.5_2.png"),
    ],
)
def test_names_in_order_are_slices_in_order(tmp_path, names):
    assert listed(fill(tmp_path, *reversed(names))) == list(names)


@pytest.mark.parametrize(
    ("names", "gap"),
    [
        (("s1.png", "s2.png", "s4.png"), "s2.png and s4.png"),
        (("s1.png", "s3.png", "s4.png"), "s1.png and s3.png"),
        (("s8.png", "s9.png", "s11.png", "s12.png"), "s9.png and s11.png"),
        (("s0.png", "s5.png", "s15.png"), "s5.png and s15.png"),
        (("z0.png", "z33.png", "z67.png", "z133.png"), "z67.png and z133.png"),
        (("t1_z1.png", "t1_z2.png", "t1_z5.png"), "t1_z2.png and t1_z5.png"),
    ],
)
def test_f10_a_missing_slice_is_refused_and_located(tmp_path, names, gap):
    with pytest.raises(DataError, match=f"a gap in their numbers, found none between {gap}"):
        listed(fill(tmp_path, *names))


@pytest.mark.parametrize(
    "names",
    [
        ("s1.png", "s01.png"),
        ("c0_z1.png", "c0_z2.png", "c1_z1.png", "c1_z2.png"),
        ("s1.png", "s2.png", "overview.png"),
        ("s1.png", "s2.png", "s2 copy.png"),
    ],
)
def test_f10_a_doubled_number_or_a_stray_image_is_refused(tmp_path, names):
    with pytest.raises(DataError, match="names that differ in the slice's number alone"):
        listed(fill(tmp_path, *names))


@pytest.mark.parametrize(
    "names",
    [
        ("z0.25.png", "z0.5.png", "z0.75.png"),
        ("z9.5.png", "z10.25.png", "z11.5.png"),
        ("0,25.png", "0,5.png"),
        ("scan1_z1.5.png", "scan1_z1.25.png"),
    ],
)
def test_f10_decimal_numbers_of_unequal_length_are_refused(tmp_path, names):
    with pytest.raises(DataError, match=r"expected whole numbers .*decimal numbers of unequal length.*slice_001"):
        listed(fill(tmp_path, *names))


@pytest.mark.parametrize(
    "names",
    [
        ("slice-30.png", "slice-20.png", "slice-10.png"),
        ("z-030.png", "z-020.png", "z-010.png"),
        ("slice-103.png", "slice-102.png", "slice-101.png"),
        ("z_-20.0.png", "z_-15.0.png", "z_-10.0.png", "z_-5.0.png"),
        ("-3.png", "-2.png", "-1.png"),
        ("z_-02.png", "z_-01.png"),
        ("z=-2.png", "z=-1.png"),
        ("slice--2.png", "slice--1.png"),
        ("z-1.50.png", "z-1.25.png"),
        ("(\u22122).png", "(\u22121).png"),
    ],
)
def test_f10_numbers_that_may_be_negative_are_refused(tmp_path, names):
    with pytest.raises(DataError, match=r"expected numbers of 0 and above .*may be negative.*padded with zeros"):
        listed(fill(tmp_path, *names))


def test_f10_a_missing_slice_behind_a_dash_is_located(tmp_path):
    with pytest.raises(DataError, match=r"found none between slice-02\.png and slice-04\.png"):
        listed(fill(tmp_path, "slice-01.png", "slice-02.png", "slice-04.png"))


def test_one_format_alone(tmp_path):
    with pytest.raises(DataError, match=r"slices of one format, found 2 \.png, 1 \.tif"):
        listed(fill(tmp_path, "1.png", "2.png", "3.tif"))


def test_other_entries_are_told_by_log(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "2.png").mkdir()
    assert listed(fill(tmp_path, "1.png", "Thumbs.db", ".3.png")) == ["1.png"]
    assert "passed over 2 other entries: 2.png, Thumbs.db" in caplog.text
