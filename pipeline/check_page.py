"""A check's findings as one HTML page: what is wrong, how the cases are spread, and a picture of each."""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from datamodules.formats.atomic import write_atomically
from datamodules.integrity.check import CheckResult
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import SEVERITIES, Finding
from pipeline.check_page_pictures import colour_of, histogram_svg, picture_uri, strip_svg
from pipeline.check_page_style import SCRIPT, STYLE

MAX_CASES = 1000  # pictures on a page; a browser is slow with more
_LISTED = 12  # cases of a finding that are named before the rest folds away
# Nothing on the page may come from elsewhere, whatever a file name tries.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_page(path: Path, result: CheckResult) -> None:
    """Write the page atomically, complete in one file.

    Args:
        path: An HTML file in a folder that exists.
        result: What the check found.
    """
    title = html.escape(result.root.name or str(result.root))
    body = "\n".join([*_head(result), *_findings(result), *_spread(result), *_structures(result), *_cases(result)])
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Check of {title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n<script>{SCRIPT}</script>\n</body></html>\n"
    )
    write_atomically(path, page.encode("utf-8", errors="replace"))


def _head(result: CheckResult) -> Iterator[str]:
    counts = Counter(finding.severity for finding in result.findings)
    worst = next((severity for severity in SEVERITIES if counts[severity]), "good")
    found = ", ".join(f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in SEVERITIES)
    yield f"<h1>{html.escape(str(result.root))}</h1>"
    yield f'<p class="verdict {worst}">{html.escape(result.verdict)}</p>'
    yield f'<p class="soft">{len(result.case_ids)} cases, {len(result.facts)} of them read; {found}</p>'


def _findings(result: CheckResult) -> Iterator[str]:
    if not result.findings:
        return
    yield "<h2>Findings</h2>"
    for finding in result.findings:
        place = f'<p class="soft">{html.escape(finding.path)}</p>' if finding.path else ""
        yield (
            f'<div class="finding {finding.severity}">'
            f'<p class="tag">{finding.severity}: {html.escape(finding.code)}</p>'
            f"<p>{html.escape(finding.message)}</p><p>What to do: {html.escape(finding.remedy)}</p>"
            f"{place}{_names(finding.cases)}</div>"
        )


def _names(cases: Sequence[str]) -> str:
    """Return links to the cases, most of a long list folded away."""
    links = [f'<a href="#case-{html.escape(case)}">{html.escape(case)}</a>' for case in cases]
    if len(links) <= _LISTED:
        return f"<p>{', '.join(links)}</p>" if links else ""
    rest = f"<details><summary>and {len(links) - _LISTED} more</summary>{', '.join(links[_LISTED:])}</details>"
    return f"<p>{', '.join(links[:_LISTED])}</p>{rest}"


def _spread(result: CheckResult) -> Iterator[str]:
    facts = list(result.facts.values())
    if not facts:
        return
    yield "<h2>How the cases are spread</h2>"
    yield '<p class="soft">Each case is a stroke; axes as they lie in the patient.</p><div class="plots">'
    for axis, name in enumerate(("left to right", "back to front", "down to up")):
        yield _plot(f"voxels {name}", strip_svg([float(one.shape[axis]) for one in facts], f"voxels {name}"))
    for axis, name in enumerate(("left to right", "back to front", "down to up")):
        yield _plot(f"spacing {name}, mm", strip_svg([one.spacing_mm[axis] for one in facts], f"spacing {name}"))
    for channel, name in enumerate(result.channel_names):
        means = [one.channels[channel].mean for one in facts if channel < len(one.channels)]
        yield _plot(f"mean of {name}", strip_svg(means, f"mean of {name}"))
    yield "</div>"
    yield from (f'<p class="soft">{html.escape(line)}</p>' for line in result.forecasts)


def _plot(title: str, svg: str) -> str:
    return f"<div><h3>{html.escape(title)}</h3>{svg}</div>"


def _structures(result: CheckResult) -> Iterator[str]:
    if not result.structure_names or not result.facts:
        return
    yield '<h2>Structures</h2><div class="wide"><table><thead><tr><th>structure</th><th>in cases</th>'
    yield "<th>median ml</th><th>least ml</th><th>most ml</th><th>most parts</th></tr></thead><tbody>"
    for position, name in enumerate(result.structure_names):
        present = [one for one in result.facts.values() if one.voxel_counts.get(name, 0)]
        volumes = [one.volume_mm3[name] / 1000 for one in present]
        cells = [f"{value:.3g}" for value in (np.median(volumes), min(volumes), max(volumes))] if volumes else ["-"] * 3
        parts = max((one.structures[name].components for one in present), default=0)
        swatch = f'<span class="swatch" style="background:{colour_of(position)}"></span>'
        row = [f"{swatch}{html.escape(name)}", f"{len(present)} of {len(result.facts)}", *cells, str(parts)]
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _cases(result: CheckResult) -> Iterator[str]:
    about: dict[str, list[Finding]] = {}
    for finding in result.findings:
        for case in finding.cases:
            about.setdefault(case, []).append(finding)
    ranks = {case: min(SEVERITIES.index(finding.severity) for finding in found) for case, found in about.items()}
    # the gravest first, so that a limit never hides them behind sound ones
    order = sorted(result.case_ids, key=lambda case: (ranks.get(case, len(SEVERITIES)), case))
    left_out = len(order) - MAX_CASES
    more = f'<p class="soft">{left_out} cases without a picture here; all are in the JSON</p>' if left_out > 0 else ""
    yield f'<h2>Cases</h2>{more}<div class="search"><input type="search" id="words" placeholder="search by name">'
    yield '<label><input type="checkbox" id="only"> with findings only</label>'
    yield '<span id="count" class="soft"></span></div><div class="cases">'
    for case in order[:MAX_CASES]:
        yield _case(case, result.facts.get(case), about.get(case, []), result.channel_names)
    yield "</div>"


def _case(case: str, facts: CaseFacts | None, findings: Sequence[Finding], channel_names: Sequence[str]) -> str:
    name = html.escape(case)
    tags = "".join(f'<p class="{f.severity}"><span class="tag">{html.escape(f.code)}</span></p>' for f in findings)
    head = f'<div class="case" id="case-{name}" data-search="{name.lower()}" data-findings="{len(findings) or ""}">'
    if facts is None:
        return f"{head}<h3>{name}</h3>{tags}<p>not read</p></div>"
    shape = " x ".join(map(str, facts.shape))
    spacing = " x ".join(f"{mm:.3g}" for mm in facts.spacing_mm)
    plots = "".join(
        histogram_svg(channel.histogram, channel.minimum, channel.maximum, f"{label} of {case}")
        for channel, label in zip(facts.channels, channel_names, strict=False)
    )
    counted = ", ".join(f"{html.escape(key)} {count}" for key, count in facts.voxel_counts.items() if count)
    picture = picture_uri(facts.thumbnail, facts.thumbnail_labels)
    return (
        f'{head}<img src="{picture}" alt="a slice of {name} with its labels" loading="lazy"><h3>{name}</h3>{tags}'
        f'<p>{shape} voxels of {spacing} mm, stored {facts.orientation}</p>{plots}<p class="soft">{counted}</p></div>'
    )
