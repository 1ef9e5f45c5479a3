import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schedules import polynomial, warmup_cosine

FRACTIONS = st.floats(-0.5, 1.5)


@given(FRACTIONS)
def test_multipliers_stay_between_0_and_1(fraction):
    assert 0.0 <= polynomial(fraction) <= 1.0
    assert 0.0 <= warmup_cosine(fraction) <= 1.0


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_multipliers_fall_after_the_warmup(first, second):
    early, late = sorted((first, second))
    assert warmup_cosine(early) >= warmup_cosine(late)
    assert polynomial(early) >= polynomial(late)


def test_warmup_cosine_at_its_landmarks():
    assert warmup_cosine(0.0, warmup=0.1, initial=0.2) == pytest.approx(0.2)
    assert warmup_cosine(0.05, warmup=0.1, initial=0.2) == pytest.approx(0.6)
    assert warmup_cosine(0.1, warmup=0.1) == pytest.approx(1.0)
    assert warmup_cosine(0.55, warmup=0.1) == pytest.approx(0.5)
    assert warmup_cosine(1.0, final=0.01) == pytest.approx(0.01)
    assert warmup_cosine(0.0, warmup=0.0) == 1.0


def test_polynomial_at_its_landmarks():
    assert polynomial(0.0) == 1.0
    assert polynomial(0.5) == pytest.approx(0.5**0.9)
    assert polynomial(1.0) == 0.0


def test_an_overrun_budget_counts_as_the_end():
    assert warmup_cosine(1.2, final=0.1) == pytest.approx(0.1)
    assert polynomial(1.2) == 0.0


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_a_warmup_that_is_no_share_is_refused(warmup):
    with pytest.raises(ValueError, match="warmup"):
        warmup_cosine(0.5, warmup=warmup)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="power"):
        polynomial(0.5, power=0.0)
    with pytest.raises(ValueError, match="NaN"):
        polynomial(math.nan)
