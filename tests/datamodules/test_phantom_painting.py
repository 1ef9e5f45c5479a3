import numpy as np
import pytest
from scipy import ndimage

from datamodules.phantom_anatomy import LABELS, draw_anatomy
from datamodules.phantom_painting import RIB_HALF_MM, paint_torso

STEP_MM = 5.0


@pytest.fixture(scope="module", params=range(3))
def torso(request):
    axes = [np.arange(-half, half, STEP_MM, dtype=np.float32) for half in (165, 125, 175)]
    grid = np.meshgrid(*axes, indexing="ij")
    return paint_torso(draw_anatomy(np.random.default_rng(request.param)), *grid)


def centre(canvas, name):
    where = canvas.label == LABELS[name]
    return np.array([canvas.x[where].mean(), canvas.y[where].mean(), canvas.z[where].mean()])


def test_organs_lie_where_they_do_in_a_patient(torso):
    right, front, up = range(3)
    spine = centre(torso, "spine")
    liver, spleen, lungs, kidneys = (centre(torso, name) for name in ("liver", "spleen", "lungs", "kidneys"))
    assert liver[right] > 30
    assert spleen[right] < -40
    assert abs(kidneys[right] - spine[right]) < 15
    assert lungs[up] > max(liver[up], spleen[up]) > kidneys[up]
    assert spine[front] < min(liver[front], lungs[front])


def test_paired_organs_lie_on_both_sides(torso):
    for name in ("lungs", "kidneys", "ribs"):
        side = np.sign(torso.x[torso.label == LABELS[name]])
        assert 0.3 < (side > 0).mean() < 0.7, name


@pytest.mark.parametrize(
    ("name", "low_ml", "high_ml"),
    [("lungs", 1200, 5000), ("liver", 800, 2200), ("kidneys", 180, 500), ("spleen", 60, 450)],
)
def test_volumes_are_those_of_adults(torso, name, low_ml, high_ml):
    volume = np.count_nonzero(torso.label == LABELS[name]) * STEP_MM**3 / 1000
    assert low_ml < volume < high_ml


def test_spine_is_one_piece_with_an_open_canal(torso):
    spine = torso.label == LABELS["spine"]
    _, pieces = ndimage.label(spine, np.ones((3, 3, 3)))
    assert pieces == 1
    middle = spine.shape[2] // 2
    canal = ndimage.binary_fill_holes(spine[:, :, middle]) & ~spine[:, :, middle]
    assert np.count_nonzero(canal) * STEP_MM**2 > 120


def test_ribs_are_many_arcs_on_the_wall_around_the_lungs(torso):
    ribs = torso.label == LABELS["ribs"]
    _, pieces = ndimage.label(ribs)
    assert pieces >= 10
    lungs = torso.label == LABELS["lungs"]
    assert np.abs(torso.x[ribs]).max() > np.abs(torso.x[lungs]).max()


def test_ribs_are_two_voxels_thick():
    assert 2 * RIB_HALF_MM[0] >= 2 * 4.9
    assert 2 * RIB_HALF_MM[1] >= 2 * 6.0


def test_tissues_have_their_hounsfield_units(torso):
    medians = {name: np.median(torso.hu[torso.label == value]) for name, value in LABELS.items()}
    assert medians["lungs"] == pytest.approx(-850, abs=70)
    assert medians["liver"] == pytest.approx(105, abs=25)
    assert medians["kidneys"] > medians["spleen"] - 10
    assert medians["ribs"] > 300
    assert torso.hu[0, 0, 0] == torso.hu[-1, -1, -1] == -1000
    assert torso.hu.min() == -1000
