"""The scores of poses as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.metrics.keypoints import PoseSummary

_UNITS = "Shares in %, errors in pixels of the original images."


def format_table(summary: PoseSummary) -> str:
    """Return a row per joint and one over all, in columns, then similarity and notes.

    Shares are given in percent, errors in pixels of the original images.
    """
    columns = [key for key in summary.rows[0] if key != "points"]
    # With the norm of the head a figure has two names: one column is enough.
    columns = [
        key for key in columns if key.replace("pck@", "pckh@") == key or key.replace("pck@", "pckh@") not in columns
    ]
    lines = [["joint", "points", *columns]]
    for name, row in zip(summary.names, summary.rows, strict=True):
        lines.append([name, f"{row['points']:.0f}", *(_cell(key, row[key]) for key in columns)])
    overall = summary.overall
    lines.append(["all points", str(summary.counts["points"]), *(_cell(key, overall[key]) for key in columns)])
    means = [overall.get(f"pck_joint_mean@{key.partition('@')[2]}") for key in columns]
    cells = [_cell(key, mean) if "@" in key else "" for key, mean in zip(columns, means, strict=True)]
    lines.append(["mean of joints", "", *cells])
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    text = ["  ".join(_fill(line, widths)).rstrip() for line in lines]
    similarity = [f"{key} {_cell(key, value)}" for key, value in overall.items() if key.startswith("oks")]
    return "\n".join([*text, *([", ".join(similarity)] if similarity else []), _UNITS, *summary.notes])


def _fill(line: list[str], widths: list[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if key.endswith("_px") else f"{100 * value:.1f}"
