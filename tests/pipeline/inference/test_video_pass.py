"""A video's frames through the network to rows: in order, resumed to the bit, in bounded memory."""

import threading
import time
import weakref
from itertools import count

import cv2
import numpy as np
import pytest
import torch

from datamodules.cropping import whole_image
from datamodules.formats.frames import Frame, open_frames
from pipeline.inference.pose_rows import FRAME_STATUS, RowStore
from pipeline.inference.regions import FileRegion, FollowRegion, FrameRegion
from pipeline.inference.video_pass import VideoPass


def run(predictor, path, folder, region=None, progress=lambda frames: None, sink=None, inspect=lambda crops: None):
    store = RowStore(folder, "origin", len(predictor.skeleton.names))
    region = region or FrameRegion(predictor.preprocessing)
    with open_frames(path) as source:
        result = VideoPass(predictor, source, region, store, inspect, progress).run(sink)
    return result, store.read(0, len(store))


def stop_after(limit):
    seen = count(1)

    def progress(frames):
        if next(seen) == limit:
            raise KeyboardInterrupt

    return progress


@pytest.fixture
def video(tmp_path, write_video):
    return write_video(tmp_path / "video.mp4", frames=22)


def test_f25_each_decoded_frame_has_a_row_with_its_time(tmp_path, make_predictor, write_video):
    times = [0.0, 0.04, 0.3, 0.34, 1.0]
    path = write_video(tmp_path / "varying.mp4", frames=5, times=times)
    result, rows = run(make_predictor(), path, tmp_path / "parts")
    assert result == (5, 0, 0)
    assert rows["index"].tolist() == list(range(5))
    np.testing.assert_allclose(rows["time_s"], times, atol=1e-4)
    assert (rows["size"] == (60, 44)).all()


