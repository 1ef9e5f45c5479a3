"""A patient's torso painted as HU and labels over any points in RAS+ millimetres."""

from __future__ import annotations

import numpy as np

from datamodules.phantom_anatomy import LABELS, Anatomy
from datamodules.phantom_shapes import Array, Barrel, Canvas, Ellipsoid, Mask, periodic

AIR_HU = -1000.0
RIB_HALF_MM = (6.0, 8.0)  # across the chest wall, along it: two voxels of 5 mm at least
RIB_SLOPE = 0.35  # mm that a rib falls for each mm that it runs forward
RIBS = 9


def paint_torso(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Canvas:
    """Paint the torso over points given in anatomical mm; later tissues cover earlier ones."""
    canvas = Canvas(x, y, z, AIR_HU)
    wall = anatomy.cage.distance(x, y, z)
    _paint_body(canvas, anatomy, wall)
    inside = wall < -RIB_HALF_MM[0] - 2
    diaphragm = _diaphragm(canvas, anatomy)
    _paint_abdomen(canvas, anatomy, inside & (canvas.z < diaphragm - 3))
    _paint_chest(canvas, anatomy, inside & (canvas.z >= diaphragm))
    _paint_ribs(canvas, anatomy, wall)
    _paint_spine(canvas, anatomy)
    return canvas


def _paint_body(canvas: Canvas, anatomy: Anatomy, wall: Array) -> None:
    width, depth = anatomy.body
    if anatomy.table:
        sag = canvas.y + (depth + 12) - canvas.x**2 / 2500
        canvas.paint((np.abs(sag) < 7) & (np.abs(canvas.x) < width + 10), anatomy.hu["table"])
    skin = Barrel(width, depth, 1e4, 1.0).distance(canvas.x, canvas.y, canvas.z)
    canvas.paint(skin < 0, anatomy.hu["fat"])
    canvas.paint(skin < -anatomy.fat_mm, anatomy.hu["muscle"])
    behind = (canvas.y < anatomy.spine_y_mm - 10) & (np.abs(canvas.x) < 40)
    canvas.paint((wall < -RIB_HALF_MM[0] - 2) & ~behind, anatomy.hu["fat"])


def _diaphragm(canvas: Canvas, anatomy: Anatomy) -> Array:
    """Return the diaphragm's height in mm: a dome on each side, the right one higher."""
    a, b = anatomy.cage.half_width_mm, anatomy.cage.half_depth_mm
    top = np.where(canvas.x > 0, np.float32(anatomy.dome_mm[0]), np.float32(anatomy.dome_mm[1]))
    fall = ((np.abs(canvas.x) - 0.45 * a) / (0.55 * a)) ** 2 + (canvas.y / b) ** 2
    return np.asarray(top - 40 * fall, dtype=np.float32)


def _paint_abdomen(canvas: Canvas, anatomy: Anatomy, cavity: Mask) -> None:
    hu, organs = anatomy.hu, anatomy.organs
    for side in (-1, 1):
        psoas = ((canvas.x - side * 36) / 17) ** 2 + ((canvas.y - anatomy.spine_y_mm + 2) / 20) ** 2 < 1
        canvas.paint(cavity & psoas & (canvas.z < anatomy.dome_mm[1] - 80), hu["muscle"])
    for loop, gas in anatomy.bowel:
        canvas.paint(cavity & canvas.inside(loop), hu["gas" if gas else "bowel"])
    _paint_stomach(canvas, anatomy, cavity)
    liver = canvas.inside(organs["liver_right"]) | canvas.inside(organs["liver_left"])
    canvas.paint(cavity & liver, hu["liver"], LABELS["liver"])
    canvas.paint(cavity & canvas.inside(organs["spleen"]), hu["spleen"], LABELS["spleen"])
    for side, name in ((1, "kidney_right"), (-1, "kidney_left")):
        kidney = organs[name]
        cx, cy, cz = kidney.centre_mm
        canvas.paint(cavity & canvas.inside(kidney.scaled(1.15)), hu["fat"])
        # The renal sinus opens towards the spine and forward, and is fat.
        sinus = Ellipsoid((cx - side * 24, cy + 8, cz), (14, 11, 15))
        whole = cavity & canvas.inside(kidney) & ~canvas.inside(sinus)
        canvas.paint(whole, hu["kidney"], LABELS["kidneys"])


def _paint_stomach(canvas: Canvas, anatomy: Anatomy, cavity: Mask) -> None:
    stomach = anatomy.organs["stomach"]
    inside = cavity & canvas.inside(stomach)
    canvas.paint(inside, anatomy.hu["stomach"])
    # The patient lies on the back, so that gas gathers in front.
    gas = inside & canvas.inside(stomach.scaled(0.9)) & (canvas.y > stomach.centre_mm[1] + 12)
    canvas.paint(gas, anatomy.hu["gas"])


def _paint_chest(canvas: Canvas, anatomy: Anatomy, cavity: Mask) -> None:
    hu = anatomy.hu
    canvas.paint(cavity, hu["lung"], LABELS["lungs"])
    middle = (canvas.x / 25) ** 2 + ((canvas.y - 6) / (0.95 * anatomy.cage.half_depth_mm)) ** 2 < 1
    around_spine = canvas.x**2 + (canvas.y - anatomy.spine_y_mm + 14) ** 2 < 33**2
    canvas.paint(cavity & (middle | around_spine), hu["mediastinum"])
    canvas.paint(cavity & canvas.inside(anatomy.organs["heart"]), hu["heart"])
    aorta = (canvas.x + 16) ** 2 + (canvas.y - anatomy.spine_y_mm - 24) ** 2 < 11**2
    canvas.paint(cavity & aorta, hu["aorta"])


def _paint_ribs(canvas: Canvas, anatomy: Anatomy, wall: Array) -> None:
    """Paint oblique arcs on the cage, from beside the spine forward; the lowest are the shortest."""
    depth = anatomy.cage.half_depth_mm
    lowest = anatomy.dome_mm[1] - 75
    index, offset = periodic(canvas.z + RIB_SLOPE * (canvas.y + depth) - lowest, anatomy.pitch_mm)
    angle = np.arctan2(np.abs(canvas.x) / anatomy.cage.half_width_mm, -canvas.y / depth)  # 0 at the back
    reach = np.minimum(1.5 + 0.25 * np.arange(RIBS), 2.5).astype(np.float32)
    exists = (index >= 0) & (index < RIBS) & (canvas.z < anatomy.cage.shoulder_mm + 0.85 * anatomy.cage.dome_mm)
    exists &= (angle < reach[np.clip(index, 0, RIBS - 1)]) & (np.abs(canvas.x) > 20)
    across, along = RIB_HALF_MM
    section = (wall / across) ** 2 + (offset / along) ** 2
    canvas.paint(exists & (section < 1), anatomy.hu["rib"], LABELS["ribs"])


def _paint_spine(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint vertebral bodies, discs, arches and processes around the open canal."""
    hu, label = anatomy.hu, LABELS["spine"]
    sway = 2 * np.pi * canvas.z / 420 + anatomy.phase_rad
    x = canvas.x - anatomy.bend_mm[0] * np.sin(sway)
    y = canvas.y - anatomy.spine_y_mm - anatomy.bend_mm[1] * np.cos(sway)
    _, offset = periodic(canvas.z - anatomy.dome_mm[1] + 75, anatomy.pitch_mm)
    column = (x / 21) ** 2 + (y / 17) ** 2
    disc = np.abs(offset) > 0.38 * anatomy.pitch_mm
    canvas.paint((column < 1) & ~disc, hu["cortical"], label)
    canvas.paint((column < 0.7) & ~disc, hu["cancellous"], label)
    canvas.paint((column < 0.9) & disc, hu["disc"], label)
    back = y + 25
    arch = (x / 18) ** 2 + (back / 17) ** 2 < 1
    canvas.paint(arch & (column >= 1), hu["cortical"], label)
    transverse = (np.abs(x) < 34) & (back**2 + offset**2 < 7.5**2)
    spinous = (np.abs(x) < 6) & (np.abs(y + 43) < 9) & (np.abs(offset) < 0.3 * anatomy.pitch_mm)
    canvas.paint((transverse | spinous) & (column >= 1), hu["cancellous"], label)
    canal = (x / 10) ** 2 + (back / 8) ** 2 < 1
    canvas.paint(canal, hu["canal"])
