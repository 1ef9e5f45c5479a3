"""The `config.yaml` of a DeepLabCut project: body parts, limbs, and whose labels count."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from datamodules.annotations.subjects import NamePairs
from datamodules.formats.errors import DataError

# Far above those of any project. An alias may stand for one long text many times.
_MOST_BYTES = 8 << 20
_MOST_NAMES, _LONGEST_NAME = 1000, 256
_MOST_LIMBS, _LONGEST_LIMB = 10_000, 4


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
    not followed, and the last of repeated keys counts, as for DeepLabCut. Limbs that are no lists of names are passed
    over.

    Raises:
        DataError: If it is no YAML, body parts are no list of different names, or anything is implausibly large.
    """
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise DataError(
            path, f"a config of {_MOST_BYTES} bytes at most", f"{size}", "take out what is not of DeepLabCut"
        )
    try:
        # BaseLoader makes text, lists and mappings, and nothing else
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(path, "YAML in UTF-8", " ".join(str(error).split()), "mend the file") from error
    if not isinstance(content, dict):
        raise DataError(path, "a mapping of settings", type(content).__name__, "mend the file")
    several = _text(content.get("multianimalproject")).lower() in ("true", "yes", "on")
    key = "multianimalbodyparts" if several and content.get("multianimalbodyparts") else "bodyparts"
    bodyparts = content.get(key) or []
    if not isinstance(bodyparts, list) or not all(isinstance(name, str) for name in bodyparts):
        raise DataError(path, f"`{key}` as a list of names", _shown(bodyparts), "mend the file")
    if len(bodyparts) > _MOST_NAMES or any(len(name) > _LONGEST_NAME for name in bodyparts):
        expected = f"`{key}` of {_MOST_NAMES} names at most, of {_LONGEST_NAME} letters each"
        raise DataError(path, expected, f"{len(bodyparts)}: {reprlib.repr(bodyparts)}", "mend the file")
    names = tuple(name.strip() for name in bodyparts)
    if len(set(names)) != len(names):
        raise DataError(path, f"different names in `{key}`", ", ".join(names), "rename the doubled ones")
    return ProjectConfig(_text(content.get("scorer")) or None, names, _limbs(path, content.get("skeleton")))


def _limbs(path: Path, skeleton: object) -> tuple[tuple[str, ...], ...]:
    pairs = [pair for pair in skeleton if _is_limb(pair)] if isinstance(skeleton, list) else []
    if len(pairs) > _MOST_LIMBS:
        raise DataError(path, f"`skeleton` of {_MOST_LIMBS} limbs at most", f"{len(pairs)}", "mend the file")
    return tuple(tuple(name.strip() for name in pair) for pair in pairs)


def _is_limb(pair: object) -> bool:
    """Tell whether an entry is a short list of names: aliases may nest lists beyond any memory, once written out."""
    if not isinstance(pair, list) or len(pair) > _LONGEST_LIMB:
        return False
    return all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in pair)


def _shown(value: object) -> str:
    """Return what was found in few words, as nested lists may be endless once written out."""
    if not isinstance(value, list):
        return reprlib.repr(value) if isinstance(value, str) else type(value).__name__
    return f"a list with entries of {', '.join(sorted({type(entry).__name__ for entry in value}))}"


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_NAME else ""
