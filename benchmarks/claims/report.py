"""The page, its pictures and the table on the screen, all written from what was measured."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure

from claims.verdicts import Verdict

_RESOLUTION = 80  # dots per inch: pictures of some 50 KB


@dataclass(frozen=True, eq=False)
class Section:
    """What one claim's measurement gives.

    Attributes:
        key: Part of the picture's file name.
        title: Heading.
        method: What was measured and how.
        header: Names of the table's columns.
        rows: The table.
        verdicts: What the numbers say.
        figure: The picture.
    """

    key: str
    title: str
    method: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict]
    figure: Figure


def describe_machine() -> str:
    """Return the kind of machine without its name, e.g. `2 cores (x86_64, AVX-512 bf16), 24 GiB`."""
    flags: set[str] = set()
    described = Path("/proc/cpuinfo")
    if described.exists():  # Linux alone has it
        lines = described.read_text(encoding="utf-8").splitlines()
        flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    kinds = {"amx_bf16": "AMX bf16", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2"}
    kind = ", ".join([platform.machine(), *[name for flag, name in kinds.items() if flag in flags][:1]])
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{os.cpu_count()} cores ({kind}), {memory_gib:.0f} GiB, no graphics card used"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table with columns that line up, to be read on the screen too."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [[*header], ["-" * width for width in widths], *rows]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]


def verdict_rows(sections: Sequence[Section]) -> list[list[str]]:
    """Return claim, verdict and numbers of all sections."""
    return [
        [verdict.claim, verdict.outcome.value, verdict.seen] for section in sections for verdict in section.verdicts
    ]


def write_page(
    output: Path, opening: Sequence[str], settings: Mapping[str, str], sections: Sequence[Section]
) -> list[Path]:
    """Write the page and its pictures.

    Args:
        output: The page without its ending, e.g. `docs/residual_claims`; pictures go to `pictures/` beside it.
        opening: Lines behind the title.
        settings: What was measured where, by name.
        sections: The measurements.

    Returns:
        The files that were written.
    """
    pictures = output.parent / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    written = []
    lines = ["# Claims on residual networks, measured", "", *opening, ""]
    lines += table(("setting", "value"), [[name, value] for name, value in settings.items()])
    lines += ["", "## What was seen", "", *table(("claim", "verdict", "seen"), verdict_rows(sections))]
    for section in sections:
        path = pictures / f"{output.name}_{section.key}.png"
        section.figure.savefig(path, dpi=_RESOLUTION)
        written.append(path)
        lines += ["", f"## {section.title}", section.method, "", *table(section.header, section.rows)]
        lines += ["", f"![{section.title}](pictures/{path.name})"]
    page = output.with_name(f"{output.name}.md")
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [page, *written]


def general_settings(data: str) -> dict[str, str]:
    """Return date, machine, versions and data."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "software": f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads",
        "data": data,
    }
