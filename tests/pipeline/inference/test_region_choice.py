"""What --region may say, and files of boxes."""

import json

import pytest

from datamodules.cropping import PosePreprocessing
from datamodules.formats.errors import DataError
from pipeline.inference.region_choice import RegionChoice, read_boxes
from pipeline.inference.regions import FileRegion, FixedRegion, FollowRegion, FrameRegion

PREPROCESSING = PosePreprocessing((64, 64))


def start(text, video="a"):
    return RegionChoice.parse(text).start(video, PREPROCESSING, 0.3)


def test_the_four_kinds_are_told_apart(tmp_path):
    (tmp_path / "boxes.csv").write_text("frame,x,y,width,height\n0,1,2,3,4\n")
    assert isinstance(start("frame"), FrameRegion)
    assert isinstance(start("follow"), FollowRegion)
    assert isinstance(start("10, 20,30.5,40"), FixedRegion)
    assert start("10, 20,30.5,40").box(0, 50, 50) == (10, 20, 30.5, 40)
    assert isinstance(start(str(tmp_path / "boxes.csv")), FileRegion)


@pytest.mark.parametrize("text", ["frames", "1,2,3", "1,2,3,x", "absent.csv", ""])
def test_anything_else_is_refused_with_what_is_possible(text):
    with pytest.raises(ValueError, match=r"expected frame, follow, X,Y,W,H or a \.csv or \.json file"):
        RegionChoice.parse(text)


@pytest.mark.parametrize("text", ["1,2,0,4", "1,2,3,-4", "1,nan,3,4"])
def test_a_box_without_extent_is_refused(text):
    with pytest.raises(ValueError, match="above 0"):
        RegionChoice.parse(text)


def test_boxes_are_read_from_csv_and_json_alike(tmp_path):
    rows = [{"video": "a", "frame": 0, "x": 1, "y": 2, "width": 3, "height": 4.5}]
    rows += [{"video": "b", "frame": 7, "x": -1, "y": 2, "width": 3, "height": 4}]
    (tmp_path / "b.json").write_text(json.dumps(rows))
    lines = [",".join(map(str, row.values())) for row in rows]
    (tmp_path / "b.csv").write_text("\n".join(["video,frame,x,y,width,height", *lines]))
    assert read_boxes(tmp_path / "b.csv") == read_boxes(tmp_path / "b.json")
    assert read_boxes(tmp_path / "b.csv") == {"a": {0: (1, 2, 3, 4.5)}, "b": {7: (-1, 2, 3, 4)}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,x,y,width\n0,1,2,3\n", "five numbers in row 2.*height"),
        ("frame,x,y,width,height\n0,1,2,3,4\n0,1,2,3,4\n", "two for frame 0"),
        ("frame,x,y,width,height\n0,1,2,0,4\n", "in row 2.*width and height above 0"),
        ("frame,x,y,width,height\n0,1,2,three,4\n", "row 2.*three"),
        ("frame,x,y,width,height\n1.9,1,2,3,4\n", "row 2.*'1.9' is no whole number"),
        ("frame,x,y,width,height\nnan,1,2,3,4\n", "row 2.*no whole number"),
        ("frame,x,y,width,height\n", "at least one box"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_row(tmp_path, text, message):
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_boxes(tmp_path / "boxes.csv")


def test_whole_numbers_may_have_a_point(tmp_path):
    (tmp_path / "boxes.csv").write_text("frame,x,y,width,height\n3.0,1,2,3,4\n")
    assert read_boxes(tmp_path / "boxes.csv") == {"": {3: (1, 2, 3, 4)}}


@pytest.mark.parametrize("wrong", [{"frame": 1.9}, {"frame": True}, {"x": False}, {"y": None}])
def test_json_numbers_that_are_none_are_refused(tmp_path, wrong):
    row = {"frame": 0, "x": 1, "y": 2, "width": 3, "height": 4}
    (tmp_path / "boxes.json").write_text(json.dumps([row | wrong]))
    with pytest.raises(DataError, match="five numbers in row 1"):
        read_boxes(tmp_path / "boxes.json")


def test_a_box_keeps_all_of_its_digits():
    box = start("1234567.25,0.1234567890123,1e-7,4").box(0, 2_000_000, 10)
    assert box == (1234567.25, 0.1234567890123, 1e-7, 4.0)


@pytest.mark.parametrize(("text", "meets"), [("59,0,5,5", True), ("59.5,0,5,5", False), ("-9,-9,8.4,20", False)])
def test_a_fixed_box_outside_of_the_first_frame_is_refused(text, meets):
    choice = RegionChoice.parse(text)
    if meets:
        choice.check_frame("a.mp4", 60, 44)
    else:
        with pytest.raises(DataError, match=r"a\.mp4.*60 x 44"):
            choice.check_frame("a.mp4", 60, 44)


@pytest.mark.parametrize("text", ["{", '{"frame": 1}', "[1, 2]"])
def test_json_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(DataError, match=r"boxes\.json"):
        read_boxes(tmp_path / "boxes.json")


def test_a_file_must_say_which_boxes_are_which_videos(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,x,y,width,height\n0,1,2,3,4\n")
    RegionChoice.parse(str(path)).check(["a"])
    with pytest.raises(DataError, match="column 'video'"):
        RegionChoice.parse(str(path)).check(["a", "b"])
    path.write_text("video,frame,x,y,width,height\na,0,1,2,3,4\n")
    with pytest.raises(DataError, match="boxes of the video b"):
        RegionChoice.parse(str(path)).check(["a", "b"])


def test_settings_follow_the_files_content(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,x,y,width,height\n0,1,2,3,4\n")
    before = RegionChoice.parse(str(path)).settings()
    path.write_text("frame,x,y,width,height\n0,1,2,3,5\n")
    assert RegionChoice.parse(str(path)).settings() != before
    assert RegionChoice.parse("1,2,3.0,4").settings() == RegionChoice.parse("1, 2, 3, 4").settings()


def test_f32_another_kind_of_region_than_in_training_is_said():
    assert "boxes of subjects" in RegionChoice.parse("frame").doubts(PosePreprocessing((64, 64), "box"))[0]
    assert "whole images" in RegionChoice.parse("follow").doubts(PosePreprocessing((64, 64), "image"))[0]
    assert RegionChoice.parse("follow").doubts(PosePreprocessing((64, 64), "box")) == []
    assert RegionChoice.parse("frame").doubts(PosePreprocessing((64, 64), "image")) == []
