"""Findings that say the same of several cases, told once."""

from __future__ import annotations

from collections.abc import Mapping

from datamodules.integrity.findings import Finding, Severity

_SHOWN = 8  # cases that a message goes into


def told_once(code: str, severity: Severity, what: str, remedy: str, details: Mapping[str, str]) -> list[Finding]:
    """Return one finding of all cases to which something applies; none where there are none.

    Args:
        code: The kind of finding.
        severity: How grave it is.
        what: What applies to them.
        remedy: What to do.
        details: By case id, what is special to it.
    """
    if not details:
        return []
    cases = tuple(sorted(details))
    shown = [f"{case} ({details[case]})" if details[case] else case for case in cases[:_SHOWN]]
    more = f" and {len(cases) - _SHOWN} more" if len(cases) > _SHOWN else ""
    return [Finding(code, severity, f"{what}: {', '.join(shown)}{more}", remedy, cases)]
