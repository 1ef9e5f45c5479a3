from argparse import Namespace

from pipeline.tracking.parameters import LONGEST_PARAM, flatten, shown, valid_key


def test_nested_parameters_get_the_names_of_the_command_line():
    params = {"model": Namespace(lr=0.1, channels=[1, 2]), "data": {"root": None, "empty": {}}, "on": True}
    assert flatten(params) == {
        "model.lr": "0.1",
        "model.channels": "[1, 2]",
        "data.root": "null",
        "data.empty": "{}",
        "on": "true",
    }


def test_keys_are_made_valid():
    assert valid_key("dice/liver (left)") == "dice/liver _left_"
    assert valid_key("/a//../b/") == "a/b"
    assert valid_key("//") == "_"
    assert len(valid_key("x" * 400)) == 250


def test_long_values_point_to_the_file():
    assert shown("x" * LONGEST_PARAM) == "x" * LONGEST_PARAM
    assert shown("x" * (LONGEST_PARAM + 1)) == "(6001 characters, in full in params.json)"
