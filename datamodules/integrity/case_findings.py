"""What is odd about single cases, as far as their facts tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datamodules.cases import CaseList
from datamodules.formats.geometry import Geometry
from datamodules.integrity.aggregate import told_once
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.integrity.intensity_findings import findings_of_intensities
from datamodules.integrity.recorded import GEOMETRY, OTHER

_MAX_SPACING_MM = 20.0
_MAX_EXTENT_MM = 3000.0  # longer than any table of a scanner moves
_MAX_ANISOTROPY = 15.0  # 0.5 mm in a slice and 7 mm between slices still occur
_MIN_EXTENT_MM = 1.0
_MICROSCOPY = re.compile(r"micro|\bem\b|electron|fluor|confocal|sheet|photon|stain|dapi|gfp|histo", re.IGNORECASE)

_MEND_SPACING = "compare the spacing with that of the scanner's files and mend the header, or leave the case out"

# what the readers warn of, and what to do about it, by the kind of warning
_WARNED = {
    GEOMETRY: ("doubtful geometry", "look at the cases in a viewer, then write one geometry to their headers"),
    OTHER: ("warnings of the reader", "look at the files; nothing is changed by it if it is meant so"),
}


def findings_of_cases(facts: Sequence[CaseFacts], listing: CaseList) -> list[Finding]:
    """Return findings of cases each by itself: geometry, intensities and labels.

    Args:
        facts: The cases that were read.
        listing: The data set; channels named CT are taken for Hounsfield units.
    """
    return [
        *_warnings(facts),
        *_geometry(facts, listing.channel_names),
        *findings_of_intensities(facts, listing.channel_names),
        *_labels(facts, listing.labels.names),
    ]


def _warnings(facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Tell what readers warned of, each kind once for all of its cases."""
    for code, (what, remedy) in _WARNED.items():
        texts = {
            case.case_id: "; ".join(text for kind, text in case.warnings if kind == code)
            for case in facts
            if any(kind == code for kind, _ in case.warnings)
        }
        alike = len(set(texts.values())) == 1
        shown = f"{what}: {next(iter(texts.values()))}; in" if alike else what
        yield from told_once(code, "warning", shown, remedy, dict.fromkeys(texts, "") if alike else texts)


def _geometry(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
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
    tiny = {case.case_id: f"{_spacing(case)}, {_largest_mm(case):.3g} mm in all" for case in facts if _is_tiny(case)}
    yield from told_once(
        "tiny-extent",
        "warning",
        f"volumes of less than {_MIN_EXTENT_MM:g} mm, as where the spacing is stored in metres",
        "write the spacing in mm; if this is microscopy, say so in the channel's name, and it is not told again",
        {} if any(_MICROSCOPY.search(name) for name in names) else tiny,
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


def _is_tiny(case: CaseFacts) -> bool:
    return min(case.shape) > 1 and _largest_mm(case) < _MIN_EXTENT_MM


def _largest_mm(case: CaseFacts) -> float:
    return max(size * spacing for size, spacing in zip(case.shape, case.spacing_mm, strict=True))


def _spacing(case: CaseFacts) -> str:
    return " x ".join(f"{spacing:.4g}" for spacing in case.spacing_mm) + " mm"


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
