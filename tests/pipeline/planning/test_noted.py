import pytest

from pipeline.config.strict_yaml import load_strict
from pipeline.planning.noted import WIDTH, Noted, Verbatim, plain, render

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


@pytest.mark.parametrize("text", ["1e3", "1.e3", "1e-3", "on", "0x1F", "1_000", "10:00", "null", "~", "2020-01-01", ""])
def test_a_text_that_looks_like_something_else_stays_a_text(text):
    tree = {"labels": {text: 1, "b": [text]}}
    assert load_strict(render({"labels": Noted(tree["labels"], "why")})) == tree
    assert load_strict(render({text: Noted(text, "why")})) == {text: text}


@pytest.mark.parametrize("ending", ["\n", "\u2028", "\u0085", "\r"])
def test_no_line_ending_gets_out_of_a_comment(ending):
    text = render({"a": Noted(1, f"one{ending}b: 2")}, [f"first{ending}c: 3", Verbatim(f"  run{ending}d: 4")])
    assert load_strict(text) == {"a": 1}
    assert "# first c: 3" in text


def test_a_command_is_not_broken_into_lines():
    command = f"  pipeline train --config '/{'a folder/' * 30}my.yaml'"
    assert f"\n# {command}\n" in render({"a": 1}, ["Train with:", Verbatim(command)])
