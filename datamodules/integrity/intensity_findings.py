"""What is odd about the values of single images: nothing in them, no Hounsfield units, lost in an export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from datamodules.integrity.aggregate import told_once
from datamodules.integrity.facts import CaseFacts, ChannelFacts
from datamodules.integrity.findings import Finding

_WATER_HU, _LOWEST_HU = -200.0, -5000.0
_DENSE_HU = 900.0  # bone; soft tissue that lost the intercept of -1024 lies there as well
_DENSEST_HU, _STORED_HU = 4000.0, 32767.0  # of 99.5 % of the voxels, and of any: the end of 16 bits with a sign
_BLANK_SHARE = 0.5  # of the slices; a margin of zeros at both ends is common
_STRAY_WIDTHS = 1000.0  # beyond the percentiles by more of their widths than any real thing
_CT_NAME = re.compile(
    r"(?:^|[^a-z])(?:ct|cta|cbct|cect|ncct|hu|hounsfield.*|computed[ _-]?tomogra.*)(?:[^a-z]|$)", re.IGNORECASE
)
_NO_HU = re.compile(r"micro|\u00b5|\u03bc|synchrotron", re.IGNORECASE)  # CT of grey values
_COLOURS = {"red", "green", "blue"}


def is_ct(channel_name: str) -> bool:
    """Tell whether a channel's name says that it holds Hounsfield units."""
    return bool(_CT_NAME.search(channel_name)) and not _NO_HU.search(channel_name)


def findings_of_intensities(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    """Yield findings of the values of cases, each by itself.

    Args:
        facts: The cases that were read.
        names: Names of the channels; those named CT are taken for Hounsfield units.
    """
    yield from _constant(facts, names)
    yield from _hounsfield(facts, names)
    yield from _lost(facts, names)
    yield from _wrong_file(facts, names)


def _constant(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    constant: dict[str, str] = {}
    empty: dict[str, str] = {}
    for case in facts:
        for name, channel in zip(names, case.channels, strict=True):
            if channel.is_constant:
                target = constant if channel.minimum else empty
                _append(target, case.case_id, f"{name}: {channel.minimum:g}" if channel.minimum else name)
    remedy = "export the channel again, or leave the case out"
    yield from told_once("empty-channel", "warning", "channels in which every voxel is 0", remedy, empty)
    yield from told_once("constant-channel", "warning", "channels with one value in every voxel", remedy, constant)


def _hounsfield(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    implausible: dict[str, str] = {}
    airless: dict[str, str] = {}
    for case in facts:
        for name, channel, limits in zip(names, case.channels, case.limits, strict=True):
            if not is_ct(name) or channel.is_constant:
                continue
            if doubt := _doubt_of_hu(channel, *limits):
                _append(implausible, case.case_id, doubt)
            elif limits[0] > _WATER_HU:
                _append(airless, case.case_id, f"{limits[0]:.4g} to {limits[1]:.4g}")
    yield from told_once(
        "implausible-hu",
        "warning",
        "values that cannot be Hounsfield units of a CT",
        "export the CT with its rescale slope and intercept applied; air is about -1000 and water 0",
        implausible,
    )
    yield from told_once(
        "no-air",
        "note",
        "CTs without air",
        "nothing, if they are cropped to the inside of the body; else export them without a window",
        airless,
    )


def _doubt_of_hu(channel: ChannelFacts, low: float, high: float) -> str:
    """Say why a channel whose 0.5 and 99.5 percentile are `low` and `high` cannot hold HU; "" where it may."""
    least, most = channel.minimum, channel.maximum
    if least < _LOWEST_HU:
        return f"down to {least:g}, less than {_LOWEST_HU:g}"
    if high > _DENSEST_HU or most > _STORED_HU:
        return f"{low:g} to {high:g} and up to {most:g}: denser than metal"
    if least >= 0 and most <= 255:
        return f"{least:g} to {most:g}: 8-bit grey values"
    if low >= 0 and (least >= 0 or high >= _DENSE_HU):  # an image of the inside of an organ has few below 0 as well
        return f"{low:g} to {high:g}: none below 0, as if the intercept were lost"
    return ""


def _lost(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    """Find what a transfer or an export lost or added."""
    blank: dict[str, str] = {}
    stray: dict[str, str] = {}
    for case in facts:
        for name, channel, (low, high) in zip(names, case.channels, case.limits, strict=True):
            if channel.blank_gaps or channel.blank_share > _BLANK_SHARE:
                between = f", {channel.blank_gaps} of them between others" if channel.blank_gaps else ""
                _append(blank, case.case_id, f"{name}: {channel.blank_share:.0%}{between}")
            if max(channel.maximum - high, low - channel.minimum) > _STRAY_WIDTHS * (high - low) > 0:
                _append(stray, case.case_id, f"{name}: {channel.minimum:.4g} to {channel.maximum:.4g}")
    yield from told_once(
        "blank-slices",
        "warning",
        "slices with one value in every voxel, as where some were lost in a transfer",
        "compare the number of slices with that of the scanner, and fetch the case again",
        blank,
    )
    yield from told_once(
        "stray-values",
        "warning",
        f"voxels further from the rest than {_STRAY_WIDTHS:g} times the width of its 99 %",
        "look for damaged voxels or a value that stands for missing ones, and mend them",
        stray,
    )


def _wrong_file(facts: Sequence[CaseFacts], names: Sequence[str]) -> Iterator[Finding]:
    """Find channels that are another channel or the label under a wrong name."""
    equal: dict[str, str] = {}
    copied: dict[str, str] = {}
    for case in facts:
        by_voxels: dict[str, list[str]] = {}
        for name, channel in zip(names, case.channels, strict=True):
            if channel.voxels and not channel.is_constant:
                by_voxels.setdefault(channel.voxels, []).append(name)
            if channel.copies_label:
                _append(copied, case.case_id, name)
        if doubled := [" = ".join(found) for found in by_voxels.values() if len(found) > 1]:
            equal[case.case_id] = ", ".join(doubled)
    colours = {name.lower() for name in names} == _COLOURS
    yield from told_once(
        "equal-channels",
        "note" if colours else "warning",
        "channels that are equal voxel by voxel" + (", as of grey images stored in colours" if colours else ""),
        "nothing, but one channel would do" if colours else "export each channel from its own image",
        equal,
    )
    yield from told_once(
        "image-is-label",
        "warning",
        "images with one value in each structure and one outside, as a label has",
        "put the image in place of the copy of its label",
        copied,
    )


def _append(details: dict[str, str], case_id: str, text: str) -> None:
    details[case_id] = f"{details[case_id]}; {text}" if case_id in details else text
