"""The whole check of a data set of volumes: layout, files, cases, folds, twins, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs
from datamodules.integrity.description import findings_of_description, of_layout
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, Severity, in_order, of_error
from datamodules.integrity.forecast import Forecast, findings_of_forecast, forecast
from datamodules.integrity.inspection import inspect_cases
from datamodules.integrity.recorded import recorded_warnings
from datamodules.integrity.set_findings import findings_of_set
from datamodules.labels import LabelSet
from datamodules.layouts import find_cases
from datamodules.layouts.splits_final import read_splits
from datamodules.splits import Split, split_cases

TESTS = "imagesTs"


@dataclass(frozen=True)
class CheckSettings:
    """How a data set is to be read; the same as for training.

    Args:
        labels: Values by name, where the data set declares none.
        label_map: Stored label values to be read as other ones.
        group_pattern: Regular expression whose first group, found in a case's name, is its patient.
        folds: Number of folds, all of which are looked at.
        seed: Seed of the split.
        spacing_mm: Stated spacing of stacks and folders of slices.
        resample_labels: Whether labels with another affine are welcome.
        strict: Whether warnings count as errors.
    """

    labels: Mapping[str, int | list[int]] | None = None
    label_map: Mapping[int, int] | None = None
    group_pattern: str | None = None
    folds: int = 5
    seed: int = 0
    spacing_mm: tuple[float, float, float] | None = None
    resample_labels: bool = False
    strict: bool = False


@dataclass(frozen=True)
class CheckResult:
    """All that a check found.

    Args:
        root: The data set.
        settings: How it was read.
        findings: What is wrong or worth knowing, the gravest first.
        kind: "segmentation" or "pose".
        layout: Name of its layout, or the format of its annotations; "" where it is in none.
        channel_names: In the order of the images' channels.
        labels: The structures; None where the layout was refused.
        case_ids: All cases, usable or not.
        groups: The group of each case.
        facts: What is known of each usable case, by id.
        tests: The same of the images outside of training.
        splits: Every fold.
        forecast: What preparing the cases takes; None without any usable case.
        summary: Counts and ranges of a pose data set, by name.
    """

    root: Path
    settings: CheckSettings
    findings: tuple[Finding, ...]
    kind: str = "segmentation"
    layout: str = ""
    channel_names: tuple[str, ...] = ()
    labels: LabelSet | None = None
    case_ids: tuple[str, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)
    facts: dict[str, CaseFacts] = field(default_factory=dict)
    tests: dict[str, CaseFacts] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    forecast: Forecast | None = None
    summary: dict[str, Any] = field(default_factory=dict)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def grave(self) -> tuple[Finding, ...]:
        """Return what speaks against training: the errors, and under `strict` the warnings."""
        return self.of("error") + (self.of("warning") if self.settings.strict else ())

    @property
    def broken(self) -> tuple[str, ...]:
        """Return the cases that something grave was found of."""
        return tuple(sorted({case for finding in self.grave for case in finding.cases}))

    @property
    def usable(self) -> int:
        """Return how many cases can be trained on once the broken ones are taken out; 0 where the set cannot be."""
        whole = any(not finding.cases for finding in self.grave)
        return 0 if whole else len(set(self.case_ids) - set(self.broken))

    @property
    def structure_names(self) -> tuple[str, ...]:
        """Return the foreground structures; none where the layout was refused, or for poses."""
        return self.labels.names if self.labels else ()

    @property
    def forecasts(self) -> tuple[str, ...]:
        """Return what preparing the cases takes, in sentences."""
        return self.forecast.sentences() if self.forecast else ()

    @property
    def verdict(self) -> str:
        """Say in a few words what the findings mean for training."""
        if not self.grave:
            return "ready for training"
        if not self.usable:
            return "cannot be trained on as it is"
        return f"{self.usable} cases can be trained on once {len(self.broken)} are mended or taken out"


def check_data_set(root: Path, settings: CheckSettings, cache_dir: Path, workers: int) -> CheckResult:
    """Check a data set of volumes, as far as it can be read.

    Args:
        root: A folder in one of the layouts, or a CSV table of paths.
        settings: How to read it.
        cache_dir: Where facts of cases are kept; a case that was read before is not read again.
        workers: Processes; 0 reads in this one.

    Raises:
        DataError: A worker process was killed.
    """
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
        root=root,
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
