"""Where a `--config` is found: among the user's files first, then among the shipped ones."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import pipeline
from pipeline.config.errors import UsageError

SUFFIXES = (".yaml", ".yml")
_OPTIONS = ("--config", "-c")
# Beside the package and not by import: another `configs` on the path would hide ours.
_SHIPPED = Path(pipeline.__file__).parents[1] / "configs"


def shipped_names() -> list[str]:
    """Return the file names of the shipped configs, sorted."""
    return sorted(entry.name for entry in _SHIPPED.iterdir() if entry.name.endswith(SUFFIXES))


def find_config(reference: str) -> Path:
    """Return the file that a `--config` names: a path, or else the name of a shipped config.

    Args:
        reference: A path, or a shipped name with or without its suffix.

    Raises:
        UsageError: Neither exists; lists the shipped configs and the nearest of them.
    """
    if Path(reference).is_file():
        return Path(reference)
    shipped = shipped_names()
    for name in (reference, f"{reference}.yaml"):
        if name in shipped:
            return _SHIPPED / name
    nearest = get_close_matches(Path(reference).name, shipped, n=1, cutoff=0.0)
    hint = f"; nearest shipped config: '{nearest[0]}'" if nearest else ""
    raise UsageError(
        f"--config {reference}: no such file, and not one of the shipped configs ({', '.join(shipped)}){hint}"
    )


def resolve_config_arguments(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Put the path of its file in place of every `--config` value.

    Args:
        arguments: The command line after the verb.

    Returns:
        The command line with paths, and the files in their order.

    Raises:
        UsageError: A value is missing or names no config.
    """
    resolved: list[str] = []
    found: list[Path] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if option not in _OPTIONS:
            resolved.append(argument)
            continue
        if not equals:
            value = next(remaining, "")
        if not value:
            raise UsageError(f"{option}: expected a file or one of {', '.join(shipped_names())}, found nothing")
        found.append(find_config(value))
        resolved += ["--config", str(found[-1])]
    return resolved, found
