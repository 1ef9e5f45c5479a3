"""What a check of a data set found: what it is, how grave, in which cases, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from datamodules.formats.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    Args:
        code: Its kind, in words that stay the same from version to version, such as "label-shape".
        severity: "error" keeps the cases (or, without cases, the whole set) from being trained on; "warning" is
            likely a mistake; "note" is worth knowing.
        message: What was expected and what was found.
        remedy: What to do about it.
        cases: The cases concerned, sorted; none where the set as a whole is concerned.
        path: The file or folder at fault, where it is a single one.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    cases: tuple[str, ...] = ()
    path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self) | {"cases": list(self.cases)}


def of_error(code: str, error: DataError, cases: Iterable[str] = (), severity: Severity = "error") -> Finding:
    """Turn a refusal of the reader into a finding.

    Args:
        code: The kind of finding.
        error: What was raised.
        cases: The cases that it concerns.
        severity: How grave it is.
    """
    message = f"expected {error.expected}, found {error.found}"
    return Finding(code, severity, message, error.remedy, tuple(sorted(cases)), str(error.path))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by severity, then kind, then cases."""
    return tuple(sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.code, f.cases, f.message)))


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the errors among findings."""
    return tuple(finding for finding in findings if finding.severity == "error")
