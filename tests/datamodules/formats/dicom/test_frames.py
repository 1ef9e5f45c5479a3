from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.dicom.frames import slices_of
from datamodules.formats.errors import DataError

FRAMES = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
PATH = Path("a.dcm")


@pytest.fixture
def enhanced(tmp_path, dicoms):
    import pydicom

    return pydicom.dcmread(dicoms.enhanced(tmp_path / "a.dcm", FRAMES, rescale=((1, -1024), (2, 3))))


def test_a_single_frame_takes_everything_from_its_header(dicoms):
    (one,) = slices_of(PATH, dicoms.slice(FRAMES[0], (1, 2, 3), EchoTime=4.5, PixelPaddingValue=-20))
    assert (one.frame, one.rows, one.columns) == (0, 4, 5)
    assert one.position == (1, 2, 3)
    assert one.orientation == (1, 0, 0, 0, 1, 0)
    assert one.spacing == (0.75, 0.5)
    assert (one.slope, one.intercept, one.is_rescaled, one.padding) == (1, -1024, True, -20)
    assert ("echo time", "4.5") in one.marks
    assert ("image type", "ORIGINAL\\PRIMARY\\AXIAL") in one.marks


def test_frames_take_their_own_group_first_and_the_shared_one_then(enhanced):
    slices = slices_of(PATH, enhanced)
    assert [one.position[2] for one in slices] == [34, 32, 30]
    assert [(one.slope, one.intercept) for one in slices] == [(1, -1024), (2, 3), (1, -1024)]
    assert {one.spacing for one in slices} == {(0.75, 0.5)}
    assert ("temporal position", "1") in slices[0].marks
    enhanced.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence = [
        type(enhanced.SharedFunctionalGroupsSequence[0])()
    ]
    enhanced.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence[0].PixelSpacing = [3, 4]
    assert slices_of(PATH, enhanced)[1].spacing == (3, 4)


@pytest.mark.parametrize("frames", [0, 2, 4, 2**31 - 1])
def test_f13_functional_groups_that_are_not_one_per_frame_are_refused(enhanced, frames):
    enhanced.NumberOfFrames = frames
    with pytest.raises(
        DataError, match=f"expected {frames} frames, as its header states, found functional groups of 3"
    ):
        slices_of(PATH, enhanced)


def test_frames_that_are_not_placed_one_by_one_are_refused(dicoms):
    with pytest.raises(DataError, match="3 frames and no functional groups"):
        slices_of(PATH, dicoms.slice(FRAMES, NumberOfFrames=3))


def test_the_distance_of_slices_goes_before_their_thickness(dicoms):
    assert slices_of(PATH, dicoms.slice(FRAMES[0], SpacingBetweenSlices=-1.5))[0].thickness == 1.5
    assert slices_of(PATH, dicoms.slice(FRAMES[0], SpacingBetweenSlices=0))[0].thickness == 2
    assert slices_of(PATH, dicoms.slice(FRAMES[0], SliceThickness=None))[0].thickness is None
