"""One patient's torso: sizes and places of the organs drawn from a seed, in RAS+ millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datamodules.phantom_shapes import Barrel, Ellipsoid, Point

LABELS = {"background": 0, "lungs": 1, "spine": 2, "ribs": 3, "liver": 4, "kidneys": 5, "spleen": 6}
# Typical values of a portal-venous scan; each case shifts them by a few HU.
TISSUE_HU = {
    "fat": -100.0, "muscle": 55.0, "mediastinum": 40.0, "lung": -850.0, "heart": 130.0, "aorta": 160.0,
    "liver": 105.0, "spleen": 125.0, "kidney": 185.0, "stomach": 30.0, "bowel": 35.0, "gas": -950.0,
    "disc": 90.0, "cancellous": 230.0, "cortical": 480.0, "rib": 380.0, "canal": 25.0, "table": -180.0,
}  # fmt: skip
FAT_BELOW_SKIN_MM = (8.0, 20.0)


@dataclass(frozen=True)
class Anatomy:
    """Hold one patient's sizes.

    Attributes:
        body: Semi-axes of the skin in mm, right and anterior.
        cage: Surface on which the ribs lie.
        fat_mm: Thickness of the fat below the skin.
        dome_mm: Height of the right and left diaphragm.
        spine_y_mm: Anterior position of the vertebral bodies' centre.
        pitch_mm: Distance from one vertebra, and one rib, to the next.
        bend_mm: Sideways and forward bend of the spine.
        phase_rad: Where along the body the bends begin.
        organs: Solid of every organ by name.
        bowel: Loops of bowel, each with whether it holds gas.
        hu: Value of each tissue.
        table: Whether the patient lies on a visible table.
    """

    body: tuple[float, float]
    cage: Barrel
    fat_mm: float
    dome_mm: tuple[float, float]
    spine_y_mm: float
    pitch_mm: float
    bend_mm: tuple[float, float]
    phase_rad: float
    organs: dict[str, Ellipsoid]
    bowel: tuple[tuple[Ellipsoid, bool], ...]
    hu: dict[str, float]
    table: bool


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw the sizes of one patient; lengths in mm."""
    width, depth = rng.uniform(134, 154), rng.uniform(94, 108)
    fat = rng.uniform(*FAT_BELOW_SKIN_MM)
    cage = Barrel(width - fat - 9, depth - fat - 8, rng.uniform(55, 70), rng.uniform(108, 122))
    right_dome = rng.uniform(10, 40)
    dome = (right_dome, right_dome - rng.uniform(6, 14))
    hu = {name: value + rng.normal(0, 6) for name, value in TISSUE_HU.items()}
    hu["lung"] += rng.uniform(-40, 40)  # depth of the breath
    spine_y = 58 - depth
    return Anatomy(
        body=(width, depth),
        cage=cage,
        fat_mm=fat,
        dome_mm=dome,
        spine_y_mm=spine_y,
        pitch_mm=rng.uniform(33, 38),
        bend_mm=(rng.uniform(-6, 6), rng.uniform(2, 7)),
        phase_rad=rng.uniform(0, 2 * np.pi),
        organs=_draw_organs(rng, cage, dome, spine_y),
        bowel=_draw_bowel(rng, cage, dome[1]),
        hu=hu,
        table=bool(rng.random() < 0.6),
    )


def _draw_organs(
    rng: np.random.Generator, cage: Barrel, dome: tuple[float, float], spine_y: float
) -> dict[str, Ellipsoid]:
    """Place the organs within the cage: the liver right (x above 0), spleen, stomach and heart left."""
    a, b = cage.half_width_mm, cage.half_depth_mm
    right, left = dome

    def solid(centre: Point, radii: Point, lean: float = 0.0) -> Ellipsoid:
        moved = tuple(c + rng.normal(0, 3) for c in centre)
        sized = tuple(r * rng.uniform(0.9, 1.1) for r in radii)
        return Ellipsoid((moved[0], moved[1], moved[2]), (sized[0], sized[1], sized[2]), lean)

    kidney, lean = (26.0, 27.0, 52.0), np.deg2rad(rng.uniform(6, 16))
    return {
        "liver_right": solid((0.55 * a, 4, right - 40), (0.6 * a, 0.98 * b, 86)),
        "liver_left": solid((0.02 * a, 0.5 * b, right - 34), (0.55 * a, 0.5 * b, 38), 0.25),
        "spleen": solid((-0.68 * a, -0.38 * b, left - 38), (30, 42, 48), 0.2),
        "stomach": solid((-0.38 * a, 0.4 * b, left - 42), (42, 34, 44), -0.3),
        "heart": solid((-24, 0.25 * b, left + 40), (54, 42, 50), -0.3),
        # The upper poles lean towards the spine.
        "kidney_right": solid((0.5 * a, spine_y + 1, right - 112), kidney, -lean),
        "kidney_left": solid((-0.5 * a, spine_y + 1, left - 92), kidney, lean),
    }


def _draw_bowel(rng: np.random.Generator, cage: Barrel, dome: float) -> tuple[tuple[Ellipsoid, bool], ...]:
    """Scatter loops of bowel below the stomach, some with gas."""
    loops = []
    for _ in range(9):
        centre = (
            rng.uniform(-0.6, 0.6) * cage.half_width_mm,
            rng.uniform(0.1, 0.65) * cage.half_depth_mm,
            dome - rng.uniform(95, 190),
        )
        radii = (rng.uniform(14, 32), rng.uniform(12, 20), rng.uniform(14, 28))
        loops.append((Ellipsoid(centre, radii, rng.uniform(-0.6, 0.6)), bool(rng.random() < 0.4)))
    return tuple(loops)
