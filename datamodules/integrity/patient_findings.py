"""One patient under several names: in several groups, or in training and in the test set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.integrity.patients import subject_in
from datamodules.integrity.twins import by_hash

_SHOWN = 8
_VISITS = (
    "frame|ses|session|visit|scan|time|timepoint|tp|day|week|month|year|fu|followup|follow-up|phase|bl|baseline|slice"
)
# the patient, which has a number of its own, then what is counted of it
_COUNTED = re.compile(rf"(?P<patient>.*\d.*?)(?P<mark>[_-](?:{_VISITS}))[_-]?\d+(?:[_.-].*)?", re.IGNORECASE)
_NAMED = re.compile(r"(?P<patient>(?:.*[_-])?(?P<word>patient|subject|subj|pat|pt)[_-]?\d+)[_-].*\d.*", re.IGNORECASE)


def parted_patients(facts: Sequence[CaseFacts], groups: Mapping[str, str]) -> list[Finding]:
    """Return patients whose cases are in several groups, so that they may train and validate both (F17).

    Args:
        facts: The cases; DICOM files tell their patient, and so may a name such as `sub-01_ses-2`.
        groups: The group of each case.
    """
    findings = []
    for source, pairs in _sources({case.case_id: case for case in facts}).items():
        for names in by_hash(pairs).values():
            if len({groups[name] for name in names}) > 1:
                message = f"one patient, by {source}, in {len({groups[name] for name in names})} groups: "
                remedy = (
                    "give them one group: data.split.group_pattern, such as '(sub-[^_]+)', or the CSV's column group"
                )
                findings.append(Finding("patient-in-groups", "warning", message + _listed(names), remedy, tuple(names)))
    told = {name for finding in findings for name in finding.cases}
    findings += _alike(sorted(set(groups) - told), groups)
    return findings


def shared_with_tests(
    facts: Sequence[CaseFacts],
    groups: Mapping[str, str],
    tests: Mapping[str, CaseFacts],
    test_groups: Mapping[str, str],
) -> list[Finding]:
    """Return patients that are both in training and in the test set (F17).

    Args:
        facts: The cases.
        groups: The group of each.
        tests: What is known of the images outside of training, by name.
        test_groups: The group of each of these, where a pattern says which.
    """
    training, testing = _sources({case.case_id: case for case in facts}), _sources(tests)
    training["their group"] = [(groups[case.case_id], case.case_id) for case in facts]
    testing["their group"] = [(test_groups[name], name) for name in tests if name in test_groups]
    found: dict[tuple[str, ...], Finding] = {}
    for source, pairs in training.items():
        tested = by_hash(testing[source])
        for key, names in by_hash(pairs).items():
            if key in tested:
                message = f"one patient, by {source}, in training ({_listed(names)}) and in the test set ("
                message += f"{_listed(tested[key])})"
                remedy = "take the patient out of one of them: the test score says too much else"
                found.setdefault(tuple(names), Finding("patient-in-test-set", "warning", message, remedy, tuple(names)))
    return list(found.values())


def _sources(facts: Mapping[str, CaseFacts]) -> dict[str, list[tuple[str, str]]]:
    """Return pairs of a patient and a case, by what tells the patient."""
    subjects = [(subject_in(name.rpartition("/")[2]), name) for name in facts]
    return {
        "the patient ID of their DICOM files": [(case.patient, name) for name, case in facts.items() if case.patient],
        "the subject in their names": [(subject, name) for subject, name in subjects if subject],
    }


def _alike(names: Sequence[str], groups: Mapping[str, str]) -> Iterator[Finding]:
    """Find names that are one but for the number of a visit, frame or session."""
    for pattern in (_COUNTED, _NAMED):
        matches = {name: match for name in names if (match := pattern.fullmatch(name))}
        parted = {
            patient: members
            for patient, members in by_hash((match["patient"], name) for name, match in matches.items()).items()
            if len({groups[name] for name in members}) > 1
        }
        if parted:
            first, members = next(iter(parted.items()))
            found = matches[members[0]].groupdict()
            example = f"(.+?){found['mark']}" if "mark" in found else f"(.*?{found['word']}[_-]?\\d+)"
            message = (
                f"{len(parted)} patients, if names say so, have cases in several groups, such as {first}: "
                f"{_listed(members)}"
            )
            remedy = f"if they are patients, keep them together by data.split.group_pattern, such as '{example}'"
            cases = tuple(sorted(name for found_names in parted.values() for name in found_names))
            yield Finding("patients-by-name", "note", message, remedy, cases)
            return


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
