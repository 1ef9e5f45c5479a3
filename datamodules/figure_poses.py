"""Poses of people drawn at random, within the reach of human joints."""

from __future__ import annotations

import numpy as np

from datamodules.figure_body import Limb, Pose

Range = tuple[float, float]

# Ranges in degrees, spread, swing, twist and bend, for arms and legs; right and left are drawn apart.
_ARMS: dict[str, tuple[Range, Range, Range, Range]] = {
    "hanging": ((4, 25), (-20, 25), (-20, 40), (0, 40)),
    "walking": ((4, 15), (-40, 45), (0, 30), (5, 60)),
    "on hips": ((35, 55), (-25, 5), (60, 90), (75, 110)),
    "sideways": ((60, 110), (-15, 30), (-30, 30), (0, 80)),
    "raised": ((125, 172), (-10, 25), (-30, 30), (0, 70)),
    "waving": ((60, 100), (-5, 20), (-90, -60), (50, 130)),
    "forward": ((0, 35), (40, 110), (-20, 60), (10, 120)),
}
_ARM_SHARE = {
    "hanging": 0.2,
    "walking": 0.14,
    "on hips": 0.16,
    "sideways": 0.16,
    "raised": 0.16,
    "waving": 0.14,
    "forward": 0.04,
}
_LEGS: dict[str, tuple[Range, Range, Range, Range]] = {
    "standing": ((0, 12), (-8, 12), (-20, 10), (0, 12)),
    "walking": ((0, 10), (-25, 35), (-15, 10), (0, 55)),
    "astride": ((12, 35), (-10, 25), (-35, 5), (0, 40)),
    "raised": ((0, 30), (30, 90), (-20, 10), (20, 115)),
    "kicked back": ((0, 15), (-20, 15), (-15, 10), (40, 110)),
}
_LEG_SHARE = {"standing": 0.44, "walking": 0.26, "astride": 0.22, "raised": 0.05, "kicked back": 0.03}


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose: seen from the front or the back, standing, walking, leaning or jumping, arms anywhere in reach."""
    back = 180.0 * (rng.random() < 0.35)
    lean = 22 if rng.random() < 0.25 else 7
    body = (back + _normal(rng, 16, 40), _normal(rng, 8, 20), _normal(rng, lean, 45))
    kinds, shares = list(_LEGS), [_LEG_SHARE[kind] for kind in _LEGS]
    legs = [str(kind) for kind in rng.choice(kinds, 2, p=shares)]
    arms = [str(kind) for kind in rng.choice(list(_ARMS), 2, p=[_ARM_SHARE[kind] for kind in _ARMS])]
    if rng.random() < 0.35:  # both sides do the same, as in a jumping jack
        arms[1], legs[1] = arms[0], legs[0]
    return Pose(
        body=body,
        spine=(_normal(rng, 10, 25), _normal(rng, 10, 30), _normal(rng, 7, 20)),
        head=(_normal(rng, 18, 45), _normal(rng, 8, 25), _normal(rng, 8, 20)),
        arms=(_draw_limb(rng, _ARMS[arms[0]]), _draw_limb(rng, _ARMS[arms[1]])),
        legs=(_draw_limb(rng, _LEGS[legs[0]]), _draw_limb(rng, _LEGS[legs[1]])),
    )


def _normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return float(np.clip(rng.normal(0, deviation), -limit, limit))


def _draw_limb(rng: np.random.Generator, ranges: tuple[Range, Range, Range, Range]) -> Limb:
    return Limb(*(float(rng.uniform(*limits)) for limits in ranges))
