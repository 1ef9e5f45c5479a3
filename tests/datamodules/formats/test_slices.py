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


def test_one_format_alone(tmp_path):
    with pytest.raises(DataError, match=r"slices of one format, found 2 \.png, 1 \.tif"):
        listed(fill(tmp_path, "1.png", "2.png", "3.tif"))


def test_other_entries_are_told_by_log(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "2.png").mkdir()
    assert listed(fill(tmp_path, "1.png", "Thumbs.db", ".3.png")) == ["1.png"]
    assert "passed over 2 other entries: 2.png, Thumbs.db" in caplog.text
