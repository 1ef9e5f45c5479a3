"""One video to its files, and what there is to say about it."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.formats.frames import VideoInfo, open_frames
from pipeline.inference import pose_video
from pipeline.inference.pose_finishing import Smoothing
from pipeline.inference.pose_progress import FrameProgress
from pipeline.inference.pose_video import BAD_FRAMES, PoseOptions, PoseVideo, bad_frames
from pipeline.inference.region_choice import RegionChoice
from pipeline.inference.video_pass import PassResult

SEEN = {"width_px": [50, 70], "height_px": [40, 50], "brightness": [10, 60], "contrast": [10, 60]}


def run(predictor, path, folder, **options):
    folder.mkdir(exist_ok=True)
    with FrameProgress() as progress, open_frames(path) as source:
        video = PoseVideo(predictor, PoseOptions(**options), "video", folder, progress)
        return video.run(source, folder.parent / "parts", "origin")


def test_all_that_is_asked_for_is_written_and_the_rows_are_gone(tmp_path, make_predictor, write_video):
    path = write_video(tmp_path / "video.mp4")
    messages = run(make_predictor(), path, tmp_path / "out", overlay=True, heatmaps=True)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "pose.csv",
        "pose.parquet",
        "pose_coco.json",
        "pose_deeplabcut.csv",
        "pose_deeplabcut.h5",
        "pose_heatmaps.h5",
        "pose_overlay.mp4",
    ]
    assert not (tmp_path / "parts").exists()
    assert len(messages) == 1
    assert messages[0].startswith("20 frames")
    with h5py.File(tmp_path / "out" / "pose_heatmaps.h5") as file:
        assert file["heatmaps"].shape == (20, 4, 16, 16)
        np.testing.assert_allclose(file.attrs["stride_px"], [4, 4], rtol=1e-5)


def test_f32_frames_unlike_those_of_training_are_said_and_refused_if_strict(
    tmp_path, make_predictor, make_pose_model, write_video
):
    path = write_video(tmp_path / "video.mp4")
    like = make_predictor(make_pose_model(tmp_path / "like", training_range=SEEN))
    assert len(run(like, path, tmp_path / "out", strict=True)) == 1
    unlike = make_predictor(make_pose_model(tmp_path / "unlike", training_range={**SEEN, "brightness": [180, 220]}))
    assert "brightness" in run(unlike, path, tmp_path / "out")[0]
    with pytest.raises(DataError, match=r"brightness.*--strict"):
        run(unlike, path, tmp_path / "refused", strict=True)
    assert not list((tmp_path / "refused").iterdir())
    assert not (tmp_path / "parts").exists()


def interrupted(predictor, path, folder, **options):
    """Stop a start when all frames are on disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pose_video, "write_tables", stop)
        with pytest.raises(KeyboardInterrupt):
            run(predictor, path, folder, **options)


def stop(*_):
    raise KeyboardInterrupt


def test_f32_findings_outlast_an_interruption(tmp_path, make_predictor, make_pose_model, write_video):
    path = write_video(tmp_path / "video.mp4")
    unlike = make_predictor(make_pose_model(tmp_path / "unlike", training_range={**SEEN, "brightness": [180, 220]}))
    expected = run(unlike, path, tmp_path / "out")
    assert "brightness" in expected[0]
    interrupted(unlike, path, tmp_path / "out")
    with pytest.raises(DataError, match=r"brightness.*--strict"):
        run(unlike, path, tmp_path / "out", strict=True)
    assert (tmp_path / "parts" / "rows.bin").stat().st_size  # computed without strict, and kept
    unlike.predict = stop
    assert run(unlike, path, tmp_path / "out") == expected


def test_heatmaps_that_are_asked_for_later_drop_the_rows_and_this_is_said(
    tmp_path, make_predictor, write_video, caplog
):
    caplog.set_level(logging.INFO)
    path = write_video(tmp_path / "video.mp4")
    interrupted(make_predictor(), path, tmp_path / "out")
    run(make_predictor(), path, tmp_path / "out", heatmaps=True)
    assert "20 rows are dropped, heatmaps" in caplog.text
    with h5py.File(tmp_path / "out" / "pose_heatmaps.h5") as file:
        assert len(file["frame"]) == 20


def test_a_box_outside_of_the_video_is_refused_with_its_size(tmp_path, make_predictor, write_video):
    path = write_video(tmp_path / "video.mp4")
    with pytest.raises(DataError, match=r"video\.mp4.*60 x 44.*found 60\.0,0\.0,9\.0,9\.0"):
        run(make_predictor(), path, tmp_path / "out", region=RegionChoice.parse("60,0,9,9"))
    messages = run(make_predictor(), path, tmp_path / "out", region=RegionChoice.parse("55,0,9,9"))
    assert len(messages) == 1


def test_smoothing_goes_into_the_tables(tmp_path, make_predictor, write_video):
    path = write_video(tmp_path / "video.mp4")
    for method in ("none", "median"):
        run(make_predictor(), path, tmp_path / method, smoothing=Smoothing(method, min_confidence=0.0))
    plain, smooth = ((tmp_path / method / "pose.csv").read_text() for method in ("none", "median"))
    assert plain != smooth
    assert len(plain.splitlines()) == len(smooth.splitlines())


class Source:
    """What is known of a source when its frames have been read."""

    path, messages = Path("video.mp4"), []

    def __init__(self, stated, truncated):
        self.info = VideoInfo(60, 44, 0, "h264", 25.0, stated, has_sound=False)
        self.truncated = truncated


@pytest.mark.parametrize(
    ("seen", "stated", "truncated", "found"),
    [
        (PassResult(200, 2, 0), 200, False, None),
        (PassResult(200, 3, 0), 200, False, "3 of 200 (1.5%)"),
        (PassResult(150, 0, 0), 200, True, "50 of about 200 (25.0%)"),
        (PassResult(199, 0, 0), 200, True, None),
        (PassResult(150, 0, 0), 200, False, None),
        (PassResult(200, 0, 150), 200, False, None),
    ],
)
def test_f27_over_one_percent_of_bad_or_missing_frames_is_too_much(seen, stated, truncated, found):
    messages = bad_frames(seen, Source(stated, truncated))
    assert messages == ([] if found is None else [f"{BAD_FRAMES}: {found}; their rows are empty, or missing"])


@pytest.mark.parametrize("stated", [None, 150, 120])
def test_f27_a_cut_file_of_unknown_length_has_too_many_bad_frames(stated):
    (message,) = bad_frames(PassResult(150, 0, 0), Source(stated, truncated=True))
    assert message.startswith(BAD_FRAMES)
    assert "unknown number of frames missing" in message
    assert bad_frames(PassResult(150, 0, 0), Source(stated, truncated=False)) == []
