"""What is odd about a data set as a whole, once its cases were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datamodules.cases import CaseList
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, in_order
from datamodules.integrity.fold_findings import findings_of_folds
from datamodules.integrity.outliers import outlying_cases
from datamodules.integrity.patient_findings import parted_patients, shared_with_tests
from datamodules.integrity.twins import doubled_channels, doubled_images, doubled_labels, is_blank
from datamodules.splits import Split


def findings_of_set(
    facts: Mapping[str, CaseFacts],
    listing: CaseList,
    splits: Sequence[Split],
    tests: Mapping[str, CaseFacts] | None = None,
    test_groups: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Compare the cases with each other.

    Args:
        facts: What is known of the cases, by id.
        listing: The data set.
        splits: Every fold, or the one that is trained.
        tests: What is known of images outside of training, by name.
        test_groups: The group of each of these, where a pattern says which.
    """
    cases = list(facts.values())
    tests = tests or {}
    groups = {case.id: case.group for case in listing.cases}
    hashes = {name: case.voxels for name, case in tests.items() if not is_blank(case)}
    return in_order(
        [
            *outlying_cases(cases, listing.channel_names),
            *findings_of_folds(facts, splits, listing.labels.names),
            *doubled_images(cases, hashes, groups),
            *doubled_channels(cases, listing.channel_names, groups),
            *doubled_labels(cases, groups),
            *parted_patients(cases, groups),
            *shared_with_tests(cases, groups, tests, test_groups or {}),
        ]
    )
