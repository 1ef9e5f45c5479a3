"""The label files of a DeepLabCut project: one table for each video, kept twice, as HDF5 and as CSV."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from datamodules.annotations.deeplabcut_config import ProjectConfig
from datamodules.annotations.deeplabcut_table import LabelTable, read_csv
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

_STEM = "CollectedData_"
_SUFFIXES = (".csv", ".h5")
_APART_PX = 1e-3  # CSV keeps enough digits for this


def label_files(folder: Path) -> list[Path]:
    """List the label files of all videos, sorted."""
    found = [path for suffix in _SUFFIXES for path in folder.glob(f"*/{_STEM}*{suffix}")]
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def read_tables(folder: Path, config: ProjectConfig | None) -> tuple[list[LabelTable], list[str]]:
    """Read the table of every video.

    The HDF5 file counts, as it does for DeepLabCut. One that holds pickled objects is not read; its CSV file then
    counts, and the log says so.

    Args:
        folder: The project's `labeled-data`.
        config: Its config, which names the scorer.

    Returns:
        The tables, and in sentences which files they are from.

    Raises:
        DataError: If there is no table, a video has those of several scorers, or a table is malformed.
    """
    videos: dict[Path, list[Path]] = {}
    for path in label_files(folder):
        videos.setdefault(path.parent, []).append(path)
    if not videos:
        expected = f"label files {folder.name}/VIDEO/{_STEM}SCORER.csv or .h5"
        raise DataError(folder, expected, "none", "label frames in DeepLabCut, or check data.root")
    tables = [_table(_of_scorer(paths, config)) for _, paths in sorted(videos.items())]
    kinds = sorted({table.path.suffix for table in tables})
    return tables, [f"labels: {len(tables)} video folder(s) of {folder.name}, from {' and '.join(kinds)}"]


def _of_scorer(paths: list[Path], config: ProjectConfig | None) -> list[Path]:
    """Return the files of the config's scorer, or of the only one."""
    scorers = {path.stem for path in paths}
    wanted = f"{_STEM}{config.scorer}" if config and config.scorer else None
    if len(scorers) > 1 and wanted not in scorers:
        raise DataError(
            paths[0].parent,
            expected="labels of one scorer" + (f", or {wanted}" if wanted else ""),
            found=", ".join(sorted(scorers)),
            remedy="name the scorer in config.yaml, or move the other files elsewhere",
        )
    return [path for path in paths if path.stem == wanted] if wanted in scorers else paths


def _table(paths: list[Path]) -> LabelTable:
    from datamodules.annotations.deeplabcut_h5 import PickledTableError, read_h5

    by_suffix = {path.suffix: path for path in paths}
    if ".h5" not in by_suffix:
        return read_csv(by_suffix[".csv"])
    try:
        table = read_h5(by_suffix[".h5"])
    except PickledTableError as error:
        if ".csv" not in by_suffix:
            raise
        log.warning("%s is read in its place: %s", by_suffix[".csv"], error)
        return read_csv(by_suffix[".csv"])
    if ".csv" in by_suffix and not _agree(table, read_csv(by_suffix[".csv"])):
        log.warning("%s: its labels differ from those of the CSV file beside it; the HDF5 file counts", table.path)
    return table


def _agree(one: LabelTable, other: LabelTable) -> bool:
    rows = {image: row for row, image in enumerate(other.images)}
    if set(one.images) != set(other.images) or set(one.columns) != set(other.columns):
        return False
    order = [other.columns.index(column) for column in one.columns]
    values = other.values[[rows[image] for image in one.images]][:, order]
    return bool(np.allclose(one.values, values, rtol=0, atol=_APART_PX, equal_nan=True))
