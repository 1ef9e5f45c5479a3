"""Read all cases of a data set once, side by side; what was read before is taken from the cache."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datamodules.case_names import is_there
from datamodules.cases import Case, CaseList
from datamodules.formats.errors import DataError
from datamodules.hashing import cache_key, hash_case
from datamodules.integrity.case_findings import findings_of_cases
from datamodules.integrity.facts import NO_FACTS, CaseFacts, load_facts, save_facts
from datamodules.integrity.findings import Finding, in_order, of_error
from datamodules.integrity.reading import Expected, read_case
from datamodules.workers import map_cases

log = logging.getLogger(__name__)

FORMAT_VERSION = 2  # raise it when facts or what is checked on reading change


@dataclass(frozen=True)
class Inspection:
    """What was read of a data set.

    Args:
        facts: By id, what is known of each case that can be used, in the order of the cases.
        findings: What is wrong with single cases; cases without facts have an error.
    """

    facts: dict[str, CaseFacts]
    findings: tuple[Finding, ...]


def inspect_cases(
    listing: CaseList, cache_dir: Path, workers: int, *, resample_labels: bool = False, samples: bool = True
) -> Inspection:
    """Read and check all cases; a case that was read before with the same content is taken from the cache.

    Args:
        listing: The data set; cases without a label are checked as far as they go.
        cache_dir: Where facts are kept, by the hash of content and labels.
        workers: Processes; 0 reads in this one.
        resample_labels: Whether labels with another affine are brought to the image's grid.
        samples: Whether foreground intensities are wanted, which take most of the memory of many cases.

    Raises:
        OSError: If the cache cannot be written to.
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
    facts = {id_: found for id_, path in paths.items() if (found := _kept(path, id_, samples=samples))}
    unread = [case for case in listing.cases if case.id in paths and case.id not in facts]
    log.info("%d of %d cases were read before", len(listing.cases) - len(unread), len(listing.cases))
    failures = map_cases(
        partial(_read_and_keep, expected),
        unread,
        workers=workers,
        description="Reading cases",
        arguments={case.id: (paths[case.id], hashes[case.id]) for case in unread},
        killed=_killed,
    )
    findings += [finding for found in failures.values() for finding in found]
    broken = {case_id for finding in findings for case_id in finding.cases}
    facts |= {case.id: load_facts(paths[case.id], case.id, samples=samples) for case in unread if case.id not in broken}
    facts = {case.id: facts[case.id] for case in listing.cases if case.id in facts}
    return Inspection(facts, in_order([*findings, *findings_of_cases(list(facts.values()), listing)]))


def _kept(path: Path, case_id: str, *, samples: bool) -> CaseFacts | None:
    """Return what was kept of a case; None where there is nothing, or nothing that can be read."""
    if not path.exists():
        return None
    try:
        return load_facts(path, case_id, samples=samples)
    except NO_FACTS as error:
        log.warning("%s cannot be read (%s): case %s is read again", path, error, case_id)
        return None


def _hashes(cases: Sequence[Case], workers: int) -> tuple[dict[str, str], list[Finding]]:
    """Return the content hash of every case whose files can be read, and why the others cannot."""
    hashes: dict[str, str] = {}
    findings = []
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for case, outcome in zip(cases, pool.map(_try_hash, cases), strict=True):
            if isinstance(outcome, str):
                hashes[case.id] = outcome
            else:
                findings.append(_unhashed(case, outcome))
    return hashes, findings


def _unhashed(case: Case, error: DataError | OSError) -> Finding:
    if isinstance(error, DataError):
        present = all(is_there(path) for path in case.files)
        return of_error("unreadable-image" if present else "missing-file", error, [case.id])
    remedy = "mend the rights of the file or folder, or the disk"
    return Finding("unreadable-image", "error", f"cannot be read: {error}", remedy, (case.id,), str(case.images[0]))


def _try_hash(case: Case) -> str | DataError | OSError:
    try:
        return hash_case(case)
    except (DataError, OSError) as error:
        return error


def _read_and_keep(expected: Expected, case: Case, path: Path, content: str) -> tuple[Finding, ...]:
    """Read a case in a worker process; facts go to the cache, findings come back."""
    facts, findings = read_case(case, expected, content)
    if facts is not None:
        save_facts(path, facts)
    return findings


def _killed(case: Case) -> tuple[Finding, ...]:
    message = "reading it alone was killed from outside, most often by the system for lack of memory"
    remedy = "use a machine with more memory, or make the files smaller"
    return (Finding("out-of-memory", "error", message, remedy, (case.id,), str(case.images[0])),)
