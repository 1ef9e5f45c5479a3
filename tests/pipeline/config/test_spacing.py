import pytest

from pipeline.config.errors import UsageError
from pipeline.config.spacing import stated_spacing


def test_three_numbers_are_a_spacing_and_nothing_is_none():
    assert stated_spacing([0.5, 0.5, 2.0]) == (0.5, 0.5, 2.0)
    assert stated_spacing(None) is None


@pytest.mark.parametrize(
    "numbers", [[1.0, 1.0], [1.0] * 4, [1.0, 1.0, 0.0], [1.0, -1.0, 1.0], [1.0, 1.0, float("nan")]]
)
def test_anything_else_is_wrong_usage(numbers):
    with pytest.raises(UsageError, match="--slice-spacing-mm: expected three numbers above 0"):
        stated_spacing(numbers)
