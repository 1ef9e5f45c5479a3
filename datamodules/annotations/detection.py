"""Which kind of annotations a folder or file holds, told by what is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from datamodules.annotations.coco import is_coco, read_coco
from datamodules.annotations.deeplabcut import CONFIG, LABELS, read_label_file, read_project
from datamodules.annotations.deeplabcut_files import label_files
from datamodules.annotations.deeplabcut_table import has_label_header
from datamodules.annotations.lsp import FILE, read_joints, read_lsp
from datamodules.annotations.mpii import is_mpii, read_mpii
from datamodules.annotations.subjects import Annotations
from datamodules.formats.errors import DataError

Format = Literal["coco", "deeplabcut", "mpii", "lsp"]
FORMATS: tuple[Format, ...] = ("coco", "deeplabcut", "mpii", "lsp")  # the first that fits counts
LOOKED_FOR = {
    "coco": "a COCO keypoints JSON (images, annotations, categories) in the folder or its annotations/",
    "deeplabcut": f"a DeepLabCut project ({CONFIG}, {LABELS}/VIDEO/CollectedData_*.csv or .h5) or CollectedData.csv",
    "mpii": "an MPII JSON (a list with image, joints, joints_vis) in the folder or its annot/",
    "lsp": f"the {FILE} of Leeds Sports Pose",
}
_JSON_FOLDERS = (".", "annotations", "annot")


@dataclass(frozen=True)
class Candidate:
    """A file or project that fits a format, and the way to read it."""

    format: Format
    path: Path
    read: Callable[[], Annotations]


@dataclass
class Findings:
    """What fits, and of what looked like it, why it does not."""

    candidates: list[Candidate] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def of(self, kind: str) -> list[Candidate]:
        """Return what fits one format."""
        return [candidate for candidate in self.candidates if candidate.format == kind]


def look(root: Path, wanted: tuple[Format, ...]) -> Findings:
    """Find what of a folder, or whether a file, fits some formats.

    Raises:
        DataError: If there is nothing at that path.
    """
    findings = Findings()
    if root.is_file():
        _look_at_file(root, findings)
        findings.candidates = [candidate for candidate in findings.candidates if candidate.format in wanted]
        return findings
    if not root.is_dir():
        raise DataError(root, "a folder, or a file of annotations", "nothing at this path", "check data.root")
    if {"coco", "mpii"} & set(wanted):
        for folder in _JSON_FOLDERS:
            for path in sorted((root / folder).glob("*.json")):
                _look_at_json(path, findings)
    if "deeplabcut" in wanted:
        _look_for_labels(root, findings)
    if "lsp" in wanted and (root / FILE).is_file():
        _look_at_matrix(root / FILE, findings)
    findings.candidates = [candidate for candidate in findings.candidates if candidate.format in wanted]
    return findings


def _look_at_file(path: Path, findings: Findings) -> None:
    suffix = path.suffix.lower()
    if suffix == ".json":
        _look_at_json(path, findings)
    elif suffix == ".mat":
        _look_at_matrix(path, findings)
    elif path.name == CONFIG and label_files(path.parent / LABELS):
        findings.candidates.append(Candidate("deeplabcut", path.parent, partial(read_project, path.parent)))
    elif suffix == ".h5" or (suffix == ".csv" and has_label_header(path)):
        findings.candidates.append(Candidate("deeplabcut", path, partial(read_label_file, path)))
    else:
        findings.others.append(f"{path.name}, of no known kind")


def _look_at_json(path: Path, findings: Findings) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # of the encoding as well as of the JSON
        findings.others.append(f"{path.name}, which is no JSON ({error})")
        return
    if is_coco(content):
        findings.candidates.append(Candidate("coco", path, partial(read_coco, path, content)))
    elif is_mpii(content):
        findings.candidates.append(Candidate("mpii", path, partial(read_mpii, path, content)))
    elif isinstance(content, dict) and {"images", "annotations"} <= set(content):
        findings.others.append(f"{path.name}, a COCO file without keypoints")
    else:
        findings.others.append(f"{path.name}, JSON of another kind")


def _look_for_labels(root: Path, findings: Findings) -> None:
    if label_files(root / LABELS):
        findings.candidates.append(Candidate("deeplabcut", root, partial(read_project, root)))
        return
    tables = [path for path in sorted(root.glob("*.csv")) if has_label_header(path)]
    findings.candidates += [Candidate("deeplabcut", path, partial(read_label_file, path)) for path in tables]
    if (root / CONFIG).is_file() and not tables:
        findings.others.append(f"{CONFIG} without any CollectedData file in {LABELS}/")


def _look_at_matrix(path: Path, findings: Findings) -> None:
    try:
        read_joints(path)
    except DataError as error:
        findings.others.append(f"{path.name}: {error.found}")
        return
    findings.candidates.append(Candidate("lsp", path, partial(read_lsp, path)))
