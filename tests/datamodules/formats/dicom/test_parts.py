from pathlib import Path

import pytest

from datamodules.formats.dicom.frames import Slice
from datamodules.formats.dicom.parts import parts_of

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def one(height, *marks, rows=6, orientation=AXIAL, spacing=(1.0, 1.0), position=True):
    place = (0.0, 0.0, float(height)) if position else None
    return Slice(
        Path("a.dcm"), 0, rows, 5, place, orientation, spacing, 2.0, 1.0, 0.0, True, "MONOCHROME2", None, marks
    )


def names(slices):
    return [(part.name, len(part.slices)) for part in parts_of(slices)]


def test_one_slice_per_place_is_one_part_whatever_its_marks_are():
    assert names(one(z, ("acquisition", str(z))) for z in range(5)) == [("", 5)]


@pytest.mark.parametrize("mark", ["echo", "echo time", "temporal position", "b-value", "trigger time", "image type"])
def test_a_mark_that_leaves_one_slice_per_place_tells_parts_apart_in_the_order_of_its_numbers(mark):
    slices = [one(z, (mark, value)) for z in range(3) for value in ("10", "2")]
    assert names(slices) == [(f"{mark} 2", 3), (f"{mark} 10", 3)]


def test_a_mark_of_some_slices_tells_them_from_those_without():
    slices = [one(z) for z in range(3)] + [one(z, ("b-value", "800")) for z in range(3)]
    assert names(slices) == [("b-value 800", 3), ("b-value none", 3)]


def test_two_marks_are_taken_together_where_none_suffices():
    slices = [one(z, ("echo", e), ("temporal position", t)) for z in range(3) for e in "12" for t in "12"]
    expected = [f"echo {e}, temporal position {t}" for e in "12" for t in "12"]
    assert names(slices) == [(name, 3) for name in expected]


def test_slices_that_nothing_tells_apart_stay_together():
    assert names([*(one(z) for z in range(3)), one(1)]) == [("", 4)]


def test_one_slice_with_a_mark_of_its_own_is_doubled_and_no_part():
    slices = [*(one(z, ("acquisition", "1")) for z in range(3)), one(1, ("acquisition", "2"))]
    assert names(slices) == [("", 4)]


def test_grids_are_told_apart_by_size_orientation_and_spacing():
    slices = [
        *(one(z) for z in range(3)),
        one(0, rows=8),
        one(0, orientation=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0)),
        one(0, spacing=(2.0, 2.0)),
        one(0, orientation=None),
    ]
    expected = [
        *(("no orientation 5 x 6", 1), ("coronal 5 x 6", 1)),
        *(("axial 5 x 6", 3), ("axial 5 x 6", 1), ("axial 5 x 8", 1)),
    ]
    for order in (slices, slices[::-1], slices[3:] + slices[:3]):
        assert names(order) == expected


def test_f11_a_time_that_differs_in_every_file_tells_no_parts_apart():
    slices = [
        one(z, ("echo", e), ("trigger time", f"{z}.{e}"), ("acquisition", f"{z}{e}")) for z in range(3) for e in "12"
    ]
    assert names(slices) == [("echo 1", 3), ("echo 2", 3)]
    doubled = [*(one(z, ("trigger time", str(z))) for z in range(3)), one(1, ("trigger time", "7"))]
    assert names(doubled) == [("", 4)]


def test_of_marks_that_suffice_the_one_with_the_fewest_parts_is_taken():
    slices = [one(z, ("trigger time", f"{z % 2}{e}"), ("image type", e)) for z in range(4) for e in "12"]
    assert names(slices) == [("image type 1", 4), ("image type 2", 4)]


def test_frames_of_one_place_may_be_parts_of_one_frame():
    assert names(one(0, ("trigger time", str(t))) for t in (20, 3)) == [("trigger time 3", 1), ("trigger time 20", 1)]


def test_rounded_direction_cosines_are_one_orientation():
    assert names([one(0), one(1, orientation=(1.0, 0.00001, 0.0, 0.0, 1.0, 0.0))]) == [("", 2)]


def test_slices_without_a_place_are_kept_for_reading_to_refuse():
    assert names([one(0, position=False), one(0, position=False)]) == [("", 2)]
