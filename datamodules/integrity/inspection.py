"""Read all cases of a data set once, side by side; what was read before is taken from the cache."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datamodules.cases import Case, CaseList
from datamodules.formats.errors import DataError
from datamodules.hashing import cache_key, hash_case
from datamodules.integrity.case_findings import findings_of_cases
from datamodules.integrity.facts import CaseFacts, load_facts, save_facts
from datamodules.integrity.findings import Finding, in_order, of_error
from datamodules.integrity.reading import Expected, read_case
from datamodules.workers import map_cases

log = logging.getLogger(__name__)

FORMAT_VERSION = 1  # raise it when facts or what is checked on reading change


@dataclass(frozen=True)
class Inspection:
    """What was read of a data set.

    Args:
        facts: By id, what is known of each case that can be used, in the order of the cases.
        findings: What is wrong with single cases; cases without facts have an error.
    """

    facts: dict[str, CaseFacts]
    findings: tuple[Finding, ...]


def inspect_cases(listing: CaseList, cache_dir: Path, workers: int, *, resample_labels: bool = False) -> Inspection:
    """Read and check all cases; a case that was read before with the same content is taken from the cache.

    Args:
        listing: The data set; cases without a label are checked as far as they go.
        cache_dir: Where facts are kept, by the hash of content and labels.
        workers: Processes; 0 reads in this one.
        resample_labels: Whether labels with another affine are brought to the image's grid.

    Raises:
        DataError: If a worker is killed, or there are two cases of one id.
    """
    folder = cache_dir / "facts"
    folder.mkdir(parents=True, exist_ok=True)
    expected = Expected(listing.labels, len(listing.channel_names), resample_labels)
    hashes, findings = _hashes(listing.cases, workers)
    settings = {
        "version": FORMAT_VERSION,
        "labels": expected.labels.to_dict(),
        "channels": expected.channels,
        "resample_labels": resample_labels,
    }
    paths = {id_: folder / f"{cache_key(content, settings)}.npz" for id_, content in hashes.items()}
    unread = [case for case in listing.cases if case.id in paths and not paths[case.id].exists()]
    work = partial(_read_and_keep, paths, hashes, expected)
    failures = map_cases(work, unread, workers=workers, description="Reading cases")
    log.info("%d of %d cases were read before", len(listing.cases) - len(unread), len(listing.cases))
    findings += [finding for found in failures.values() for finding in found]
    broken = {case_id for finding in findings for case_id in finding.cases}
    facts = {
        case.id: load_facts(paths[case.id], case.id)
        for case in listing.cases
        if case.id in paths and case.id not in broken
    }
    return Inspection(facts, in_order([*findings, *findings_of_cases(list(facts.values()), listing)]))


def _hashes(cases: Sequence[Case], workers: int) -> tuple[dict[str, str], list[Finding]]:
    """Return the content hash of every case whose files can be read, and why the others cannot."""
    hashes: dict[str, str] = {}
    findings = []
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for case, outcome in zip(cases, pool.map(_try_hash, cases), strict=True):
            if isinstance(outcome, str):
                hashes[case.id] = outcome
            else:
                code = "unreadable-image" if all(path.exists() for path in case.files) else "missing-file"
                findings.append(of_error(code, outcome, [case.id]))
    return hashes, findings


def _try_hash(case: Case) -> str | DataError:
    try:
        return hash_case(case)
    except DataError as error:
        return error


def _read_and_keep(
    paths: Mapping[str, Path], hashes: Mapping[str, str], expected: Expected, case: Case
) -> tuple[Finding, ...]:
    """Read a case in a worker process; facts go to the cache, findings come back."""
    facts, findings = read_case(case, expected, hashes[case.id])
    if facts is not None:
        save_facts(paths[case.id], facts)
    return findings
