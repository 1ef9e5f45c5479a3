"""The check of a data set of annotated poses: images, joints, twins and folds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.annotations import find_poses
from datamodules.annotations.detection import FORMATS, look
from datamodules.file_mapping import map_files
from datamodules.formats import photograph
from datamodules.formats.errors import DataError
from datamodules.hashing import hash_file
from datamodules.integrity.aggregate import told_once
from datamodules.integrity.check_result import CheckResult, CheckSettings
from datamodules.integrity.findings import Finding, in_order, of_error
from datamodules.keypoints import UNLABELLED, PoseListing, PoseSample
from datamodules.splits import Split, split_cases

_FAR = 0.25  # of the longer side of the image: more likely a slip than a joint out of view
_FEW = 3  # joints; fewer may be equal by chance


@dataclass(frozen=True)
class _Image:
    """What is known of an image: its size in pixels and the hash of its bytes, or why it cannot be read."""

    width: int = 0
    height: int = 0
    content: str = ""
    error: DataError | None = None


def holds_poses(root: Path) -> bool:
    """Tell whether a folder or file holds annotations of poses in a known format."""
    return root.exists() and bool(look(root, FORMATS).candidates)


def check_poses(root: Path, settings: CheckSettings, workers: int) -> CheckResult:
    """Check a data set of poses.

    Args:
        root: A folder that holds annotations, or their file.
        settings: Groups and folds.
        workers: Threads that read images.
    """
    try:
        listing = find_poses(root, group_pattern=settings.group_pattern)
    except DataError as error:
        return CheckResult(root, settings, (of_error("annotations", error),), kind="pose")
    paths = list(dict.fromkeys(sample.image for sample in listing.samples))
    images = map_files(_look_at, paths, workers, "Reading images")
    readable = [sample for sample in listing.samples if images[sample.image].error is None]
    findings = [
        *_left_out(listing),
        *_unreadable(listing.samples, images),
        *_twins(readable, images),
        *_joints(readable, images),
    ]
    splits = _splits(readable, settings, findings)
    findings += _unlabelled(readable, listing.skeleton.names, splits)
    return CheckResult(
        root=root,
        settings=settings,
        findings=in_order(findings),
        kind="pose",
        layout=listing.format,
        case_ids=tuple(sample.id for sample in listing.samples),
        groups={sample.id: sample.group for sample in listing.samples},
        splits=splits,
        summary=_summary(listing, images),
    )


def _left_out(listing: PoseListing) -> Iterator[Finding]:
    """Tell what the annotations hold that training takes no notice of, such as rows without a labelled joint."""
    for origin in listing.origins:
        if re.match(r"[a-z ]+ left out\b", origin):
            yield Finding("left-out", "note", origin, "label what is to be seen there; nothing else if it is meant so")


def _look_at(path: Path) -> _Image:
    try:
        height, width = photograph.read(path).shape[:2]
        return _Image(width, height, hash_file(path))
    except DataError as error:
        return _Image(error=error)


def _unreadable(samples: Sequence[PoseSample], images: Mapping[Path, _Image]) -> Iterator[Finding]:
    for path, image in images.items():
        if image.error is not None:
            yield of_error("unreadable-image", image.error, [s.id for s in samples if s.image == path])


def _twins(samples: Sequence[PoseSample], images: Mapping[Path, _Image]) -> Iterator[Finding]:
    """Find equal images under several names or in several groups (F17), and equal poses on different images."""
    of_content: defaultdict[str, list[PoseSample]] = defaultdict(list)
    of_pose: defaultdict[bytes, list[PoseSample]] = defaultdict(list)
    for sample in samples:
        of_content[images[sample.image].content].append(sample)
        if np.count_nonzero(sample.visibility) >= _FEW:
            of_pose[sample.keypoints.tobytes()].append(sample)
    for same in of_content.values():
        names, cases = sorted({sample.image.name for sample in same}), tuple(sorted(sample.id for sample in same))
        remedy = "remove all but one of them, or give them one group by data.split.group_pattern"
        if len({sample.group for sample in same}) > 1:
            message = f"one image in several groups, which may train and validate both: {', '.join(names)}"
            yield Finding("duplicate-image", "error", message, remedy, cases)
        elif len({sample.image for sample in same}) > 1:
            yield Finding("duplicate-image", "warning", f"the same bytes in {' and '.join(names)}", remedy, cases)
    for same in of_pose.values():
        if len({images[sample.image].content for sample in same}) > 1:
            cases = tuple(sorted(sample.id for sample in same))
            message = f"the same joints in {' and '.join(cases)}, on different images"
            yield Finding("duplicate-label", "warning", message, "look at them: one was most likely copied", cases)


def _joints(samples: Sequence[PoseSample], images: Mapping[Path, _Image]) -> Iterator[Finding]:
    """Find subjects without joints, and joints outside of their image."""
    away: dict[str, str] = {}
    far: dict[str, str] = {}
    outside: dict[str, str] = {}
    for sample in samples:
        labelled = sample.visibility != UNLABELLED
        size = np.array([images[sample.image].width, images[sample.image].height])
        points = sample.keypoints[labelled].astype(np.float64)
        beyond = np.maximum(-0.5 - points, points - (size - 0.5)).max(axis=1, initial=-np.inf)  # pixels, by joint
        count, distant = int((beyond > 0).sum()), int((beyond > _FAR * size.max()).sum())
        if len(points) and count == len(points):
            away[sample.id] = ""
        elif distant:
            far[sample.id] = f"{distant}"
        elif count:
            outside[sample.id] = f"{count}"
    bare = {sample.id: "" for sample in samples if not sample.visibility.any()}
    remedy = "label what is to be seen, or take the subject out; training leaves it out"
    yield from told_once("no-joints", "warning", "subjects without a labelled joint", remedy, bare)
    remedy = "check that joints are x and y in pixels of this image; training leaves such subjects out"
    yield from told_once("outside-image", "warning", "subjects with all joints outside of their image", remedy, away)
    yield from told_once("joints-far-outside", "warning", "joints far outside of their image", "mend them", far)
    remedy = "mend them if they are slips; joints out of view are learned as such"
    yield from told_once("joints-outside", "note", "joints outside of their image", remedy, outside)


def _splits(samples: Sequence[PoseSample], settings: CheckSettings, findings: list[Finding]) -> tuple[Split, ...]:
    """Return the folds of training: one for each group where there are fewer groups than folds."""
    groups = {sample.group for sample in samples}
    folds = min(settings.folds, max(2, len(groups)))
    try:
        return tuple(split_cases(samples, fold=fold, folds=folds, seed=settings.seed) for fold in range(folds))
    except DataError as error:
        findings.append(of_error("folds", error))
        return ()


def _unlabelled(samples: Sequence[PoseSample], names: Sequence[str], splits: Sequence[Split]) -> Iterator[Finding]:
    """Find joints that no subject has, or none of a fold's part."""
    labelled = {sample.id: sample.visibility != UNLABELLED for sample in samples}
    if not labelled:
        return
    total = np.sum(list(labelled.values()), axis=0)
    if absent := [name for name, count in zip(names, total, strict=True) if not count]:
        message = f"joints that no subject has: {', '.join(absent)}"
        yield Finding("class-missing", "warning", message, "label them, or take them from the skeleton")
    for joint, name in enumerate(names):
        parts = {"training": [split.train for split in splits], "validation": [split.validation for split in splits]}
        lacking = [
            f"the {part} subjects of fold {', '.join(folds)}"
            for part, members in parts.items()
            if (folds := [str(fold) for fold, ids in enumerate(members) if not any(labelled[i][joint] for i in ids)])
        ]
        if total[joint] and lacking:
            message = f"'{name}' is in none of {' and '.join(lacking)}"
            yield Finding(
                "class-missing-from-fold", "warning", message, "set fewer folds or another seed of data.split"
            )


def _summary(listing: PoseListing, images: Mapping[Path, _Image]) -> dict[str, object]:
    """Return counts and ranges, for the report."""
    sizes = sorted((i.width * i.height, i.width, i.height) for i in images.values() if i.error is None)
    labelled = np.sum([sample.visibility != UNLABELLED for sample in listing.samples], axis=0).tolist()
    return {
        "images": len(images),
        "subjects": len(listing.samples),
        "groups": len({sample.group for sample in listing.samples}),
        "joints": dict(zip(listing.skeleton.names, labelled, strict=True)),
        "smallest_image_px": sizes[0][1:] if sizes else None,
        "largest_image_px": sizes[-1][1:] if sizes else None,
        "decoded_bytes": 3 * sum(size for size, _, _ in sizes),
        "origins": list(listing.origins),
    }
