"""The whole check of a data set, of volumes or of poses: layout, files, cases, folds, twins, and what it will take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.integrity.check_result import CheckResult, CheckSettings
from datamodules.integrity.description import findings_of_description, of_layout
from datamodules.integrity.findings import Finding, in_order, of_error
from datamodules.integrity.forecast import findings_of_forecast, forecast
from datamodules.integrity.held_out import inspect_held_out
from datamodules.integrity.inspection import inspect_cases
from datamodules.integrity.poses import check_poses, holds_poses
from datamodules.integrity.recorded import recorded_warnings
from datamodules.integrity.set_findings import findings_of_set
from datamodules.layouts import find_cases
from datamodules.layouts.splits_final import FILE, read_folds
from datamodules.splits import Split, check_split, split_cases

__all__ = ["CheckResult", "CheckSettings", "check_data_set"]


def check_data_set(root: Path, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    """Check a data set as far as it can be read.

    Args:
        root: A folder of volumes in one of the layouts, a CSV table of paths, or a folder of annotated poses.
        settings: How to read it.
        cache_dir: Where facts of cases are kept; a case that was read before is not read again.
        workers: Processes; 0 reads in this one.
    """
    try:
        return _check(root, settings, cache_dir, workers)
    except DataError as error:
        return CheckResult(root, settings, (of_layout(error),))
    except PermissionError as error:
        if not str(error.filename).startswith(str(root)):  # of the cache, say
            raise
        remedy = "give yourself the right to read the folder and all that is in it"
        finding = Finding("no-permission", "error", f"cannot be read: {error}", remedy, path=str(error.filename))
        return CheckResult(root, settings, (finding,))


def _check(root: Path, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    if holds_poses(root):
        return check_poses(root, settings, workers)
    with recorded_warnings():  # what they say is in the listing, and becomes findings
        listing = find_cases(
            root,
            labels=settings.labels,
            label_map=settings.label_map,
            group_pattern=settings.group_pattern,
            spacing_mm=settings.spacing_mm,
            complete=False,
        )
    return _check_volumes(listing, settings, cache_dir, workers)


def _check_volumes(listing: CaseList, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    """Check what was listed: description, folds, cases, images for testing, and what preparing takes."""
    findings = findings_of_description(listing)
    splits = _splits(listing, settings, findings)
    inspection = inspect_cases(listing, cache_dir, workers, resample_labels=settings.resample_labels, samples=False)
    tests = inspect_held_out(listing, settings, cache_dir, workers)
    findings += [*inspection.findings, *tests.findings]
    findings += findings_of_set(inspection.facts, listing, splits, tests.facts, tests.groups)
    if settings.sheared == "resample":
        findings = [finding for finding in findings if finding.code != "sheared"]
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
        tests=tests.facts,
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
    except DataError as error:
        findings.append(of_error("folds", error))
        return ()
    path = listing.root / FILE
    if not listing.root.is_dir():
        return (listing.split,)
    ids = [case.id for case in listing.cases]
    splits = [split.only(ids)[0] for split in read_folds(path)]
    for fold, split in enumerate(splits[1:], start=1):  # the first was checked with the layout
        try:
            check_split(split, listing.cases, path)
        except DataError as error:
            found = of_layout(error)
            findings.append(replace(found, message=f"fold {fold}: {found.message}"))
    return tuple(splits)
