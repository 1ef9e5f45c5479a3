import csv

import av
import numpy as np
import pytest

from datamodules import figure_video
from datamodules.figure_body import JOINTS, Build, pose_body
from datamodules.figure_video import FRAMES, POST_X, RATE, SIZE, Film, walking_pose, write_video

KEY = (1, 0, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    write_video(folder, KEY, frames=8)
    return folder


def frames_of(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def rows_of(folder):
    with (folder / "video_joints.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_frame_has_a_row_for_every_joint_at_its_presentation_time(folder):
    rows, frames = rows_of(folder), frames_of(folder / "video.mp4")
    assert len(frames) == 8
    assert [row["joint"] for row in rows] == list(JOINTS) * 8
    assert [int(row["frame"]) for row in rows] == [frame for frame in range(8) for _ in JOINTS]
    np.testing.assert_allclose([float(row["time_s"]) for row in rows[:: len(JOINTS)]], [time for time, _ in frames])


def test_frames_and_rows_are_those_that_were_rendered(folder):
    rows, frames, film = rows_of(folder), frames_of(folder / "video.mp4"), Film(KEY)
    for number in (0, 7):
        image, joints, visibility = film.render(number)
        mine = rows[number * len(JOINTS) : (number + 1) * len(JOINTS)]
        np.testing.assert_allclose([[float(row["x"]), float(row["y"])] for row in mine], joints, atol=6e-4)
        assert [int(row["visible"]) for row in mine] == visibility.tolist()
        assert frames[number][1].shape == (SIZE[1], SIZE[0], 3)
        assert np.abs(frames[number][1].astype(int) - image).mean() < 4


def test_equal_keys_give_equal_bytes(folder, tmp_path):
    write_video(tmp_path, KEY, frames=8)
    for name in ("video.mp4", "video_joints.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    write_video(tmp_path, (1, 1, 7), frames=8)
    assert (tmp_path / "video.mp4").read_bytes() != (folder / "video.mp4").read_bytes()


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_both_encoders_keep_the_picture(codec, tmp_path):
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    image, _, _ = Film(KEY).render(0)
    with av.open(str(tmp_path / "one.mp4"), "w") as container:
        stream = figure_video._add_stream(container, codec)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    [(_, decoded)] = frames_of(tmp_path / "one.mp4")
    assert np.abs(decoded.astype(int) - image).mean() < 4


def test_a_post_hides_joints_and_the_border_cuts_them_off():
    film = Film(KEY)
    _, joints, visibility = film.render(0)
    assert (visibility[joints[:, 0] < -0.5] == 0).all()
    assert (joints[:, 0] < -0.5).any()
    behind = next(
        number for number in range(FRAMES) if abs(figure_video._place(standing(number), number / RATE)[0] - POST_X) < 2
    )
    _, joints, visibility = film.render(behind)
    covered = np.abs(joints[:, 0] - POST_X) < 8
    assert covered.any()
    assert (visibility[covered] == 1).all()


def standing(number):
    return pose_body(Build(), walking_pose(number / RATE))


def test_the_person_moves_without_a_jump():
    bodies = [standing(number) for number in range(FRAMES)]
    joints = np.array([150 * body.joints[:, :2] + figure_video._place(body, n / RATE) for n, body in enumerate(bodies)])
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=2)
    assert steps.max() < 15
    jerks = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=2)
    assert jerks.max() < 4
    lower_foot = joints[:, [0, 5], 1].max(axis=1)
    np.testing.assert_allclose(lower_foot, 0.9 * SIZE[1])


def test_the_person_faces_the_way_and_waves_with_the_right_hand():
    rightwards, leftwards = walking_pose(2.5), walking_pose(7.5)
    assert rightwards.body[0] < 0 < leftwards.body[0]  # a turn to the person's left is to the image's right
    for second, raised in ((1.0, False), (5.0, True), (9.0, False)):
        joints = standing(round(second * RATE)).joints
        assert (joints[6, 1] < joints[7, 1]) == raised
        assert joints[11, 1] > joints[10, 1]
