"""What a run was made with: packages, machine, and the revision of the source."""

import importlib.metadata
import logging
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.tracking.redaction import redact

log = logging.getLogger(__name__)

DISTRIBUTION = "segpose-pipeline"


def describe_environment() -> dict[str, Any]:
    """Return packages, Python, platform, processor, devices and the source's git revision, JSON-able."""
    packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return {
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "devices": devices(),
        "git": git_revision(Path(__file__).parent),
        "command": [Path(sys.argv[0]).name, *map(redact, sys.argv[1:])],
    }


def package_versions() -> dict[str, str]:
    """Return the versions of Python, of this software and of the packages that it names as needed."""
    versions = {"python": platform.python_version()}
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        log.warning("%s is not installed as a package; the versions of its parts are not recorded", DISTRIBUTION)
        return versions
    names = [re.split(r"[^\w.-]", item, maxsplit=1)[0] for item in required if "extra ==" not in item]
    for name in [DISTRIBUTION, *sorted(names)]:
        versions[name] = importlib.metadata.version(name)
    return versions


def processor() -> dict[str, Any]:
    """Return the processor's model and how many of its cores this process may use."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file() and (match := re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)):
        model = match.group(1)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"model": model, "cores": os.cpu_count(), "usable_cores": usable}


def devices() -> list[dict[str, Any]]:
    """Return name and memory in MiB of every CUDA device; empty where there is none."""
    import torch

    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [{"name": device.name, "memory_mib": device.total_memory // 2**20} for device in found]


def git_revision(folder: Path) -> dict[str, Any] | None:
    """Return the commit of a source folder and whether files differ from it.

    Returns:
        `commit` and `dirty`, or None without git, outside a work tree, or where git does not track the
        folder (an installed package inside somebody else's repository).
    """
    try:
        tracked = _git(folder, "ls-files", ".")
        if not tracked:
            return None
        # Untracked files count as well: a module that was never added can be part of what ran.
        return {
            "commit": _git(folder, "rev-parse", "HEAD"),
            "dirty": bool(_git(folder, "status", "--porcelain")),
        }
    except (OSError, subprocess.SubprocessError) as error:
        log.info("no git revision is recorded: %s", error)
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
