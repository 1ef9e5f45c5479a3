"""Annotations of poses in the formats that laboratories have: COCO, DeepLabCut, MPII, Leeds Sports Pose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from datamodules.annotations.detection import FORMATS, LOOKED_FOR, Candidate, Findings, look
from datamodules.annotations.names import make_skeleton
from datamodules.annotations.samples import make_samples
from datamodules.formats.errors import DataError
from datamodules.keypoints import PoseListing

__all__ = ["find_poses"]

# Of several files of a format, the one with this ending counts: both parts of MPII, which are split by group here, and
# the labels of Lightning Pose beside those that are kept for a test.
_MAIN = {"mpii": "trainval", "deeplabcut": "CollectedData"}


def find_poses(
    root: Path,
    format: Literal["auto", "coco", "deeplabcut", "lsp", "mpii"] = "auto",
    *,
    edges: Sequence[tuple[str, str]] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    group_pattern: str | None = None,
) -> PoseListing:
    """List the annotated subjects of a data set, with their joints.

    Args:
        root: Folder of the data set, or its file of annotations; images are then looked for around it.
        format: What the annotations are; "auto" finds out by what is in the files.
        edges: Limbs as pairs of joint names, in place of those of the annotations.
        pairs: Left and right joints by names, in place of those of the annotations, or of those found by the names.
        group_pattern: Regular expression whose first group, searched in a subject's id and then in its image's path,
            is its group. Without it the group is the video where two or more are told apart, else the image.

    Returns:
        The subjects in the order of their images' paths, and in `origins` where everything comes from.

    Raises:
        ValueError: If there is no such format.
        DataError: If nothing fits, several files do, images are missing, or an annotation is malformed.
    """
    if format != "auto" and format not in FORMATS:
        raise ValueError(f"data.format: expected auto, {', '.join(FORMATS)}, found {format!r}")
    findings = look(root, FORMATS if format == "auto" else (format,))
    chosen = _choose(root, findings, FORMATS if format == "auto" else (format,))
    annotations = chosen.read()
    skeleton, skeleton_from = make_skeleton(annotations, edges=edges, pairs=pairs)
    samples, samples_from = make_samples(annotations, group_pattern)
    origins = (_format_from(chosen, findings), *annotations.origins, *skeleton_from, *samples_from)
    return PoseListing(samples, skeleton, chosen.format, origins)


def _choose(root: Path, findings: Findings, wanted: Sequence[str]) -> Candidate:
    kind = next((kind for kind in wanted if findings.of(kind)), None)
    if kind is None:
        raise DataError(
            root,
            expected="; or ".join(LOOKED_FOR[kind] for kind in wanted),
            found="; ".join(findings.others) or _content(root),
            remedy="check data.root; it may be the file of annotations itself",
        )
    fitting = findings.of(kind)
    main = [candidate for candidate in fitting if candidate.path.stem.endswith(_MAIN.get(kind, "\0"))]
    fitting = main if len(main) == 1 else fitting
    if len(fitting) > 1:
        raise DataError(
            root,
            expected=f"one file of {kind} annotations",
            found=", ".join(str(candidate.path.relative_to(root)) for candidate in fitting),
            remedy="name one of them as data.root",
        )
    return fitting[0]


def _format_from(chosen: Candidate, findings: Findings) -> str:
    others = [c for c in findings.candidates if c is not chosen]
    told = f"annotations: {chosen.format}, {chosen.path.name}"
    if other := sorted({c.format for c in others} - {chosen.format}):
        files = ", ".join(c.path.name for c in others if c.format in other)
        told += f"; {files} fits as well: data.format {' or '.join(other)} takes it"
    if same := [c.path.name for c in others if c.format == chosen.format]:
        told += f"; not read: {', '.join(same)}"
    return told


def _content(root: Path) -> str:
    if root.is_file():
        return root.name
    return ", ".join(sorted(path.name for path in root.iterdir())[:10]) or "an empty folder"
