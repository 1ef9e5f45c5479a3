"""The whole check of a data set, of volumes or of poses: layout, files, cases, folds, twins, and what it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs
from datamodules.integrity.check_result import CheckResult, CheckSettings
from datamodules.integrity.description import findings_of_description, of_layout
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, in_order, of_error
from datamodules.integrity.forecast import findings_of_forecast, forecast
from datamodules.integrity.inspection import inspect_cases
from datamodules.integrity.poses import check_poses, holds_poses
from datamodules.integrity.recorded import recorded_warnings
from datamodules.integrity.set_findings import findings_of_set
from datamodules.layouts import find_cases
from datamodules.layouts.splits_final import read_splits
from datamodules.splits import Split, split_cases

__all__ = ["CheckResult", "CheckSettings", "check_data_set"]

TESTS = "imagesTs"


def check_data_set(root: Path, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    """Check a data set as far as it can be read.

    Args:
        root: A folder of volumes in one of the layouts, a CSV table of paths, or a folder of annotated poses.
        settings: How to read it.
        cache_dir: Where facts of cases are kept; a case that was read before is not read again.
        workers: Processes; 0 reads in this one.

    Raises:
        DataError: A worker process was killed.
    """
    if holds_poses(root):
        return check_poses(root, settings, workers)
    try:
        with recorded_warnings():  # what they say is in the listing, and becomes findings
            listing = find_cases(
                root,
                labels=settings.labels,
                label_map=settings.label_map,
                group_pattern=settings.group_pattern,
                spacing_mm=settings.spacing_mm,
                complete=False,
            )
    except DataError as error:
        return CheckResult(root, settings, (of_layout(error),))
    return _check_volumes(listing, settings, cache_dir, workers)


def _check_volumes(listing: CaseList, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    """Check what was listed: description, folds, cases, images for testing, and what preparing takes."""
    findings = findings_of_description(listing)
    splits = _splits(listing, settings, findings)
    inspection = inspect_cases(listing, cache_dir, workers, resample_labels=settings.resample_labels)
    tests = _tests(listing, cache_dir, workers, findings)
    findings += [*inspection.findings, *findings_of_set(inspection.facts, listing, splits, tests)]
    cases = list(inspection.facts.values())
    expected = None
    if cases:
        volumes = listing.labels.num_channels if listing.labels.overlapping else 1
        expected = forecast(cases, volumes, cache_dir, workers)
        findings += findings_of_forecast(cases, expected)
    return CheckResult(
        root=listing.root,
        settings=settings,
        findings=in_order(findings),
        layout=listing.layout,
        channel_names=listing.channel_names,
        labels=listing.labels,
        case_ids=tuple(case.id for case in listing.cases),
        groups={case.id: case.group for case in listing.cases},
        facts=inspection.facts,
        tests=tests,
        splits=splits,
        forecast=expected,
    )


def _splits(listing: CaseList, settings: CheckSettings, findings: list[Finding]) -> tuple[Split, ...]:
    """Return every fold: those that the data set states, or those that training would make."""
    try:
        if listing.split is None:
            folds = range(settings.folds)
            return tuple(
                split_cases(listing.cases, fold=fold, folds=settings.folds, seed=settings.seed) for fold in folds
            )
        return tuple(_stated(listing.root, listing.split))
    except DataError as error:
        findings.append(of_error("folds", error))
        return ()


def _stated(root: Path, first: Split) -> Sequence[Split]:
    """Return the folds that a data set states: those of splits_final.json, or the one of a table."""
    splits = [first]
    while root.is_dir():
        try:
            split = read_splits(root, len(splits))
        except DataError:  # there is no such fold: it was the last one
            break
        if split is None:
            break
        splits.append(split)
    return splits


def _tests(listing: CaseList, cache_dir: Path, workers: int, findings: list[Finding]) -> dict[str, CaseFacts]:
    """Read the images outside of training, where the layout has a folder for them."""
    folder = listing.root / TESTS
    if not folder.is_dir() or not any(folder.iterdir()):
        return {}
    try:
        cases = find_inputs(folder, len(listing.channel_names))
    except DataError as error:
        findings.append(of_error("test-images", error, severity="warning"))
        return {}
    named = tuple(replace(case, id=f"{TESTS}/{case.id}") for case in cases)
    inspection = inspect_cases(replace(listing, cases=named), cache_dir, workers)
    for finding in inspection.findings:
        if finding.severity == "error":  # training goes on without them
            findings.append(replace(finding, severity="warning"))
    return inspection.facts
