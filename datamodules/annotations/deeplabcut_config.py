"""The `config.yaml` of a DeepLabCut project: body parts, limbs, and whose labels count."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from datamodules.annotations.subjects import NamePairs
from datamodules.formats.errors import DataError


@dataclass(frozen=True)
class ProjectConfig:
    """What of a project's config concerns its labels.

    Args:
        scorer: Whose labels count.
        bodyparts: Names of the joints, those of an animal where there are several.
        skeleton: Pairs of names, as they are written.
    """

    scorer: str | None
    bodyparts: tuple[str, ...]
    skeleton: tuple[tuple[str, ...], ...]

    def edges(self, names: Sequence[str]) -> tuple[NamePairs, tuple[str, ...]]:
        """Return limbs between joints, and those of other names: a new project has an example in their place."""
        limbs = [(pair[0], pair[1]) for pair in self.skeleton if len(pair) == 2 and set(pair) <= set(names)]
        dropped = [" to ".join(pair) for pair in self.skeleton if len(pair) != 2 or not set(pair) <= set(names)]
        return tuple((a, b) for a, b in limbs if a != b), tuple(dropped)


def read_config(path: Path) -> ProjectConfig:
    """Read a project's config.

    Every value is taken as the text that it is written as, so that a body part may be called `no` or `1`; tags are
    not followed, and the last of repeated keys counts, as for DeepLabCut.

    Raises:
        DataError: If it is no YAML, or body parts are no list of different names.
    """
    try:
        # BaseLoader makes text, lists and mappings, and nothing else
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(path, "YAML in UTF-8", " ".join(str(error).split()), "mend the file") from error
    if not isinstance(content, dict):
        raise DataError(path, "a mapping of settings", type(content).__name__, "mend the file")
    several = str(content.get("multianimalproject", "")).lower() in ("true", "yes", "on")
    key = "multianimalbodyparts" if several and content.get("multianimalbodyparts") else "bodyparts"
    bodyparts = content.get(key) or []
    if not isinstance(bodyparts, list) or not all(isinstance(name, str) for name in bodyparts):
        raise DataError(path, f"`{key}` as a list of names", reprlib.repr(bodyparts), "mend the file")
    names = tuple(name.strip() for name in bodyparts)
    if len(set(names)) != len(names):
        raise DataError(path, f"different names in `{key}`", ", ".join(names), "rename the doubled ones")
    skeleton = content.get("skeleton") or []
    pairs = [pair for pair in skeleton if isinstance(pair, list)] if isinstance(skeleton, list) else []
    limbs = tuple(tuple(str(name).strip() for name in pair) for pair in pairs)
    return ProjectConfig(str(content.get("scorer") or "").strip() or None, names, limbs)
