"""Several videos into a folder: failures, a second start, reports and exit codes."""

import json
from itertools import count

import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from pipeline.inference.pose_finishing import Smoothing
from pipeline.inference.pose_inputs import VideoInput, find_videos
from pipeline.inference.pose_run import LOCK, PARTS, PoseRun
from pipeline.inference.pose_video import PoseOptions
from pipeline.inference.region_choice import RegionChoice


def run(predictor, inputs, output, **options):
    output.mkdir(exist_ok=True)
    return PoseRun(predictor, output, PoseOptions(**options)).run(find_videos(inputs))


@pytest.fixture
def videos(tmp_path, write_video):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b"):
        write_video(folder / f"{name}.mp4", frames=10)
    return folder


def test_a_broken_video_fails_and_the_others_are_done(tmp_path, make_predictor, videos):
    (videos / "b.mp4").write_bytes(b"<html>not found</html>")
    report = run(make_predictor(), [videos], tmp_path / "out")
    assert [case.status for case in report.cases] == ["done", "failed"]
    assert "b.mp4" in report.cases[1].messages[0]
    assert report.exit_code == 3
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["command"] == "pose"
    assert content["exit_code"] == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "report.json"]


def test_nothing_but_broken_videos_is_a_failure(tmp_path, make_predictor, videos):
    for name in ("a", "b"):
        (videos / f"{name}.mp4").write_bytes(b"")
    assert run(make_predictor(), [videos], tmp_path / "out").exit_code == 1


def test_f30_finished_videos_are_skipped_until_input_or_settings_change(tmp_path, make_predictor, videos, write_video):
    out = tmp_path / "out"
    run(make_predictor(), [videos], out)

    def statuses(**options):
        return [case.status for case in run(make_predictor(), [videos], out, **options).cases]

    assert statuses() == ["skipped", "skipped"]
    write_video(videos / "b.mp4", frames=11)
    assert statuses() == ["skipped", "done"]
    (out / "a" / "pose.csv").unlink()
    assert statuses() == ["done", "skipped"]
    assert statuses(smoothing=Smoothing("median")) == ["done", "done"]
    assert statuses(smoothing=Smoothing("median"), overwrite=True) == ["done", "done"]


def test_f30_the_batch_size_is_no_reason_to_compute_again(tmp_path, make_predictor, videos):
    run(make_predictor(batch_size=4), [videos], tmp_path / "out")
    assert [c.status for c in run(make_predictor(batch_size=3), [videos], tmp_path / "out").cases] == ["skipped"] * 2


def test_f30_an_interrupted_start_goes_on_within_the_video(tmp_path, make_predictor, videos):
    expected = tmp_path / "expected"
    run(make_predictor(), [videos], expected)
    predictor, seen = make_predictor(), count()
    predict = predictor.predict

    def stop(crops, affine):
        if next(seen) == 5:  # three batches of the first video, then two of the second
            raise KeyboardInterrupt
        return predict(crops, affine)

    predictor.predict = stop
    with pytest.raises(KeyboardInterrupt):
        run(predictor, [videos], tmp_path / "out")
    assert (tmp_path / "out" / PARTS / "b" / "rows.bin").stat().st_size > 0
    assert not (tmp_path / "out" / "b" / "pose.csv").exists()
    report = run(make_predictor(), [videos], tmp_path / "out")
    assert [case.status for case in report.cases] == ["skipped", "done"]
    assert not (tmp_path / "out" / PARTS).exists()
    for name in ("a", "b"):
        files = [(folder / name / "pose.csv").read_bytes() for folder in (expected, tmp_path / "out")]
        assert files[0] == files[1]


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ({"overlay": True, "smoothing": Smoothing("median", 3, 0.5), "strict": True}, 2),
        ({"heatmaps": True}, 10),
        ({"region": RegionChoice.parse("1,1,30,30")}, 10),
        ({"region": RegionChoice("follow"), "smoothing": Smoothing(min_confidence=0.2)}, 2),
        ({"region": RegionChoice("follow"), "smoothing": Smoothing(min_confidence=0.5)}, 10),
    ],
)
def test_f30_interrupted_rows_are_kept_where_only_the_outputs_change(tmp_path, make_predictor, videos, options, frames):
    follow = {"region": RegionChoice("follow"), "smoothing": Smoothing("median", 1, 0.2)}
    before = follow if options.get("region", RegionChoice()).text == "follow" else {}
    predictor, done = make_predictor(), count()
    predict = predictor.predict

    def stop(crops, affine):
        if next(done) == (8 if before else 2):  # eight frames of ten
            raise KeyboardInterrupt
        return predict(crops, affine)

    predictor.predict = stop
    with pytest.raises(KeyboardInterrupt):
        run(predictor, [videos / "a.mp4"], tmp_path / "out", **before)
    predictor, seen = make_predictor(), []
    predict = predictor.predict
    predictor.predict = lambda crops, affine: seen.append(len(crops)) or predict(crops, affine)
    report = run(predictor, [videos / "a.mp4"], tmp_path / "out", **options)
    assert [case.status for case in report.cases] == ["done"]
    kept_fewer = 2 if before and frames == 2 else 0  # of what waited to be written at the interruption
    assert frames <= sum(seen) <= frames + kept_fewer
    run(make_predictor(), [videos / "a.mp4"], tmp_path / "again", **options)
    files = [(tmp_path / name / "a" / "pose.csv").read_bytes() for name in ("out", "again")]
    assert files[0] == files[1]


