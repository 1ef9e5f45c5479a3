import numpy as np
import pytest

from datamodules.figure_canvas import SCALE, Canvas
from datamodules.figure_head import Head

SKIN, HAIR, FACE = (220.0, 20.0, 20.0), (20.0, 20.0, 220.0), 70.0


def painted(degrees=0.0, pitch=0.0):
    canvas = Canvas(np.zeros((60 * SCALE, 60 * SCALE, 3), np.uint8), np.array([0.0, 0.0, -1.0]))
    c, s = np.cos(np.deg2rad([degrees, pitch])), np.sin(np.deg2rad([degrees, pitch]))
    yaw = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    nod = np.array([[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]])
    Head(np.array([30.0, 30.0]), yaw @ nod, np.array([12.0, 18.0, 13.0])).paint(canvas, SKIN, HAIR, FACE, 4)
    return canvas


def share_of_skin(canvas):
    image = canvas.fine[canvas.owner == 4].astype(int)
    return float((image[:, 0] > image[:, 2]).mean())


def test_the_face_is_seen_from_the_front_half_from_the_side_and_not_from_behind():
    front, side, back = (share_of_skin(painted(turn)) for turn in (0, 75, 180))
    assert front > 0.6
    assert 0.2 < side < front
    assert back == 0


def test_the_face_turns_to_where_the_person_looks():
    canvas = painted(-50)  # towards the image's right
    rows, columns = np.nonzero((canvas.fine[:, :, 0].astype(int) > canvas.fine[:, :, 2]) & (canvas.owner == 4))
    assert columns.mean() / SCALE - 0.5 > 32
    assert rows.mean() / SCALE - 0.5 > 30  # below the hair


@pytest.mark.parametrize("turn", [0, 37, 90, 180, 251])
def test_the_outline_is_that_of_the_ellipsoid(turn):
    canvas = painted(turn)
    rows, columns = np.nonzero(canvas.owner)
    assert (np.ptp(rows) + 1) / SCALE == pytest.approx(36, abs=0.5)
    half = np.hypot(12 * np.cos(np.deg2rad(turn)), 13 * np.sin(np.deg2rad(turn)))
    assert (np.ptp(columns) + 1) / SCALE == pytest.approx(2 * half, abs=0.5)


@pytest.mark.parametrize(("turn", "pitch"), [(30, 20), (80, -20), (150, 25), (100, 15)])
def test_the_face_never_leaves_the_head(turn, pitch):
    canvas = painted(turn, pitch)
    bare = Canvas(np.zeros_like(canvas.fine), canvas.light)
    c, s = np.cos(np.deg2rad([turn, pitch])), np.sin(np.deg2rad([turn, pitch]))
    axes = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]]) @ np.array(
        [[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]]
    )
    Head(np.array([30.0, 30.0]), axes, np.array([12.0, 18.0, 13.0])).paint(bare, SKIN, HAIR, 0.01, 4)
    beyond = (canvas.owner == 4) & (bare.owner != 4)
    assert beyond.sum() <= 4  # of 6000
