import pytest

from pipeline.config.strict_yaml import load_strict
from pipeline.planning.noted import WIDTH, Noted, plain, render

TREE = {
    "seed": 0,
    "model": {
        "class_path": "UNet",
        "init_args": {
            "strides": Noted([1, 2, [2, 1, 2]], "short"),
            "channels": Noted([16, 32], "a long reason " * 20),
            "rate": 1e-05,
            "norm": None,
            "on": True,
        },
    },
    "labels": Noted({"on": 1, "left: lung": 2, "größe": 3, "0": 255, "# x": 4}, "odd names"),
    "empty": {},
    "none": [],
    "trainer": {"max_time": Noted("12:00:00:00", "twelve days"), "path": "C:\\my data # 1"},
}


def test_what_is_written_is_read_as_it_was_meant():
    assert load_strict(render(TREE, ["A header.", "  with an indented line"])) == plain(TREE)


def test_a_time_is_read_as_a_text_and_not_as_a_number_to_the_base_of_60():
    assert load_strict(render({"max_time": "10:00:00:00"})) == {"max_time": "10:00:00:00"}


def test_a_short_reason_stands_behind_its_value_and_a_long_one_above():
    lines = render(TREE).splitlines()
    assert "    strides: [1, 2, [2, 1, 2]]  # short" in lines
    channels = lines.index("    channels: [16, 32]")
    assert all(line.startswith("    # ") for line in lines[channels - 2 : channels])
    assert "#" not in lines[channels]


def test_no_line_is_longer_than_the_width():
    long = render(TREE | {"words": Noted(1, "word " * 200)}, ["header " * 100])
    assert max(map(len, long.splitlines())) <= WIDTH


def test_every_line_of_the_header_is_a_comment():
    text = render({"a": 1}, ["first", "  second " + "word " * 50])
    assert [line[0] for line in text.splitlines()[:-1]] == ["#"] * (len(text.splitlines()) - 1)
    assert "#   second" in text


@pytest.mark.parametrize("value", [1, 2.5, "text", [1, "a"], {"a": Noted([1], "why")}])
def test_reasons_leave_no_trace_in_what_is_read(value):
    assert plain(Noted(value, "why")) == load_strict(render({"key": Noted(value, "why")}))["key"]
