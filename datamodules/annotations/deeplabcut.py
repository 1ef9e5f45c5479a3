"""DeepLabCut projects, and the same tables laid out as Lightning Pose does.

A project has `config.yaml` and for each video `labeled-data/VIDEO/CollectedData_SCORER.h5` and `.csv`; Lightning Pose
has one `CollectedData.csv` beside `labeled-data/`. Pixels are counted from 0, a pixel's centre at its integer; empty
cells are unlabelled. (Nath, Mathis and others, Nature Protocols 2019.)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from datamodules.annotations.deeplabcut_config import ProjectConfig, read_config
from datamodules.annotations.deeplabcut_files import read_tables
from datamodules.annotations.deeplabcut_table import LabelTable, read_csv, refuse_doubles
from datamodules.annotations.subjects import Annotations, FolderRank, Subject, joints
from datamodules.formats.errors import DataError
from datamodules.keypoints import UNLABELLED, VISIBLE

log = logging.getLogger(__name__)

CONFIG = "config.yaml"
LABELS = "labeled-data"
_UNIQUE = "single"  # whom DeepLabCut gives the body parts that belong to no animal


def read_project(root: Path) -> Annotations:
    """Read a DeepLabCut project.

    Raises:
        DataError: If its config or a table is malformed, or no table is there.
    """
    config = read_config(root / CONFIG) if (root / CONFIG).is_file() else None
    tables, origins = read_tables(root / LABELS, config)
    source = root / CONFIG if config is not None else root / LABELS
    return _annotations(source, root, [_found_images(table, root) for table in tables], config, origins)


def read_label_file(path: Path) -> Annotations:
    """Read one table: that of Lightning Pose's layout, or of one video of a project.

    Raises:
        DataError: If it is malformed.
    """
    from datamodules.annotations.deeplabcut_h5 import read_h5

    table = read_csv(path) if path.suffix.lower() == ".csv" else read_h5(path)
    in_project = path.parent.parent.name == LABELS
    root = path.parent.parent.parent if in_project else path.parent
    config = read_config(root / CONFIG) if in_project and (root / CONFIG).is_file() else None
    return _annotations(path, root, [_found_images(table, root)], config, [f"labels: {path.name}"])


def _found_images(table: LabelTable, root: Path) -> LabelTable:
    """Lead rows whose path is that of another computer to the images beside their table.

    Raises:
        DataError: If two rows are led to one image.
    """
    images = []
    for image in table.images:
        beside = table.path.parent / PurePosixPath(image).name
        there = beside.is_file() and not (root / image).is_file()
        images.append(beside.relative_to(root).as_posix() if there else image)
    if tuple(images) != table.images:
        log.warning("%s: its images are taken from its own folder, as the paths in it lead nowhere", table.path)
        refuse_doubles(table.path, images)
    return replace(table, images=tuple(images))


def _annotations(
    source: Path, root: Path, tables: Sequence[LabelTable], config: ProjectConfig | None, origins: Sequence[str]
) -> Annotations:
    refuse_doubles(source, [image for table in tables for image in table.images])
    names, names_from = _names(source, tables, config)
    subjects: list[Subject] = []
    empty = 0
    for table in tables:
        found, without = _subjects(table, names)
        subjects += found
        empty += without
    unique = any(len(table.individuals) > 1 and _UNIQUE in table.individuals for table in tables)
    told = [names_from, *origins]
    if unique:
        told.append("body parts left out: those that belong to no animal (individual `single`)")
    if empty:
        told.append(f"rows left out, without any labelled joint: {empty}")
    edges, dropped = config.edges(names) if config else (None, ())
    if dropped:
        told.append(f"limbs left out, of names that are no joint's: {', '.join(dropped)}")
    return Annotations(
        source=source,
        names=names,
        subjects=tuple(subjects),
        ranks=(FolderRank((root,)),),
        edges=edges,
        origins=tuple(told),
    )


def _names(source: Path, tables: Sequence[LabelTable], config: ProjectConfig | None) -> tuple[tuple[str, ...], str]:
    """Return the joints that config.yaml lists; a table may lack some, or have others that were given up."""
    labelled = list(dict.fromkeys(name for table in tables for name in _animal_parts(table)))
    if config is None or not config.bodyparts:
        return tuple(labelled), f"joint names: {len(labelled)} from the header of {tables[0].path.name}"
    if not set(config.bodyparts) & set(labelled):
        raise DataError(
            source,
            expected=f"body parts of the labels: {', '.join(labelled)}",
            found=", ".join(config.bodyparts),
            remedy="mend the body parts in config.yaml",
        )
    lacking = [name for name in config.bodyparts if name not in labelled]
    others = [name for name in labelled if name not in config.bodyparts]
    told = f"joint names: {len(config.bodyparts)} from {source.name}"
    told += f"; never labelled: {', '.join(lacking)}" if lacking else ""
    told += f"; labelled but not listed there, and left out: {', '.join(others)}" if others else ""
    return config.bodyparts, told


def _animals(table: LabelTable) -> tuple[str | None, ...]:
    animals = tuple(name for name in table.individuals if name != _UNIQUE)
    return animals or table.individuals


def _animal_parts(table: LabelTable) -> tuple[str, ...]:
    """Return the body parts of animals, without those that belong to none."""
    animals = _animals(table)
    owned = [column[-2] for column in table.columns if (column[1] if len(column) == 4 else None) in animals]
    return tuple(dict.fromkeys(owned))


def _subjects(table: LabelTable, names: Sequence[str]) -> tuple[list[Subject], int]:
    """Return the labelled animals of a table, and the number of rows without any."""
    points = {animal: table.points(animal, names) for animal in _animals(table)}
    subjects: list[Subject] = []
    empty = 0
    for row, image in enumerate(table.images):
        before = len(subjects)
        for animal, coordinates in points.items():
            labels = np.where(np.isnan(coordinates[row, :, 0]), UNLABELLED, VISIBLE)
            if not labels.any():
                continue
            kept, visibility = joints(coordinates[row], labels)
            place = f"{image} in {table.path.name}" + (f", {animal}" if animal else "")
            video = PurePosixPath(image).parent.as_posix().removeprefix(f"{LABELS}/")
            subjects.append(Subject(image, place, kept, visibility, video=video))
        empty += len(subjects) == before
    return subjects, empty
