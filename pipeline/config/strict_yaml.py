"""YAML in which a key stands once; plain values only, so that no tag runs anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from pipeline.config.errors import UsageError

_jsonargparse_load = get_loader("yaml")


class RepeatedKeyError(yaml.YAMLError):
    """A key that stands twice in one mapping."""


def _repeated_keys(node: yaml.Node, prefix: str = "", seen: frozenset[int] = frozenset()) -> Iterator[str]:
    if id(node) in seen:  # an anchor may hold an alias of itself
        return
    seen = seen | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated_keys(item, f"{prefix}{index}.", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in lines:
                yield f"key '{prefix}{key.value}' is given twice, in lines {lines[key.value]} and {line}"
            lines[str(key.value)] = line
            yield from _repeated_keys(value, f"{prefix}{key.value}.", seen)


def load_strict(text: str) -> Any:  # noqa: ANN401 -- YAML holds anything
    """Load YAML as jsonargparse does, but refuse a repeated key.

    Raises:
        RepeatedKeyError: Names the key and both lines.
        yaml.YAMLError: The text is not YAML, or holds a tag.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for problem in _repeated_keys(node) if node is not None else ():
        raise RepeatedKeyError(problem)
    return _jsonargparse_load(text)


def read_config(path: Path) -> dict[str, Any]:
    """Return the mapping that a config file holds.

    Raises:
        UsageError: The file cannot be read, is not YAML, repeats a key or is not a mapping.
    """
    try:
        loaded = load_strict(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text: {error}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: expected a mapping of sections such as 'model:', found {type(loaded).__name__}")
    return loaded


def install() -> None:
    """Make jsonargparse refuse repeated keys everywhere, values on the command line included."""
    set_loader("yaml", load_strict, exceptions=(yaml.YAMLError,))