def test_two_starts_do_not_write_into_one_folder(tmp_path, make_predictor, videos):
    predictor, refused = make_predictor(), []
    predict = predictor.predict

    def meet(crops, affine):
        with pytest.raises(DataError, match=r"out.*no other start.*wait for its end"):
            run(make_predictor(), [videos], tmp_path / "out")
        refused.append(len(crops))
        return predict(crops, affine)

    predictor.predict = meet
    assert run(predictor, [videos], tmp_path / "out").exit_code == 0
    assert sum(refused) == 20
    assert [case.status for case in run(make_predictor(), [videos], tmp_path / "out").cases] == ["skipped"] * 2
    assert not (tmp_path / "out" / LOCK).exists()


def test_the_lock_goes_with_an_interrupted_start(tmp_path, make_predictor, videos):
    def stop(crops, affine):
        raise KeyboardInterrupt

    predictor = make_predictor()
    predictor.predict = stop
    with pytest.raises(KeyboardInterrupt):
        run(predictor, [videos], tmp_path / "out")
    assert not (tmp_path / "out" / LOCK).exists()
    assert run(make_predictor(), [videos], tmp_path / "out").exit_code == 0


def test_a_box_outside_of_a_video_fails_that_video_alone(tmp_path, make_predictor, videos, write_video):
    write_video(videos / "b.mp4", frames=4, size=(120, 80))
    report = run(make_predictor(), [videos], tmp_path / "out", region=RegionChoice.parse("70,50,30,20"))
    assert [case.status for case in report.cases] == ["failed", "done"]
    assert "meets the frames of 60 x 44" in report.cases[0].messages[0]


def test_doubts_about_the_flip_test_are_in_the_report(tmp_path, make_predictor, videos, caplog):
    report = run(make_predictor(flip_test=True), [videos / "a.mp4"], tmp_path / "out")
    assert "flip test is on" in report.cases[0].messages[0]
    assert "flip test is on" in caplog.text


def test_files_of_another_origin_are_kept_unless_overwriting_is_asked_for(tmp_path, make_predictor, videos):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "pose.csv").write_text("mine")
    report = run(make_predictor(), [videos], tmp_path / "out")
    assert [case.status for case in report.cases] == ["failed", "done"]
    assert (tmp_path / "out" / "a" / "pose.csv").read_text() == "mine"
    report = run(make_predictor(), [videos], tmp_path / "out", overwrite=True)
    assert [case.status for case in report.cases] == ["done", "done"]


def test_f27_too_many_bad_frames_give_exit_code_3_also_when_skipped(tmp_path, make_predictor):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(8):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((40, 50, 3), 9 * index, np.uint8))
    (folder / "5.png").write_bytes(b"no image")
    for status in ("done", "skipped"):
        report = run(make_predictor(), [folder], tmp_path / "out")
        assert report.exit_code == 3
        assert [case.status for case in report.cases] == [status]
        assert "1 of 8 (12.5%)" in " ".join(report.cases[0].messages)
    rows = (tmp_path / "out" / "images" / "pose.csv").read_text().splitlines()
    assert len(rows) == 1 + 8 * 4
    assert rows[1 + 5 * 4] == "5,,nose,,,,unreadable"


def test_videos_of_an_earlier_start_stay_in_the_report(tmp_path, make_predictor, videos):
    run(make_predictor(), [videos], tmp_path / "out")
    report = PoseRun(make_predictor(), tmp_path / "out", PoseOptions()).run([VideoInput("gone", videos / "gone.mp4")])
    assert report.exit_code == 1
    assert [case.id for case in report.earlier] == ["a", "b"]


def test_a_report_of_another_program_is_not_replaced(tmp_path, make_predictor):
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(DataError, match=r"report\.json"):
        PoseRun(make_predictor(), tmp_path, PoseOptions())
