"""A config as YAML in which each value may have its reason beside it; PyYAML writes no comments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.config.strict_yaml import load_strict

WIDTH = 120  # characters of a line
_INDENT = 2
_LEAST_TEXT = 30  # characters; a comment narrower than this goes above its key
_ENDLESS = 2**16  # wide enough that no list is broken into lines

Tree = dict[str, Any]


class Verbatim(str):
    """A line of the header that is copied by its readers: it is not broken, however long it is."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes texts so that the config's own reader takes them for texts: it knows numbers that PyYAML does not."""

    def represent_text(self, value: str) -> yaml.Node:
        # Some readers take 10:00:00 for a number to the base of 60.
        style = '"' if ":" in value or not _is_plain(value) else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _is_plain(value: str) -> bool:
    """Tell whether a text stays itself without quotes, or gets them by itself."""
    text = yaml.safe_dump([value], default_flow_style=True, width=_ENDLESS, allow_unicode=True)
    return bool(load_strict(text) == [value])


@dataclass(frozen=True)
class Noted:
    """A value of a config and why it is so.

    Args:
        value: A number, a text, a list of such, or a mapping.
        reason: One or more sentences.
    """

    value: Any
    reason: str


def plain(tree: Any) -> Any:  # noqa: ANN401 -- a config holds anything
    """Return a config without its reasons: what its YAML is read as."""
    if isinstance(tree, Noted):
        return plain(tree.value)
    if isinstance(tree, Mapping):
        return {str(key): plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return tree


def render(tree: Tree, header: Sequence[str] = ()) -> str:
    """Return a config as YAML with its reasons as comments.

    Args:
        tree: Mappings, plain values and `Noted` ones.
        header: Lines that stand as comments at the top; those that are `Verbatim` are not broken.
    """
    top = [f"# {line}".rstrip() for text in header for line in _header_lines(text)]
    return "\n".join([*top, *_block(tree, 0)]) + "\n"


def _block(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = " " * (_INDENT * depth)
    for key, noted in tree.items():
        value, reason = (noted.value, noted.reason) if isinstance(noted, Noted) else (noted, "")
        nested = isinstance(value, Mapping) and bool(value)
        line = f"{indent}{_flow(key)}:" + ("" if nested else f" {_flow(plain(value))}")
        yield from _commented(line, reason, indent)
        if nested:
            yield from _block(value, depth + 1)


def _commented(line: str, reason: str, indent: str) -> Iterator[str]:
    """Yield a line with its reason behind it, or above it where it is long."""
    words = _line(reason)
    if not words:
        yield line
    elif len(line) + len(words) + 4 <= WIDTH:
        yield f"{line}  # {words}"
    else:
        yield from (f"{indent}# {part}" for part in _wrapped(words, WIDTH - len(indent) - 2))
        yield line


def _header_lines(text: str) -> list[str]:
    space = " " * (len(text) - len(text.lstrip(" ")))
    # Line breaks of any kind, such as U+2028, would end the comment.
    one = space + " ".join(text.splitlines()).strip(" ") if isinstance(text, Verbatim) else space + _line(text)
    return [one] if isinstance(text, Verbatim) else _wrapped(one, WIDTH - 2)


def _line(text: str) -> str:
    return " ".join(text.split())


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines; one that begins with spaces keeps them."""
    space = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, max(width, _LEAST_TEXT), subsequent_indent=space) or [""]


def _flow(value: object) -> str:
    """Return a value as it stands on one line of YAML."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=_ENDLESS, allow_unicode=True, sort_keys=False
    )
    return text.strip().removesuffix("...").strip()
