import numpy as np

from datamodules.phantom_anatomy import TISSUE_HU, draw_anatomy


def test_patients_differ():
    first, second = (draw_anatomy(np.random.default_rng(seed)) for seed in (0, 1))
    assert first != second
    assert first == draw_anatomy(np.random.default_rng(0))


def test_organs_are_placed_on_their_side_and_within_the_body():
    for seed in range(20):
        anatomy = draw_anatomy(np.random.default_rng(seed))
        organs = anatomy.organs
        assert organs["liver_right"].centre_mm[0] > 0 > organs["spleen"].centre_mm[0]
        assert organs["kidney_right"].centre_mm[0] > 0 > organs["kidney_left"].centre_mm[0]
        assert anatomy.dome_mm[0] > anatomy.dome_mm[1]
        assert anatomy.cage.half_width_mm < anatomy.body[0]
        assert set(anatomy.hu) == set(TISSUE_HU)
