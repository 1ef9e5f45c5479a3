import numpy as np

from datamodules.figure_look import draw_look


def looks(count=200):
    rng = np.random.default_rng(2)
    return [draw_look(rng, 140.0) for _ in range(count)]


def test_hair_and_skin_are_told_apart():
    for look in looks():
        assert abs(np.mean(look.hair) - np.mean(look.skin)) > 20


def test_clothes_vary():
    drawn = looks()
    assert {look.shirt.pattern for look in drawn} == {"plain", "bands", "stripes", "checks"}
    assert {look.sleeves for look in drawn} == {0.0, 0.6, 2.0}
    assert {look.trousers for look in drawn} == {0.55, 2.0}
    assert np.std([look.skin[0] for look in drawn]) > 20
    assert all(0 <= value <= 255 for look in drawn for value in (*look.skin, *look.hair, *look.shoes, *look.badge))
