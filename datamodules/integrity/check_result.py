"""How a data set is checked, and all that a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, Severity
from datamodules.integrity.forecast import Forecast
from datamodules.labels import LabelSet
from datamodules.preprocessing import Sheared
from datamodules.splits import Split


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
        sheared: Whether axes that are not at right angles are to be refused in training, or resampled.
    """

    labels: Mapping[str, int | list[int]] | None = None
    label_map: Mapping[int, int] | None = None
    group_pattern: str | None = None
    folds: int = 5
    seed: int = 0
    spacing_mm: tuple[float, float, float] | None = None
    resample_labels: bool = False
    strict: bool = False
    sheared: Sheared = "refuse"


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
