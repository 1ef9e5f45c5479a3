"""The images of imagesTs/, which are outside of training, with their labels in labelsTs/ where there are any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from datamodules.case_names import list_volumes, same_name
from datamodules.cases import Case, CaseList
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs
from datamodules.integrity.check_result import CheckSettings
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, of_error
from datamodules.integrity.inspection import inspect_cases
from datamodules.layouts.pairing import by_name

IMAGES, LABELS = "imagesTs", "labelsTs"


@dataclass(frozen=True)
class HeldOut:
    """What is known of images outside of training.

    Args:
        facts: Of those that can be used, by their name within the data set.
        groups: The group of each that the group pattern finds one of.
        findings: What is wrong, none of which keeps from training.
    """

    facts: dict[str, CaseFacts] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def inspect_held_out(listing: CaseList, settings: CheckSettings, cache_dir: Path, workers: int) -> HeldOut:
    """Read the images of imagesTs/, where there is such a folder, and check them against labelsTs/.

    Args:
        listing: The data set.
        settings: How it is read.
        cache_dir: Where facts are kept.
        workers: Processes; 0 reads in this one.
    """
    folder = listing.root / IMAGES
    if not folder.is_dir() or not any(folder.iterdir()):
        return HeldOut()
    try:
        cases = find_inputs(folder, len(listing.channel_names), spacing_mm=settings.spacing_mm)
        labels = _labels(listing.root / LABELS)
    except DataError as error:
        return HeldOut(findings=(of_error("test-images", error, severity="warning"),))
    named = tuple(_named(case, labels) for case in cases)
    inspection = inspect_cases(
        replace(listing, cases=named), cache_dir, workers, resample_labels=settings.resample_labels, samples=False
    )
    refused = [finding for finding in inspection.findings if finding.severity == "error"]
    if settings.sheared == "resample":
        refused = [finding for finding in refused if finding.code != "sheared"]
    groups = {f"{IMAGES}/{case.id}": group for case in cases if (group := _group(case.id, settings.group_pattern))}
    findings = [replace(finding, severity="warning") for finding in refused]  # training goes on without them
    findings += _unused(labels, cases)
    return HeldOut(inspection.facts, groups, tuple(findings))


def _labels(folder: Path) -> dict[str, Path]:
    return by_name(folder, list_volumes(folder)) if folder.is_dir() else {}


def _named(case: Case, labels: dict[str, Path]) -> Case:
    name = f"{IMAGES}/{case.id}"
    return replace(case, id=name, group=name, label=labels.get(same_name(case.id)))


def _group(name: str, pattern: str | None) -> str:
    match = re.search(pattern, name) if pattern else None
    return (match[1] or "") if match else ""


def _unused(labels: dict[str, Path], cases: list[Case]) -> Iterator[Finding]:
    known = {same_name(case.id) for case in cases}
    if spare := [path for name, path in labels.items() if name not in known]:
        message = f"{len(spare)} labels in {LABELS}/ without an image in {IMAGES}/: "
        message += ", ".join(sorted(path.name for path in spare)[:8])
        remedy = "add the images under the names of the labels, or remove the labels"
        yield Finding("label-without-image", "warning", message, remedy, path=str(spare[0].parent))