def test_rows_are_what_a_plain_loop_gives(tmp_path, make_predictor, video):
    predictor = make_predictor()
    _, rows = run(predictor, video, tmp_path / "parts")
    with open_frames(video) as frames:
        for row, frame in zip(rows, frames, strict=True):
            crop, to_original = predictor.cut(frame.image, whole_image(60, 44))
            found = predictor.predict(torch.from_numpy(crop)[None], to_original[None])
            np.testing.assert_allclose(row["points"], found.points[0], atol=1e-2)
            np.testing.assert_allclose(row["score"], found.score[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["frame", "follow", "file"])
@pytest.mark.parametrize("batches", [1, 3])
def test_f30_an_interrupted_pass_goes_on_and_gives_the_same_rows_to_the_bit(
    tmp_path, make_predictor, video, kind, batches
):
    predictor = make_predictor()

    def region():
        if kind == "file":
            return FileRegion({3: (5, 5, 30, 30), 12: (10, 0, 40, 40)})
        of = {"frame": FrameRegion, "follow": lambda p: FollowRegion(p, 0.0)}[kind]
        return of(predictor.preprocessing)

    whole_region, region_after = region(), region()
    whole, expected = run(predictor, video, tmp_path / "whole", whole_region)
    with pytest.raises(KeyboardInterrupt):
        run(predictor, video, tmp_path / "parts", region(), progress=stop_after(batches))
    kept = len(RowStore(tmp_path / "parts", "origin", 4))
    assert 0 < kept < 22
    seen = []
    predict = predictor.predict
    predictor.predict = lambda crops, affine: seen.append(len(crops)) or predict(crops, affine)
    result, rows = run(predictor, video, tmp_path / "parts", region_after)
    assert result == whole
    assert region_after.messages() == whole_region.messages()
    assert sum(seen) < 22
    assert rows.tobytes() == expected.tobytes()


def test_f27_an_unreadable_image_keeps_an_empty_row(tmp_path, make_predictor):
    folder = images(tmp_path / "images", 6)
    (folder / "2.png").write_bytes(b"no image")
    result, rows = run(make_predictor(), folder, tmp_path / "parts")
    assert result == (6, 1, 0)
    assert FRAME_STATUS[rows["status"][2]] == "unreadable"
    assert np.isnan(rows["points"][2]).all()
    assert np.isfinite(rows["points"][[0, 1, 3, 4, 5]]).all()


def images(folder, number):
    folder.mkdir()
    for index in range(number):
        image = np.random.default_rng(index).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


def test_f28_frames_of_another_size_are_computed_in_their_own_pixels(tmp_path, make_predictor):
    folder = images(tmp_path / "images", 4)
    cv2.imwrite(str(folder / "2.png"), np.zeros((90, 30, 3), np.uint8))
    _, rows = run(make_predictor(), folder, tmp_path / "parts")
    assert rows["size"].tolist() == [[50, 40], [50, 40], [30, 90], [50, 40]]
    np.testing.assert_allclose(rows["box"][2], whole_image(30, 90))


def test_frames_without_a_region_have_empty_rows(tmp_path, make_predictor, video):
    result, rows = run(make_predictor(), video, tmp_path / "parts", FileRegion({5: (1, 1, 20, 20)}))
    assert result == (22, 0, 5)
    assert np.isnan(rows["points"][:5]).all()
    assert np.isfinite(rows["points"][5:]).all()


def test_following_looks_where_the_joints_of_the_frame_before_were(tmp_path, make_predictor, video):
    predictor = make_predictor()
    _, rows = run(predictor, video, tmp_path / "parts", FollowRegion(predictor.preprocessing, 0.0))
    region = FollowRegion(predictor.preprocessing, 0.0)
    boxes = []
    for row in rows:
        boxes.append(region.box(0, 60, 44))
        region.update(row["points"], row["confidence"], 60, 44)
    np.testing.assert_allclose(rows["box"], boxes, rtol=1e-6)
    assert len({tuple(box) for box in boxes}) > 1


def test_the_first_crops_alone_are_shown(tmp_path, make_predictor, video):
    shown = []
    run(make_predictor(), video, tmp_path / "parts", inspect=lambda crops: shown.append(crops.copy()))
    assert [crops.shape for crops in shown] == [(4, 64, 64, 3)]
    assert shown[0].max() > 200


def test_heatmaps_come_in_order_with_the_affine_of_their_frame(tmp_path, make_predictor, video):
    written = []

    class Sink:
        def write(self, frame, heatmaps, to_original):
            written.append((frame, heatmaps.shape, to_original.shape))

    sizes = []
    run(make_predictor(), video, tmp_path / "parts", sink=lambda size: sizes.append(size) or Sink())
    assert sizes == [(16, 16)]
    assert written == [(index, (4, 16, 16), (2, 3)) for index in range(22)]


def test_an_error_in_the_network_stops_all_threads(tmp_path, make_predictor, video):
    predictor = make_predictor()

    def fail(crops, affine):
        raise FloatingPointError("bad")

    predictor.predict = fail
    with pytest.raises(FloatingPointError, match="bad"):
        run(predictor, video, tmp_path / "parts")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("reader", "network", "writer"))]


def test_frames_do_not_pile_up_however_fast_they_are_decoded(tmp_path, make_predictor):
    alive, most = 0, 0

    def gone():
        nonlocal alive
        alive -= 1

    def frames():
        nonlocal alive, most
        for index in range(80):
            image = np.full((40, 50, 3), index, np.uint8)
            weakref.finalize(image, gone)
            alive += 1
            most = max(most, alive)
            yield Frame(index, index / 25, image, "ok")

    predictor = make_predictor(batch_size=4)
    predict = predictor.predict
    predictor.predict = lambda crops, affine: time.sleep(0.01) or predict(crops, affine)
    store, region = RowStore(tmp_path, "origin", 4), FrameRegion(predictor.preprocessing)
    VideoPass(predictor, frames(), region, store, lambda _: None, lambda _: None).run()
    assert len(store) == 80
    assert most <= 6  # those of the batch that is being read, and the one on its way
