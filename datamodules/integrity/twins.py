"""The same image, label or patient under several names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.integrity.patients import subject_in


def doubled_images(facts: Iterable[CaseFacts], tests: Mapping[str, str]) -> list[Finding]:
    """Return images that occur twice, which could both train and validate (F17).

    Args:
        facts: The cases.
        tests: Hash of the voxels of images outside of training, by name.
    """
    training = _by_hash((case.voxels, case.case_id) for case in facts)
    findings = [
        Finding(
            "duplicate-image",
            "error",
            f"the same voxels in {' and '.join(names)}",
            "remove all but one of them: an image in two folds makes validation worthless",
            tuple(names),
        )
        for names in training.values()
        if len(names) > 1
    ]
    for voxels, names in _by_hash((voxels, name) for name, voxels in tests.items()).items():
        if voxels in training:
            message = f"the same voxels in {', '.join(training[voxels])} (training) and {', '.join(names)} (test)"
            remedy = "take the image out of training, or out of the test set: its test score says nothing"
            findings.append(Finding("duplicate-test-image", "warning", message, remedy, tuple(training[voxels])))
        elif len(names) > 1:
            message = f"the same voxels in the test images {' and '.join(names)}"
            findings.append(Finding("duplicate-test-image", "warning", message, "remove all but one of them"))
    return findings


def doubled_labels(facts: Iterable[CaseFacts]) -> list[Finding]:
    """Return labels that are equal voxel by voxel although their images are not."""
    cases = list(facts)
    images = {case.case_id: case.voxels for case in cases}
    return [
        Finding(
            "duplicate-label",
            "warning",
            f"the same label in {' and '.join(names)}, on different images",
            "look at both: one of them most likely lies under the wrong name",
            tuple(names),
        )
        for names in _by_hash((case.label_voxels, case.case_id) for case in cases if case.label_voxels).values()
        if len({images[name] for name in names}) > 1
    ]


def parted_patients(facts: Sequence[CaseFacts], groups: Mapping[str, str]) -> list[Finding]:
    """Return patients whose cases are in several groups, so that they may train and validate both (F17).

    Args:
        facts: The cases; DICOM files tell their patient, and so may a name such as `sub-01_ses-2`.
        groups: The group of each case.
    """
    sources = {
        "the patient ID of their DICOM files": [(case.patient, case.case_id) for case in facts if case.patient],
        "the subject in their names": [(subject_in(c.case_id), c.case_id) for c in facts if subject_in(c.case_id)],
    }
    findings = []
    for source, pairs in sources.items():
        for names in _by_hash(pairs).values():
            if len({groups[name] for name in names}) > 1:
                message = f"one patient, by {source}, in {len({groups[name] for name in names})} groups: "
                message += ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
                remedy = (
                    "give them one group: data.split.group_pattern, such as '(sub-[^_]+)', or the CSV's column group"
                )
                findings.append(Finding("patient-in-groups", "warning", message, remedy, tuple(names)))
    return findings


def _by_hash(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the sorted names of each hash."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in pairs:
        found[key].append(name)
    return {key: sorted(names) for key, names in found.items()}
