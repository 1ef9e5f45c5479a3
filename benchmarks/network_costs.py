"""What every network costs on this machine: parameters, multiply-adds, memory and time.

    python benchmarks/network_costs.py [--only NAME ...] [--write docs/networks.md]

Prints the tables, or writes them between the two marker comments of a page. Each network is measured in a process of
its own, first in fp32 and then in bf16 mixed precision, forward and in a training step with AdamW. A figure in a
table is `fp32 / bf16`.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from networks import UNet
from networks.encoders import ENCODERS
from networks.members import MEMBERS, Registered

BEGIN, END = "<!-- network costs: begin, written by benchmarks/network_costs.py -->", "<!-- network costs: end -->"
PRECISIONS = ("fp32", "bf16")
WIDTHS = (1.0, 0.25)  # of the encoders inside a U-Net
SIDE_3D = 64  # voxels; the papers' patches are too large for a table that is made in minutes
SMALL, BATCH = 32, 16  # images of 32 pixels come in batches, as one alone keeps no processor busy
ONE_NETWORK = Path(__file__).with_name("one_network.py")


def shape_of(member: Registered) -> list[int]:
    """Return the shape [B, C, *S] of the input that a member is measured with: its paper's, but for volumes."""
    side = SIDE_3D if member.spatial_dims == 3 else member.size
    return [BATCH if side <= SMALL else 1, member.channels[0], *[side] * member.spatial_dims]


def cost(network: type[Any], arguments: dict[str, Any], shape: Sequence[int], precision: str) -> dict[str, float]:
    """Measure one network in a process of its own.

    Args:
        network: Its class.
        arguments: Those of its constructor.
        shape: Of the input, [B, C, *S].
        precision: `fp32` or `bf16`.

    Raises:
        RuntimeError: If the process fails; tells which network it was and the end of what the process said.
    """
    described = {"class_path": f"{network.__module__}.{network.__qualname__}", "init_args": arguments}
    job = {"network": described, "shape": list(shape), "precision": precision}
    words = [sys.executable, str(ONE_NETWORK), json.dumps(job, default=dataclasses.asdict)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{described}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def member_row(name: str, member: Registered) -> list[str]:
    """Measure a member and return its row of the first table."""
    incoming, outgoing = member.channels
    arguments = {"in_channels": incoming, "out_channels": outgoing, "spatial_dims": member.spatial_dims}
    shape = shape_of(member)
    costs = [cost(member.network, arguments | member.arguments, shape, precision) for precision in PRECISIONS]
    sides = f"{shape[2]}³" if member.spatial_dims == 3 else f"{shape[2]}²"
    return [
        f"`{name}`",
        member.paper,
        member.switches,
        f"{costs[0]['parameters']:,.0f}",
        f"{costs[0]['multiply_adds'] / 1e9:.2f}",
        f"{shape[0]} x {sides}",
        *(
            " / ".join(f"{each[key]:,.0f}" for each in costs)
            for key in ("forward_ms", "step_ms", "forward_mib", "step_mib")
        ),
    ]


def unet_row(encoder: str) -> list[str]:
    """Measure a U-Net around an encoder at every width and return its row of the second table."""
    shape = [1, 1, *[SIDE_3D] * 3]
    row = [f"`{encoder}`", ENCODERS[encoder].switches]
    for width in WIDTHS:
        arguments = {"in_channels": 1, "out_channels": 2, "encoder": encoder, "encoder_width": width}
        costs = [cost(UNet, arguments, shape, precision) for precision in PRECISIONS]
        row.append(f"{costs[0]['parameters'] / 1e6:.2f}")
        row += [" / ".join(f"{each[key]:,.0f}" for each in costs) for key in ("forward_ms", "step_ms")]
    return row


def families() -> list[str]:
    """Return the first, which is the smallest, encoder of every kind of unit."""
    first: dict[str, str] = {}
    for name, encoder in ENCODERS.items():
        first.setdefault(encoder.switches, name)
    return list(first.values())


def machine() -> str:
    """Return the kind of machine in words, without its name."""
    flags = Path("/proc/cpuinfo")
    found = set(re.findall(r"\b(?:avx512_bf16|amx_bf16)\b", flags.read_text())) if flags.exists() else set()
    bf16 = f"bf16 by {' and '.join(sorted(found))}" if found else "no bf16 instructions seen"
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"Measured on {datetime.date.today():%d %B %Y} on a machine of {os.cpu_count()} cores "
        f"({platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {bf16}), {gigabytes:.0f} GB of memory, "
        f"with PyTorch {torch.__version__} and {torch.get_num_threads()} "
        f"thread{'s' if torch.get_num_threads() > 1 else ''}."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """Return a Markdown table, of which the first columns are words and the others numbers."""
    rule = ["---"] * words + ["--:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def report(members: Sequence[str], encoders: Sequence[str]) -> str:
    """Measure members and the U-Nets around encoders and return the text with both tables."""
    rows, unets = [], []
    for number, name in enumerate(members, start=1):
        rows.append(member_row(name, MEMBERS[name]))
        show(number, len(members), rows[-1])
    for number, name in enumerate(encoders, start=1):
        unets.append(unet_row(name))
        show(number, len(encoders), ["U-Net around", *unets[-1]])
    head = ["network", "paper", "switches", "parameters", "GMAC", "input"]
    head += ["forward, ms", "step, ms", "forward, MiB", "step, MiB"]
    each = [f"{what} ({width:g})" for width in WIDTHS for what in ("M parameters", "forward, ms", "step, ms")]
    between = (
        f"A U-Net around an encoder, 1 x {SIDE_3D}³ voxels in, 2 classes out, all else as `UNet` has it by default; "
        "in brackets the `encoder_width`:"
    )
    return "\n\n".join([table(head, rows, 3), between, table(["encoder", "switches", *each], unets, 2), machine()])


def show(number: int, count: int, row: Sequence[str]) -> None:
    """Tell how far the work is, and what was found: a row is seen also if a later network fails."""
    print(f"{number:3} of {count}  {'  '.join(row)}", file=sys.stderr, flush=True)


def around(page: Path) -> tuple[str, str]:
    """Return what stands in a page before and behind the tables.

    Raises:
        ValueError: If the page does not have each marker once, in order.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{page}: expected {BEGIN} and then {END}, once each, and did not find them so: put them in")
    return text.split(BEGIN)[0], text.split(END)[1]


def write(page: Path, text: str) -> None:
    """Replace what stands between the markers of a page."""
    before, after = around(page)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEMBERS, metavar="NAME", help="members to measure (default: all)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page to write into; takes all members")
    given = parser.parse_args(arguments)
    if given.write and given.only:
        parser.error("--write takes all members: leave --only out")
    if given.write:
        around(given.write)  # a page that does not fit is refused before minutes are spent
    text = report(given.only or list(MEMBERS), [name for name in given.only or families() if name in ENCODERS])
    if given.write:
        write(given.write, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
