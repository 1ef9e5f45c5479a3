"""Units as columns of boxes, with the way past them at their side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from drawing.sketch import BOX, ROW, Sketch
from drawing.walk import boxes_of
from networks.densenet import DenseLayer, Transition
from networks.highway import HighwayUnit
from networks.layers import Style
from networks.residual import ResidualOptions, ResidualUnit
from networks.units import Unit, UnitPlan, make_unit

STYLE = Style(2, "batch", activation="relu")  # as in the papers
ASIDE = 124.0  # from a branch to the way past it
PANEL = 270.0  # from one panel to the next
_FORK = 8.0  # below the top of what is bypassed
_JOIN = 28.0
_HALF = BOX[1] / 2


def draw_orders(
    kind: Unit,
    first: int,
    last: int,
    step: int = 1,
    *,
    style: Style = STYLE,
    options: ResidualOptions = ResidualOptions(),  # noqa: B008 -- frozen
) -> Sketch:
    """Draw a residual unit in its original order and with pre-activation.

    Args:
        kind: Of the unit.
        first: Channels in.
        last: Channels out.
        step: Of the unit.
        style: What its layers have in common.
        options: Of the residual unit; the order is left out.
    """
    sketch = Sketch()
    for number, title in enumerate(("original order", "pre-activation")):
        plan = UnitPlan(kind, replace(options, preactivation=number == 1))
        made: Any = make_unit(style, plan, first, last, (3, 3), (step, step), survival=options.survival)
        x = number * (PANEL + (70 if boxes_of(made.shortcut) else 0))
        _heading(sketch, x, title, first)
        _draw_residual(sketch, x, made)
    return sketch


def draw_columns(*panels: tuple[str, int, nn.Module]) -> Sketch:
    """Draw modules that are layers in a row beside each other, each of a title, channels in, and module."""
    sketch = Sketch()
    for number, (title, channels, made) in enumerate(panels):
        _draw_column(sketch, number * 220.0, title, channels, made)
    return sketch


def draw_dense(layer: DenseLayer, transition: Transition, first: int, last: int) -> Sketch:
    """Draw a dense layer that reads `first` channels, and a transition that reads `last`."""
    sketch = Sketch()
    _heading(sketch, 0, "dense layer", first)
    sketch.line((0, 0), (0, _FORK), arrow=False)
    y = sketch.column(0, _FORK, boxes_of(layer))
    joined = y + _JOIN
    sketch.line((0, _FORK), (ASIDE, _FORK), (ASIDE, joined), (BOX[0] / 2, joined))
    sketch.line((0, y), (0, joined - _HALF))
    sketch.box(0, joined, "concatenate", "other")
    sketch.line((0, joined + _HALF), (0, joined + 30))
    _draw_column(sketch, PANEL, "transition", last, transition)
    return sketch


def draw_highway(made: HighwayUnit, channels: int) -> Sketch:
    """Draw a highway unit that keeps its channels and size."""
    sketch, beside, carried = Sketch(), 180.0, 284.0
    _heading(sketch, 0, "highway", channels)
    sketch.line((0, 0), (0, _FORK), arrow=False)
    y = sketch.column(0, _FORK, boxes_of(made.transform))
    gate = sketch.column(beside, _FORK, [*boxes_of(made.gate), ("sigmoid", "activation")])
    mix = y + 40
    sketch.line((0, _FORK), (carried, _FORK), (carried, mix + 5), (BOX[0] / 2, mix + 5))
    sketch.line((beside, gate), (beside, mix - 5), (BOX[0] / 2, mix - 5))
    sketch.text(carried + 6, mix / 2, "carried", side="left")
    sketch.text(beside - 8, mix - 14, "gate", side="right")
    sketch.line((0, y), (0, mix - _HALF))
    sketch.box(0, mix, "mix", "other")
    sketch.line((0, mix + _HALF), (0, mix + 30))
    sketch.text(0, mix + 42, "gate · transformed + (1 - gate) · carried")
    return sketch


def _heading(sketch: Sketch, x: float, text: str, channels: int) -> None:
    sketch.text(x, -36, text, size=11, bold=True)
    sketch.text(x, -12, f"{channels} channels")


def _draw_column(sketch: Sketch, x: float, title: str, channels: int, made: nn.Module) -> None:
    _heading(sketch, x, title, channels)
    y = sketch.column(x, 0, boxes_of(made))
    sketch.line((x, y), (x, y + 18))


def _draw_residual(sketch: Sketch, x: float, made: ResidualUnit) -> None:
    """Draw the branch of a unit, the way past it, and where they meet."""
    opening = boxes_of(made.opening)
    fork = _FORK
    if made.shares_opening and opening:
        fork += sketch.column(x, 0, opening)
        opening = []
    sketch.line((x, fork - _FORK), (x, fork), arrow=False)
    y = sketch.column(x, fork, [*opening, *boxes_of(made.branch), *boxes_of(made.ending)])
    joined = y + _JOIN
    _draw_past(sketch, (x, fork), joined, made)
    if made.fusion is None:
        sketch.join(x, joined)
        sketch.line((x, y), (x, joined - 10))
        after, tail = boxes_of(made.activation), joined + 10
    else:
        sketch.box(x, joined, "concatenate", "extra")
        sketch.line((x, y), (x, joined - _HALF))
        after = [(text, "extra") for text, _ in boxes_of(made.fusion)] + boxes_of(made.activation)
        tail = joined + _HALF
    tail = sketch.column(x, tail, after)
    sketch.line((x, tail), (x, tail + 18))


def _draw_past(sketch: Sketch, fork: tuple[float, float], joined: float, made: ResidualUnit) -> None:
    """Draw the shortcut, from where it parts to the side of what joins it with the branch."""
    x, begun = fork
    into = x + (10 if made.fusion is None else BOX[0] / 2)
    layers = boxes_of(made.shortcut)
    aside = x + ASIDE + (46 if layers else 0)
    middle = (begun + joined) / 2
    if not layers:
        sketch.line((x, begun), (aside, begun), (aside, joined), (into, joined))
        sketch.text(aside + 6, middle, "identity", side="left")
        return
    top = middle - (len(layers) * ROW) / 2
    sketch.line((x, begun), (aside, begun), (aside, top), arrow=False)
    end = sketch.column(aside, top, layers)
    sketch.line((aside, end), (aside, joined), (into, joined))
