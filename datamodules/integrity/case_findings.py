"""What is odd about single cases, as far as their facts tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datamodules.cases import CaseList
from datamodules.formats.geometry import Geometry
from datamodules.integrity.aggregate import told_once
from datamodules.integrity.facts import CaseFacts, ChannelFacts
from datamodules.integrity.findings import Finding
from datamodules.integrity.recorded import GEOMETRY

_MAX_SPACING_MM = 20.0
_MAX_EXTENT_MM = 3000.0  # longer than any table of a scanner moves
_MAX_ANISOTROPY = 15.0  # 0.5 mm in a slice and 7 mm between slices still occur
_WATER_HU, _LOWEST_HU = -200.0, -5000.0
_CT_NAME = re.compile(r"(?:^|[^a-z])ct(?:[^a-z]|$)", re.IGNORECASE)

_MEND_SPACING = "compare the spacing with that of the scanner's files and mend the header, or leave the case out"


def findings_of_cases(facts: Sequence[CaseFacts], listing: CaseList) -> list[Finding]:
    """Return findings of cases each by itself: geometry, intensities and labels.

    Args:
        facts: The cases that were read.
        listing: The data set; channels named CT are taken for Hounsfield units.
    """
    return [*_geometry(facts), *_intensities(facts, listing.channel_names), *_labels(facts, listing.labels.names)]


def is_ct(channel_name: str) -> bool:
    """Tell whether a channel's name says that it holds Hounsfield units."""
    return bool(_CT_NAME.search(channel_name))


def _geometry(facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    for case in facts:
        for code, text in case.warnings:
            remedy = (
                "look at the case in a viewer, then write one geometry to its header"
                if code == GEOMETRY
                else "look at the file; nothing is changed by it if it is meant so"
            )
            yield Finding(code, "warning", text, remedy, (case.case_id,))
    sheared = {case.case_id: f"{Geometry(case.shape, case.affine).shear:.3g}" for case in facts if _is_sheared(case)}
    yield from told_once(
        "sheared",
        "error",
        "axes that are not at right angles (cosine between them)",
        "set data.preprocessing.sheared to resample, or resample the image and its label before",
        sheared,
    )
    yield from told_once(
        "absurd-spacing",
        "warning",
        f"spacing over {_MAX_SPACING_MM:g} mm or an extent over {_MAX_EXTENT_MM / 1000:g} m",
        _MEND_SPACING,
        {case.case_id: _spacing(case) for case in facts if _is_absurd(case)},
    )
    yield from told_once(
        "anisotropy",
        "warning",
        f"spacing along one axis over {_MAX_ANISOTROPY:g} times that of another",
        _MEND_SPACING,
        {
            case.case_id: _spacing(case)
            for case in facts
            if min(case.shape) > 1 and max(case.spacing_mm) > _MAX_ANISOTROPY * min(case.spacing_mm)
        },
    )


def _is_sheared(case: CaseFacts) -> bool:
    return Geometry(case.shape, case.affine).is_sheared


def _is_absurd(case: CaseFacts) -> bool:
    extents = [size * spacing for size, spacing in zip(case.shape, case.spacing_mm, strict=True)]
    real = [spacing for size, spacing in zip(case.shape, case.spacing_mm, strict=True) if size > 1]
    return max(real, default=0.0) > _MAX_SPACING_MM or (max(extents) > _MAX_EXTENT_MM and min(case.shape) > 1)


def _spacing(case: CaseFacts) -> str:
    return " x ".join(f"{spacing:.4g}" for spacing in case.spacing_mm) + " mm"


def _intensities(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    constant: dict[str, str] = {}
    empty: dict[str, str] = {}
    implausible: dict[str, str] = {}
    for case in facts:
        for name, channel in zip(names, case.channels, strict=True):
            if channel.minimum == channel.maximum:
                target = constant if channel.minimum else empty
                _append(target, case.case_id, f"{name}: {channel.minimum:g}" if channel.minimum else name)
            elif is_ct(name) and (doubt := _doubt_of_hu(channel)):
                _append(implausible, case.case_id, doubt)
    remedy = "export the channel again, or leave the case out"
    yield from told_once("empty-channel", "warning", "channels in which every voxel is 0", remedy, empty)
    yield from told_once("constant-channel", "warning", "channels with one value in every voxel", remedy, constant)
    yield from told_once(
        "implausible-hu",
        "warning",
        "values that cannot be Hounsfield units of a CT",
        "export the CT with its rescale slope and intercept applied; air is about -1000 and water 0",
        implausible,
    )


def _doubt_of_hu(channel: ChannelFacts) -> str:
    """Say why a channel cannot hold Hounsfield units; "" where it may."""
    low, high = channel.minimum, channel.maximum
    if low >= 0 and high <= 255:
        return f"{low:g} to {high:g}: 8-bit grey values"
    if low >= 0:
        return f"{low:g} to {high:g}: none below 0, as if the intercept were lost"
    if low > _WATER_HU:
        return f"{low:g} to {high:g}: no air"
    if low < _LOWEST_HU:
        return f"{low:g} to {high:g}: less than {_LOWEST_HU:g}"
    return ""


def _labels(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    labelled = [case for case in facts if case.structures]
    empty = {case.case_id: "" for case in labelled if not any(case.voxel_counts.values())}
    yield from told_once(
        "empty-label",
        "warning",
        "labels without any structure",
        "draw what is missing; leave it as it is if the case truly shows none",
        empty,
    )
    filled = [case for case in labelled if case.case_id not in empty]
    yield from told_once(
        "one-voxel-structure",
        "warning",
        "structures of one voxel",
        "look at them: a slip of the pen, or a label that was resampled away",
        _listed(filled, {case.case_id: [n for n, count in case.voxel_counts.items() if count == 1] for case in filled}),
    )
    specks = {
        case.case_id: [f"{name}: {found.specks}" for name, found in case.structures.items() if found.specks]
        for case in filled
    }
    yield from told_once(
        "specks",
        "note",
        "parts of at most 3 voxels apart from the rest of their structure",
        "remove them if they are slips of the pen; they train and score as they are",
        _listed(filled, specks),
    )
    absent = {case.case_id: [name for name in names if not case.voxel_counts[name]] for case in filled}
    yield from told_once(
        "absent-structures",
        "note",
        "labels that hold only some of the declared structures; absent",
        "make sure that these cases truly do not show them: what is not drawn is learned as background",
        _listed(filled, absent),
    )


def _listed(facts: Iterable[CaseFacts], found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return by case the words found of it, for those that have any."""
    return {case.case_id: ", ".join(found[case.case_id]) for case in facts if found[case.case_id]}


def _append(details: dict[str, str], case_id: str, text: str) -> None:
    details[case_id] = f"{details[case_id]}; {text}" if case_id in details else text
