import pytest

from datamodules.formats.errors import DataError
from datamodules.groups import search_group


def test_the_first_name_that_has_the_group_is_taken():
    assert search_group(r"(p\d+)_", ["p1_a", "p2_a"], "x") == "p1"
    assert search_group(r"(p\d+)_", ["a", "p2_a"], "x") == "p2"


@pytest.mark.parametrize("pattern", ["(", "p1", r"(q)", r"(x)?p"])
def test_a_pattern_that_finds_none_is_refused(pattern):
    with pytest.raises(DataError, match="group_pattern"):
        search_group(pattern, ["p1_a"], "x")
