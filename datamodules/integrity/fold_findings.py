"""What the folds of a data set cannot learn or cannot measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.splits import Split

_EFFECTS = {"training": "it cannot be learned", "validation": "its validation score says nothing"}


def findings_of_folds(facts: Mapping[str, CaseFacts], splits: Sequence[Split], names: Sequence[str]) -> list[Finding]:
    """Return which declared structures are nowhere, or in no case of a fold's part.

    Args:
        facts: What is known of the labelled cases, by id.
        splits: Every fold, or the one that is trained.
        names: The declared foreground structures.
    """
    counts = {case_id: case.voxel_counts for case_id, case in facts.items() if case.structures}
    if not counts:
        return []
    if not any(any(count.values()) for count in counts.values()):
        message = f"empty labels in all {len(counts)} cases: there is nothing to learn"
        return [Finding("no-foreground", "error", message, "check the label files, and the values of `labels`")]
    present = [name for name in names if any(count[name] for count in counts.values())]
    absent = [name for name in names if name not in present]
    findings = []
    if absent:
        message = f"declared structures that no case holds: {', '.join(absent)}"
        remedy = "check the values of `labels` against those of the files, or declare only what is drawn"
        findings.append(Finding("class-missing", "warning", message, remedy))
    if lacking := [_lacking(name, counts, splits) for name in present]:
        findings += [
            Finding("class-missing-from-fold", "warning", message, "set fewer folds or another seed of data.split")
            for message in lacking
            if message
        ]
    return findings


def _lacking(name: str, counts: Mapping[str, Mapping[str, int]], splits: Sequence[Split]) -> str:
    """Say in which folds a structure is in no training or no validation case; "" where it is in all."""
    texts = []
    for part, effect in _EFFECTS.items():
        folds = [
            str(fold)
            for fold, split in enumerate(splits)
            if not any(
                counts[case_id][name]
                for case_id in (split.train if part == "training" else split.validation)
                if case_id in counts
            )
        ]
        where = f" of fold {', '.join(folds)}" if len(splits) > 1 else ""
        texts += [f"'{name}' is in none of the {part} cases{where}: {effect}"] if folds else []
    return "; ".join(texts)
