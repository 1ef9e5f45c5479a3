"""The same image, channel or label under several names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding

_SHOWN = 8
_REMOVE = "remove all but one of them: an image in two folds makes validation worthless"
_ONE_GROUP = "remove all but one of them, which would else count twice; as they are of one group, no fold parts them"


def doubled_images(
    facts: Iterable[CaseFacts], tests: Mapping[str, str], groups: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return images that occur twice, which could both train and validate (F17).

    Args:
        facts: The cases; constant images are alike without being the same.
        tests: Hash of the voxels of images outside of training, by name.
        groups: The group of each case, where it is not the case itself.
    """
    groups = groups or {}
    training = by_hash((case.voxels, case.case_id) for case in facts if not is_blank(case))
    findings = []
    for names in training.values():
        if len(names) > 1:
            together = len({groups.get(name, name) for name in names}) == 1
            message = f"the same voxels in {' and '.join(names)}"
            remedy = _ONE_GROUP if together else _REMOVE
            findings.append(
                Finding("duplicate-image", "warning" if together else "error", message, remedy, tuple(names))
            )
    for voxels, names in by_hash((voxels, name) for name, voxels in tests.items()).items():
        if voxels in training:
            message = f"the same voxels in {', '.join(training[voxels])} (training) and {', '.join(names)} (test)"
            remedy = "take the image out of training, or out of the test set: its test score says nothing"
            findings.append(Finding("duplicate-test-image", "warning", message, remedy, tuple(training[voxels])))
        elif len(names) > 1:
            message = f"the same voxels in the test images {' and '.join(names)}"
            findings.append(Finding("duplicate-test-image", "warning", message, "remove all but one of them"))
    return findings


def doubled_channels(
    facts: Iterable[CaseFacts], names: Sequence[str], groups: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return single channels that occur in several images which differ otherwise, but for constant ones."""
    groups, cases = groups or {}, list(facts)
    images = {case.case_id: case.voxels for case in cases}
    pairs: dict[tuple[str, str], str] = {}  # channel's name by voxels and case
    for case in cases:
        for name, channel in zip(names, case.channels, strict=True):
            if channel.voxels and not channel.is_constant:
                pairs[channel.voxels, case.case_id] = name
    findings = []
    for voxels, ids in by_hash(pairs).items():
        if len({images[id_] for id_ in ids}) > 1 and len({groups.get(id_, id_) for id_ in ids}) > 1:
            message = ", ".join(f"{pairs[voxels, id_]} of {id_}" for id_ in ids[:_SHOWN])
            message = f"the same voxels in {message}{' ...' if len(ids) > _SHOWN else ''}, whose other channels differ"
            remedy = "look at them: one most likely holds the channel of another"
            findings.append(Finding("duplicate-channel", "warning", message, remedy, tuple(ids)))
    return findings


def doubled_labels(facts: Iterable[CaseFacts], groups: Mapping[str, str] | None = None) -> list[Finding]:
    """Return labels that are equal voxel by voxel although images and groups are not."""
    groups, cases = groups or {}, list(facts)
    images = {case.case_id: case.voxels for case in cases}
    return [
        Finding(
            "duplicate-label",
            "warning",
            f"the same label in {' and '.join(names)}, on different images",
            "look at both: one of them most likely lies under the wrong name",
            tuple(names),
        )
        for names in by_hash((case.label_voxels, case.case_id) for case in cases if case.label_voxels).values()
        if len({images[name] for name in names}) > 1 and len({groups.get(name, name) for name in names}) > 1
    ]


def is_blank(case: CaseFacts) -> bool:
    """Tell whether every channel has one value throughout."""
    return all(channel.is_constant for channel in case.channels)


def by_hash(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the sorted names of each hash."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in pairs:
        found[key].append(name)
    return {key: sorted(names) for key, names in found.items()}
