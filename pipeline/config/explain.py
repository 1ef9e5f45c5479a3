"""Why a config was refused, in one line with the nearest valid key.

jsonargparse decides; this module only looks for the reason in the same values, and imports nothing for it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.config import schema
from pipeline.config.imports import refusal_of_import
from pipeline.config.strict_yaml import load_strict

Tree = dict[str, Any]
_CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")
_MAX_LENGTH = 300  # characters of a message of jsonargparse's own


class _RefusalError(Exception):
    """The reason, once found."""


def explain(message: str, files: Mapping[str, Tree], arguments: Sequence[str], sections: Tree, defaults: Tree) -> str:
    """Return one line that says what is wrong with a config.

    Args:
        message: What jsonargparse said.
        files: Contents of the config files by name, in their order.
        arguments: The command line.
        sections: Type of every section; for a section without class_path, its keys' types.
        defaults: Values that hold where neither a file nor the command line gives one.
    """
    denied = re.search(r"Importing '([^']+)' is not allowed", message)
    if denied:
        return refusal_of_import(denied[1])
    merged = _inline(defaults)
    try:
        for name, content in files.items():
            _check_layout(content, f"{name}: ")
            _merge(merged, _inline(content))
            _check(merged, sections, "", f"{name}: ")
        for key, value in _overrides(arguments):
            _set(merged, key, value)
        _check(merged, sections, "", "")
    except _RefusalError as refusal:
        return str(refusal)
    return _wrong_value(message, merged, sections) or _condensed(message)


def _unknown(name: str, tree: Tree, valid: Tree, prefix: str, where: str) -> _RefusalError:
    best = schema.nearest_key(name, valid, tree)
    return _RefusalError(f"{where}unknown key '{prefix}{name}'; the nearest valid key is '{prefix}{best}'")


def _check_layout(content: Any, where: str, prefix: str = "") -> None:  # noqa: ANN401
    """Refuse arguments that stand beside `class_path` and not under `init_args`."""
    if isinstance(content, list):
        for index, item in enumerate(content):
            _check_layout(item, where, f"{prefix}{index}.")
    if not isinstance(content, dict):
        return
    for name, value in content.items():
        if "class_path" in content and name not in _CLASS_KEYS:
            raise _RefusalError(
                f"{where}key '{prefix}{name}' stands beside class_path; the nearest valid key is "
                f"'{prefix}init_args.{name}'"
            )
        _check_layout(value, where, f"{prefix}{name}.")


def _inline(content: Any) -> Any:  # noqa: ANN401
    """Return the content with init_args lifted beside class_path, as the command line writes keys."""
    if isinstance(content, list):
        return [_inline(item) for item in content]
    if not isinstance(content, dict):
        return content
    lifted = {str(name): _inline(value) for name, value in content.items() if name not in _CLASS_KEYS[1:]}
    for name in _CLASS_KEYS[1:]:
        inner = _inline(content.get(name))
        lifted |= inner if isinstance(inner, dict) else {}
    return lifted


def _merge(tree: Tree, other: Tree) -> None:
    for name, value in other.items():
        old = tree.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            if value.get("class_path", old.get("class_path")) != old.get("class_path"):
                old.clear()  # another class has other arguments
            _merge(old, value)
        else:
            tree[name] = value


def _overrides(arguments: Sequence[str]) -> list[tuple[list[str], Any]]:
    """Return keys and values of a command line such as `--trainer.max_epochs 3 --data.root=x`."""
    found: list[tuple[list[str], Any]] = []
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if not option.startswith("--") or option in ("--config", "--print_config", "--help"):
            continue
        if not equals:
            value = arguments[position + 1] if position + 1 < len(arguments) else ""
        try:
            loaded = _inline(load_strict(value))
        except yaml.YAMLError:
            loaded = value
        found.append(([part for part in option[2:].split(".") if part != "init_args"], loaded))
    return found


def _set(tree: Tree, key: list[str], value: Any) -> None:  # noqa: ANN401
    for part in key[:-1]:
        inner = tree.setdefault(part, {})
        if isinstance(inner, str):
            inner = tree[part] = {"class_path": inner}
        if not isinstance(inner, dict):
            return
        tree = inner
    old = tree.get(key[-1])
    if isinstance(old, dict) and "class_path" in old and isinstance(value, str):
        value = {"class_path": value}
    _merge(tree, {key[-1]: value})


def _check(tree: Tree, valid: Tree, prefix: str, where: str) -> None:
    for name, value in tree.items():
        if name.rstrip("+") not in valid:
            raise _unknown(name, tree, valid, prefix, where)
        annotation = valid[name.rstrip("+")]
        if isinstance(annotation, dict):  # a section without class_path
            if isinstance(value, dict):
                _check(value, annotation, f"{prefix}{name}.", where)
            continue
        for item in value if isinstance(value, list) else [value]:
            _check_class(item, annotation, f"{prefix}{name}", where)


def _check_class(value: Any, annotation: schema.Annotation, key: str, where: str) -> None:  # noqa: ANN401
    bases = schema.class_bases(annotation)
    if not bases or not isinstance(value, dict):
        return
    cls = schema.class_of(value, annotation)
    class_path = str(value.get("class_path", "."))
    if cls is None and "." not in class_path:
        raise _RefusalError(f"{where}{_wrong_class(key, class_path, bases)}")
    arguments = schema.arguments_of(cls, skip=schema.given_by_caller(annotation)) if cls else None
    if arguments is not None:
        inner = {name: item for name, item in value.items() if name != "class_path"}
        _check(inner, arguments, f"{key}.", where)


def _wrong_class(key: str, class_path: str, bases: list[type]) -> str | None:
    if schema.find_class(class_path, bases) is not None:
        return None
    if "." in class_path:
        return f"{key}: expected a {' or '.join(base.__name__ for base in bases)}, found '{class_path}'"
    best = schema.nearest(class_path, list(schema.known_classes(bases)))
    return f"{key}: no class '{class_path}'; the nearest is '{best}'"


def _wrong_value(message: str, merged: Tree, sections: Tree) -> str | None:
    """Return the key, its type and its value, for the key that jsonargparse names."""
    key = ".".join(re.findall(r'Parser key "([^"]+)"', message)).split(".")
    value: Any = merged
    annotation: Any = sections
    for part in key:
        if isinstance(value, dict) and not isinstance(annotation, dict):
            cls = schema.class_of(value, annotation)
            annotation = schema.arguments_of(cls, skip=schema.given_by_caller(annotation)) if cls else None
        if not isinstance(value, dict) or not isinstance(annotation, dict) or part not in annotation:
            return None
        value, annotation = value.get(part), annotation[part]
    if isinstance(annotation, dict):
        return None
    bases = schema.class_bases(annotation)
    class_path = value.get("class_path") if isinstance(value, dict) else value
    if bases and isinstance(class_path, str):
        return _wrong_class(".".join(key), class_path, bases)
    return f"{'.'.join(key)}: expected {schema.readable(annotation)}, found {value!r}"


def _condensed(message: str) -> str:
    """Return a message of several lines as one."""
    lines = [line for line in message.splitlines() if not line.lstrip().startswith("Given value")]
    text = " ".join(" ".join(lines).split())
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]} ..."
