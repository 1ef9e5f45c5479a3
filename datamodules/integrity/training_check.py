"""The check that training makes of its data before the first step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, errors_of
from datamodules.integrity.inspection import inspect_cases
from datamodules.integrity.set_findings import findings_of_set
from datamodules.splits import Split

log = logging.getLogger(__name__)

_SHOWN = 8  # warnings in the log; `pipeline check` shows all


def inspect_for_training(
    listing: CaseList,
    split: Split,
    cache_dir: Path,
    workers: int,
    *,
    resample_labels: bool = False,
    sheared: bool = False,
) -> dict[str, CaseFacts]:
    """Read all cases, warn of what is odd, and refuse what is wrong.

    Args:
        listing: The cases.
        split: Which train and which validate.
        cache_dir: Where facts are kept; a case that was read before is not read again.
        workers: Processes; 0 reads in this one.
        resample_labels: Whether labels with another affine are brought to the image's grid.
        sheared: Whether images with axes that are not at right angles are welcome.

    Returns:
        Facts by case id.

    Raises:
        DataError: One error that names all cases that cannot be used.
    """
    inspection = inspect_cases(listing, cache_dir, workers, resample_labels=resample_labels)
    found = [*inspection.findings, *findings_of_set(inspection.facts, listing, [split])]
    findings = [finding for finding in found if not (sheared and finding.code == "sheared")]
    if errors := errors_of(findings):
        raise _refusal(listing, errors)
    warnings = [finding for finding in findings if finding.severity == "warning"]
    for finding in warnings[:_SHOWN]:
        log.warning("%s: %s", finding.code, _text(finding))
    if warnings:
        more = f"{len(warnings) - _SHOWN} more warnings; " if len(warnings) > _SHOWN else ""
        log.warning("%s`pipeline check %s` shows all that was found, and what to do", more, listing.root)
    return inspection.facts


def _refusal(listing: CaseList, errors: Sequence[Finding]) -> DataError:
    """Return one error of all findings: a line for each case with its reason."""
    cases = sorted({case for finding in errors for case in finding.cases})
    lines = [
        f"\n  {', '.join(finding.cases) or 'the data set'}: {_text(finding)}; {finding.remedy}" for finding in errors
    ]
    found = f"{len(cases)} of {len(listing.cases)} that are not:" if cases else "it is not:"
    remedy = f"mend these cases or take them out; `pipeline check {listing.root}` shows all that was found"
    only = errors[0].path if len(errors) == 1 else None
    return DataError(only or listing.root, "every case to be usable", f"{found}{''.join(lines)}\n", remedy)


def _text(finding: Finding) -> str:
    """Return what was found, with the file where the message does not name it."""
    named = finding.path is None or finding.path in finding.message
    return finding.message if named else f"{finding.path}: {finding.message}"
