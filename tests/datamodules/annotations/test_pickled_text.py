import pickle

import pytest

from datamodules.annotations.pickled_text import PickledTextError, parse_text

COLUMNS = [("me", "snout", "x"), ("me", "snout", "y"), ("me", "œil", "x"), ("a", "b", "c", "d"), ()]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("content", [COLUMNS, [(1, COLUMNS)], [], [("one",)], [1, 300, 70000, -1]])
def test_text_comes_out_as_it_went_in(content, protocol):
    assert parse_text(pickle.dumps(content, protocol)) == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("content", [len, ValueError("x"), {"a": 1}, {1, 2}, 1.5, None])
def test_f33_whatever_else_is_refused(content, protocol):
    with pytest.raises(PickledTextError):
        parse_text(pickle.dumps(content, protocol))


@pytest.mark.parametrize("content", [b"", b"(lp0", b".", b"t.", b"a.", b"g7\n.", b"(lp0\n(l.", b"\xff.", b"I1\nI2\n."])
def test_malformed_pickles_are_refused(content):
    with pytest.raises(PickledTextError):
        parse_text(content)
