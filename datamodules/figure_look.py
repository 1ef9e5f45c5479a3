"""The skin, hair and clothes of a rendered person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datamodules.figure_canvas import Array, Colour, Pattern, Surface, draw_colour

_HAIR = ((28, 22, 20), (70, 44, 26), (120, 80, 44), (205, 172, 104), (150, 146, 143), (225, 222, 218))


@dataclass(frozen=True)
class Look:
    """The colours of a person.

    Attributes:
        sleeves: Share of the arm's two bones that is clothed, 0 to 2.
        trousers: Likewise of the leg's.
        face: Half of the angle in degrees that the face takes of the head; the rest is hair.
    """

    skin: Colour
    hair: Colour
    shirt: Surface
    legs: Surface
    shoes: Colour
    badge: Colour
    sleeves: float
    trousers: float
    face: float


def draw_look(rng: np.random.Generator, stature_px: float) -> Look:
    """Draw the skin, hair and clothes of one person; hair and skin are told apart by their brightness."""
    tone = rng.uniform(0, 1)
    skin = (1 - tone) * np.array([238, 196, 168]) + tone * np.array([112, 72, 48])
    hair = [colour for colour in _HAIR if abs(np.mean(colour) - skin.mean()) > 45]
    return Look(
        skin=_near(rng, skin, 4),
        hair=_near(rng, np.array(hair[rng.integers(len(hair))]), 8),
        shirt=_draw_cloth(rng, stature_px),
        legs=_draw_cloth(rng, stature_px),
        shoes=_near(rng, rng.choice([30.0, 120.0, 230.0], 3), 20),
        badge=_near(rng, rng.choice([40.0, 235.0], 3), 15),
        sleeves=float(rng.choice([0.0, 0.6, 2.0], p=[0.3, 0.5, 0.2])),
        trousers=float(rng.choice([0.55, 2.0], p=[0.35, 0.65])),
        face=float(rng.uniform(62, 76)),
    )


def _near(rng: np.random.Generator, colour: Array, deviation: float) -> Colour:
    red, green, blue = (float(v) for v in np.clip(colour + rng.normal(0, deviation, 3), 5, 250))
    return red, green, blue


def _draw_cloth(rng: np.random.Generator, stature_px: float) -> Surface:
    patterns: tuple[Pattern, ...] = ("plain", "bands", "stripes", "checks")
    pattern = patterns[int(rng.choice(4, p=[0.55, 0.15, 0.15, 0.15]))]
    return Surface(draw_colour(rng), draw_colour(rng), pattern, float(rng.uniform(0.035, 0.09)) * stature_px)
