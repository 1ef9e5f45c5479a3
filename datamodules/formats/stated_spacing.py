"""The spacing of images that carry none: as it is told, or as a JSON file beside them states it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_spacing

FOLDER_FILE = "spacing.json"
REMEDY = (
    f'state it: {{"spacing_mm": [x, y, z]}} in a file {FOLDER_FILE} in a folder, or NAME.json beside NAME.tif, or '
    "--slice-spacing-mm X Y Z, in a config data.spacing_mm"
)
_KEYS = {"spacing_mm": 1, "spacing": -1}  # ours along X, Y, Z; that of nnU-Net's TIFF reader along Z, Y, X
_CHANNEL = re.compile(r"(.+)_\d{4}", re.DOTALL)
_SAME = 1e-3  # relative; two statements closer than this are the same
_MEND = 'write {"spacing_mm": [x, y, z]}, in mm'


def stated_spacing(path: Path, options: ReadOptions) -> tuple[float, float, float] | None:
    """Return the spacing along X, Y and Z in mm of a TIFF file or a folder of slices, None where none is stated.

    Raises:
        DataError: A statement cannot be true, or two of them differ.
    """
    source = spacing_file(path)
    read = None if source is None else _read(source)
    if options.spacing_mm is not None:
        check_spacing(path, list(options.spacing_mm), "stated spacing")
        if read is not None and not np.allclose(read, options.spacing_mm, rtol=_SAME, atol=0):
            remedy = f"mend {source}, or leave the other out"
            raise DataError(path, f"the spacing {list(read)} of {source}", f"{list(options.spacing_mm)}", remedy)
    return read or options.spacing_mm


def spacing_file(path: Path) -> Path | None:
    """Return the JSON file that states the spacing of a TIFF file or a folder of slices.

    NAME_0000.tif and NAME_0001.tif, channels of a case, may share NAME.json.

    Raises:
        DataError: The file is no JSON.
    """
    if path.is_dir():
        return source if (source := path / FOLDER_FILE).is_file() else None
    names = [path.stem, *(match[1] for match in [_CHANNEL.fullmatch(path.stem)] if match)]
    for name in names:
        source = path.with_name(f"{name}.json")
        if source.is_file() and _KEYS.keys() & _load(source).keys():
            return source
    return None


def write_spacing(path: Path, spacing_mm: tuple[float, float, float]) -> None:
    """Write NAME.json beside NAME.tif.

    Raises:
        DataError: There is such a file of other content.
    """
    target = path.with_suffix(".json")
    if target.exists() and not _load(target).keys() <= _KEYS.keys():
        remedy = "choose another name or folder"
        raise DataError(target, "no file, or one that states a spacing", "another file", remedy)
    write_atomically(target, (json.dumps({"spacing_mm": list(spacing_mm)}) + "\n").encode())


def diagonal(spacing_mm: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the affine of a grid that lies along the axes, with its first voxel in the origin."""
    return np.diag([*spacing_mm, 1.0])


def _read(source: Path) -> tuple[float, float, float]:
    """Return what a JSON file states, along X, Y, Z."""
    content = _load(source)
    key = next((key for key in _KEYS if key in content), None)
    stated = content.get(key) if key else None
    numbers = [v for v in stated if isinstance(v, int | float) and v is not True] if isinstance(stated, list) else []
    if key is None or not isinstance(stated, list) or not len(numbers) == len(stated) == 3:
        raise DataError(source, "a spacing of three numbers", f"{str(content)[:80]}", _MEND)
    x, y, z = (float(number) for number in numbers[:: _KEYS[key]])
    check_spacing(source, [x, y, z], "stated spacing")
    return x, y, z


def _load(source: Path) -> dict[str, Any]:
    """Return a JSON file's object, an empty one where it holds something else."""
    try:
        content = json.loads(source.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(source, "a JSON file", str(error), _MEND) from error
    return content if isinstance(content, dict) else {}
