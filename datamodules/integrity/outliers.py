"""Cases that are unlike the rest of their data set: geometry, storage and intensities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datamodules.integrity.aggregate import told_once
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.integrity.intensity_findings import is_ct

MIN_CASES = 4  # fewer have no rest to be unlike of
_DEVIATIONS = 6.0  # robust standard deviations from the median
_SPACING_FACTOR, _SHAPE_FACTOR, _SCALE_FACTOR = 3.0, 4.0, 5.0  # smaller differences are never told
_SLOPE, _LIKE_FACTOR = float(np.log(1.8)), 1.5
_ZERO_SHARE = 0.25  # of the range of intensities
_BLANK = (np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0]))  # what NIfTI and what ITK mean by nothing stated
_MAD = 1.4826  # from the median absolute deviation to the standard deviation of a normal distribution


def outlying_cases(facts: Sequence[CaseFacts], channel_names: Sequence[str]) -> list[Finding]:
    """Return what sets single cases apart from the rest.

    Args:
        facts: All cases that were read.
        channel_names: Names of the channels; those named CT have intensities on one scale.
    """
    findings = [*_default_geometry(facts), *_mixed(facts)]
    if len(facts) >= MIN_CASES:
        findings += [*_outlying_grids(facts), *_outlying_intensities(facts, channel_names)]
    return findings


def _default_geometry(facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Find volumes whose header says what a program writes that knows nothing: 1 x 1 x 1 mm, no turn."""
    volumes = [case for case in facts if min(case.shape) > 1]
    default = [case.case_id for case in volumes if any(np.array_equal(case.affine, blank) for blank in _BLANK)]
    named = set(default)
    others = [case for case in volumes if case.case_id not in named]
    if default and others and any(not np.allclose(case.spacing_mm, 1.0, rtol=0.05) for case in others):
        yield from told_once(
            "default-spacing",
            "warning",
            f"1 x 1 x 1 mm from the origin on, as where a spacing was lost; the other {len(others)} cases differ",
            "write the true spacing and orientation to the header, of image and label",
            dict.fromkeys(default, ""),
        )
    if default and not others:
        message = "no case states its spacing, orientation or position: all have the default affine"
        remedy = "make sure that voxels are 1 mm wide and X, Y, Z run to the right, the front and up, or state it"
        yield Finding("default-geometry", "note", message, remedy)


def _mixed(facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Find what differs from case to case, without harm."""
    remedy = "nothing: every case is turned to one orientation on reading"
    yield from _rare("mixed-orientation", "stored in several orientations", remedy, facts, lambda c: c.orientation)
    remedy = "nothing, if intensities mean the same in all of them"
    yield from _rare("mixed-dtype", "stored in several data types", remedy, facts, lambda c: c.dtype)


def _rare(
    code: str, what: str, remedy: str, facts: Sequence[CaseFacts], of: Callable[[CaseFacts], str]
) -> Iterator[Finding]:
    counts = Counter(of(case) for case in facts)
    if len(counts) > 1:
        common = counts.most_common(1)[0][0]
        shown = ", ".join(f"{value or 'unknown'} ({count})" for value, count in counts.most_common())
        cases = tuple(sorted(case.case_id for case in facts if of(case) != common))
        yield Finding(code, "note", f"{what}: {shown}", remedy, cases)


def _outlying_grids(facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    spacing = np.array([case.spacing_mm for case in facts])
    shapes = np.array([case.shape for case in facts], dtype=float)
    yield from _apart(
        "spacing-outlier",
        f"spacing unlike that of the other cases (median {_product(np.median(spacing, axis=0))} mm)",
        "compare the spacing with that of the scanner's files and mend the header, or leave the case out",
        facts,
        unlike(spacing, _SPACING_FACTOR),
        lambda case: f"{_product(case.spacing_mm)} mm",
    )
    yield from _apart(
        "shape-outlier",
        f"size unlike that of the other cases (median {_product(np.median(shapes, axis=0))} voxels)",
        "look at the case: it may be cut off, a localiser, or of another part of the body",
        facts,
        unlike(shapes, _SHAPE_FACTOR),
        lambda case: f"{_product(case.shape)} voxels",
    )


def _outlying_intensities(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    for channel, name in enumerate(names):
        low, high = np.array([case.limits[channel] for case in facts]).T
        width = np.maximum(high - low, 1e-6)
        # where in the range 0 lies tells modalities apart on any scale: half way up in CT, at the bottom in MR
        zero = np.clip(-low / width, 0, 1)
        shown = _limits_of(channel)
        yield from _apart(
            "intensity-outlier",
            f"intensities of {name} unlike those of the other cases (median {np.median(low):.4g} to "
            f"{np.median(high):.4g}), as of another modality",
            "look at the case: it may be of another modality, or have lost its rescale intercept",
            facts,
            _far(zero[:, None], _ZERO_SHARE),
            shown,
        )
        if is_ct(name):
            yield from _apart(
                "hu-scale",
                f"Hounsfield units of {name} multiplied, next to the other cases (median {np.median(low):.4g} to "
                f"{np.median(high):.4g})",
                "look at the case: its rescale slope may be wrong; air is about -1000 and water 0",
                facts,
                _scaled(low, high),
                shown,
            )
        scaled = unlike(width[:, None], _SCALE_FACTOR)
        yield from (
            Finding(f.code, "warning" if is_ct(name) else "note", f.message, f.remedy, f.cases)
            for f in _apart(
                "intensity-scale",
                f"intensities of {name} on another scale than those of the other cases (median {np.median(low):.4g} "
                f"to {np.median(high):.4g})",
                "choose the intensity scheme zscore, which removes the scale, or leave the cases out",
                facts,
                scaled,
                shown,
            )
        )


def _scaled(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which cases have both ends of their HU multiplied by about one factor, as by a wrong rescale slope."""
    ends = np.stack([low / np.median(low), high / np.median(high)], axis=1)  # NaN and infinity compare as False
    factors = np.log(np.where(ends > 0, ends, 1.0))
    together = np.abs(factors[:, 0] - factors[:, 1]) < np.log(_LIKE_FACTOR)
    far: NDArray[np.bool_] = _far(factors[:, :1], _SLOPE) & _far(factors[:, 1:], _SLOPE) & together
    return far


def unlike(values: NDArray[np.float64], factor: float) -> NDArray[np.bool_]:
    """Tell which rows are far from the rest in a column of positive values.

    Args:
        values: One row for each case `[n, k]`.
        factor: A row is told only where it is larger or smaller than the median by more than this factor, and
            by more than six robust standard deviations of the logarithm.
    """
    return _far(np.log(values), float(np.log(factor)))


def _far(values: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    distance = np.abs(values - np.median(values, axis=0))
    spread = _MAD * np.median(distance, axis=0)
    far: NDArray[np.bool_] = np.any(distance > np.maximum(least, _DEVIATIONS * spread), axis=1)
    return far


def _apart(
    code: str,
    what: str,
    remedy: str,
    facts: Sequence[CaseFacts],
    chosen: NDArray[np.bool_],
    shown: Callable[[CaseFacts], str],
) -> list[Finding]:
    details = {case.case_id: shown(case) for case, apart in zip(facts, chosen, strict=True) if apart}
    return told_once(code, "warning", what, remedy, details)


def _limits_of(channel: int) -> Callable[[CaseFacts], str]:
    return lambda case: f"{case.limits[channel][0]:.4g} to {case.limits[channel][1]:.4g}"


def _product(values: Sequence[float] | NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
