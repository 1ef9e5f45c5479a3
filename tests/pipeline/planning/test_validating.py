import pytest

from pipeline.inference.tiles import TileGrid
from pipeline.planning.validating import tiles_of, validation_s


@pytest.mark.parametrize(
    ("shape", "patch"), [((100, 90, 40), (40, 40, 40)), ((30, 50, 20), (40, 40, 40)), ((90, 90, 7), (32, 48))]
)
def test_tiles_are_counted_as_prediction_lays_them(shape, patch):
    outer = (*patch, 1)[:3]
    laid = TileGrid(tuple(map(max, shape, outer)), outer, 0.5)
    assert tiles_of(shape, patch) == len(laid)


def test_mirrored_copies_and_cases_take_their_time():
    one = validation_s([(40, 40, 40)], (40, 40, 40), 0, 6.0, 2)
    assert one == pytest.approx(6 / 3 / 2, abs=1.1)
    assert validation_s([(40, 40, 40)] * 3, (40, 40, 40), 0, 6.0, 2) == pytest.approx(3 * one)
    assert validation_s([(40, 40, 40)], (40, 40, 40), 3, 6.0, 2) - one == pytest.approx(7.0)
