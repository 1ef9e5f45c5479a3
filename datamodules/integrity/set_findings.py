"""What is odd about a data set as a whole, once its cases were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datamodules.cases import CaseList
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, in_order
from datamodules.integrity.fold_findings import findings_of_folds
from datamodules.integrity.outliers import outlying_cases
from datamodules.integrity.twins import doubled_images, doubled_labels, parted_patients
from datamodules.splits import Split


def findings_of_set(
    facts: Mapping[str, CaseFacts],
    listing: CaseList,
    splits: Sequence[Split],
    tests: Mapping[str, CaseFacts] | None = None,
) -> tuple[Finding, ...]:
    """Compare the cases with each other.

    Args:
        facts: What is known of the cases, by id.
        listing: The data set.
        splits: Every fold, or the one that is trained.
        tests: What is known of images outside of training, by name.
    """
    cases = list(facts.values())
    groups = {case.id: case.group for case in listing.cases}
    return in_order(
        [
            *outlying_cases(cases, listing.channel_names),
            *findings_of_folds(facts, splits, listing.labels.names),
            *doubled_images(cases, {name: case.voxels for name, case in (tests or {}).items()}),
            *doubled_labels(cases),
            *parted_patients(cases, groups),
        ]
    )
