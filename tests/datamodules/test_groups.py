from pathlib import Path

import pytest

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from datamodules.groups import note_alike, search_group


def test_the_first_name_that_has_the_group_is_taken():
    assert search_group(r"(p\d+)_", ["p1_a", "p2_a"], "x") == "p1"
    assert search_group(r"(p\d+)_", ["a", "p2_a"], "x") == "p2"


@pytest.mark.parametrize("pattern", ["(", "p1", r"(q)", r"(x)?p"])
def test_a_pattern_that_finds_none_is_refused(pattern):
    with pytest.raises(DataError, match="group_pattern"):
        search_group(pattern, ["p1_a"], "x")


def test_groups_that_differ_by_case_alone_are_told():
    cases = [Case(str(number), group, (Path("a"),)) for number, group in enumerate(["p1", "P1", "p2", "p1"])]
    (note,) = note_alike(cases)
    assert note.startswith("the groups 'P1' (as of 1), 'p1' (as of 0) may be one patient")
    assert note_alike(cases[2:]) == ()
