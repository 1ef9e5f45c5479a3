"""What a check found, as check.json and as lines for a reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datamodules.formats.atomic import write_atomically
from datamodules.integrity.check import CheckResult
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import SEVERITIES, Finding
from pipeline import exit_codes
from pipeline.tracking.environment import package_versions

JSON_NAME = "check.json"
PAGE_NAME = "check.html"
_SHOWN = 6  # names of cases in a line
_WORDS = {"error": "errors", "warning": "warnings", "note": "notes"}


def exit_code(result: CheckResult) -> int:
    """Return 0 where nothing speaks against training, 3 where some cases have to be left out, 1 where all does."""
    if not result.grave:
        return exit_codes.DONE
    return exit_codes.PARTLY_FAILED if result.usable else exit_codes.FAILED


def save_json(path: Path, result: CheckResult, *, seconds: float) -> None:
    """Write everything that was found, atomically."""
    content = {
        "data": str(result.root),
        "kind": result.kind,
        "layout": result.layout,
        "exit_code": exit_code(result),
        "seconds": round(seconds, 2),
        "versions": package_versions(),
        "verdict": result.verdict,
        "settings": asdict(result.settings),
        "channel_names": list(result.channel_names),
        "labels": result.labels and result.labels.to_dict(),
        "counts": {severity: len(result.of(severity)) for severity in SEVERITIES},
        "findings": [finding.to_dict() for finding in result.findings],
        "forecast": result.forecast and asdict(result.forecast),
        "summary": result.summary,
        "splits": [split.to_dict() for split in result.splits],
        "cases": {
            case_id: {
                "group": result.groups.get(case_id, case_id),
                **(_of_case(result.facts[case_id]) if case_id in result.facts else {}),
            }
            for case_id in result.case_ids
        },
        "tests": {name: _of_case(facts) for name, facts in result.tests.items()},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    write_atomically(path, f"{text}\n".encode(errors="backslashreplace"))


def _of_case(facts: CaseFacts) -> dict[str, Any]:
    """Return what is known of a case, without its pictures and samples."""
    return {
        "content": facts.content,
        "shape": list(facts.shape),
        "spacing_mm": list(facts.spacing_mm),
        "orientation": facts.orientation,
        "affine": facts.affine.tolist(),
        "dtype": facts.dtype,
        "file_bytes": facts.file_bytes,
        "nonzero_shape": list(facts.nonzero_shape),
        "air_shape": list(facts.air_shape),
        "channels": [
            {**vars(channel), "histogram": channel.histogram.tolist(), "percentiles": list(limits)}
            for channel, limits in zip(facts.channels, facts.limits, strict=True)
        ],
        "structures": {name: asdict(structure) for name, structure in facts.structures.items()},
        "adjacency": [list(pair) for pair in facts.adjacency],
    }


def lines(result: CheckResult) -> Iterator[str]:
    """Yield the findings by severity, each with its cases and what to do, then forecasts, and a line that sums up."""
    for severity in SEVERITIES:
        found = result.of(severity)
        if found:
            yield f"{len(found)} {_WORDS[severity] if len(found) > 1 else severity}"
        for finding in found:
            yield from _of_finding(finding)
    yield from result.forecasts
    yield _summary(result)


def _of_finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.code}: {finding.message}"
    if not all(case in finding.message for case in finding.cases[:_SHOWN]):
        more = f" and {len(finding.cases) - _SHOWN} more" if len(finding.cases) > _SHOWN else ""
        yield f"    in {', '.join(finding.cases[:_SHOWN])}{more}"
    if finding.path and finding.path not in finding.message:
        yield f"    file {finding.path}"
    yield f"    {finding.remedy}"


def _summary(result: CheckResult) -> str:
    counts = ", ".join(
        f"{len(result.of(severity))} {_WORDS[severity] if len(result.of(severity)) != 1 else severity}"
        for severity in SEVERITIES
    )
    return f"{len(result.case_ids)} cases: {counts}; {result.verdict}"
