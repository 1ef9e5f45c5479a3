"""Where the raw images of a BIDS data set of derivatives are, as its dataset_description.json says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_names import has_subjects

_DESCRIPTION = "dataset_description.json"
_REMEDY = "mend the file"


def is_derivative(root: Path) -> bool:
    """Tell whether a folder says of itself that it is a data set of derivatives."""
    return _read(root).get("DatasetType") == "derivative"


def derivatives_of(root: Path) -> list[Path]:
    """List the data sets of derivatives within a raw one."""
    folder = root / "derivatives"
    if not folder.is_dir():
        return []
    return [path for path in (folder, *sorted(folder.iterdir())) if path.is_dir() and has_subjects(path)]


def raw_source(root: Path) -> Path | None:
    """Return the raw data set that one of derivatives names, or that it lies in; None where there is neither."""
    named = [root / place for place in _places(_read(root))]
    above = [root.parent.parent, root.parent.parent.parent] if "derivatives" in root.absolute().parts else []
    return next((path.resolve() for path in (*named, *above) if has_subjects(path) and not _same(path, root)), None)


def _same(path: Path, root: Path) -> bool:
    return path.resolve() == root.resolve()


def _places(description: dict[str, Any]) -> Iterator[str]:
    """List the folders that a description points to; addresses on the net are no folders."""
    links, sources = description.get("DatasetLinks"), description.get("SourceDatasets")
    named = [*(links.values() if isinstance(links, dict) else ())]
    named += [source.get("URL") for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    for place in named:
        if isinstance(place, str):
            parts = urlparse(place)
            if parts.scheme in ("", "file"):
                yield unquote(parts.path)


def _read(root: Path) -> dict[str, Any]:
    path = root / _DESCRIPTION
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # of the encoding as well as of the JSON
        raise DataError(path, expected="JSON", found=str(error), remedy=_REMEDY) from error
    if not isinstance(content, dict):
        raise DataError(path, expected="a JSON object", found=type(content).__name__, remedy=_REMEDY)
    return content
