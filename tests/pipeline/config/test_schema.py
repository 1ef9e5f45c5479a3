from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Optional

import pytest
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping, Timer

from pipeline.config import schema


def test_classes_behind_a_type():
    assert schema.class_bases(Callable[[int, int], Timer]) == [Timer]
    assert schema.class_bases(list[Timer] | Callback | None) == [Timer, Callback]
    assert schema.class_bases(Literal["a"] | Path | str | int | None) == []


def test_loaded_class_by_name_and_path():
    assert schema.find_class("Timer", [Callback]) is Timer
    assert schema.find_class("pytorch_lightning.callbacks.Timer", [Callback]) is Timer
    assert schema.find_class("elsewhere.Timer", [Callback]) is None
    assert schema.find_class("Tmer", [Callback]) is None


def test_arguments_without_those_of_the_caller():
    arguments = schema.arguments_of(EarlyStopping, skip=1)
    assert arguments is not None
    assert "monitor" not in arguments
    assert arguments["patience"] is int


@dataclass
class Part:
    size: int = 1
    seed: int = 0


WHOLE = {"part": Part, "timer": Callback, "seed_of_all": int}


def test_keys_below_a_section():
    assert list(schema.nested_keys(WHOLE, {})) == ["part.size", "part.seed"]
    named = list(schema.nested_keys(WHOLE, {"timer": {"class_path": "Timer"}}))
    assert {"part.size", "timer.interval"} <= set(named)
    assert list(schema.nested_keys({"whole": {"part": Part}}, {})) == [
        "whole.part",
        "whole.part.size",
        "whole.part.seed",
    ]


@pytest.mark.parametrize(
    ("name", "key"), [("size", "part.size"), ("seed", "seed_of_all"), ("prt", "part"), ("sise", "part.size")]
)
def test_nearest_key_looks_further_down(name, key):
    assert schema.nearest_key(name, WHOLE, {}) == key


class Open:
    def __init__(self, known: int, **others: int) -> None: ...


def test_constructor_that_takes_any_name_has_no_schema():
    assert schema.arguments_of(Open) is None


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int | None, "int or null"),
        (Optional[float], "float or null"),  # noqa: UP045 -- as third parties write it
        (Literal["a", "b"], "'a' or 'b'"),
        (list[int], "list[int]"),
        (tuple[int, int] | Literal["median"], "tuple[int, int] or 'median'"),
    ],
)
def test_types_as_a_user_says_them(annotation, text):
    assert schema.readable(annotation) == text
