"""The arguments that a class path takes, read from its constructor: the only schema of a config."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from difflib import SequenceMatcher, get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Annotation = Any


def class_bases(annotation: Annotation) -> list[type]:
    """Return the classes that a value may be built from, e.g. Network for Callable[[int, int], Network]."""
    origin: Any = get_origin(annotation)
    if origin is Callable:
        return class_bases(get_args(annotation)[-1])
    if origin is not None and origin is not Literal:
        return [base for part in get_args(annotation) for base in class_bases(part)]
    plain = not inspect.isclass(annotation) or annotation.__module__ in ("builtins", "pathlib", "datetime")
    return [] if plain else [annotation]


def _with_subclasses(base: type) -> Iterator[type]:
    yield base
    children: list[type] = base.__subclasses__()
    for child in children:
        yield from _with_subclasses(child)


def known_classes(bases: list[type]) -> dict[str, type]:
    """Return the concrete classes that are loaded, by short name."""
    found = (cls for base in bases for cls in _with_subclasses(base))
    return {cls.__name__: cls for cls in found if not inspect.isabstract(cls) and not cls.__name__.startswith("_")}


def find_class(class_path: str, bases: list[type]) -> type | None:
    """Return a loaded class by its short name or path; nothing is imported."""
    cls = known_classes(bases).get(class_path.rsplit(".", 1)[-1])
    if cls is None or "." not in class_path:
        return cls
    # A path may be a shorter one than the class's own, such as that of the package that re-exports it.
    return cls if class_path.split(".", 1)[0] == cls.__module__.split(".", 1)[0] else None


def class_of(value: Mapping[str, Any], annotation: Annotation) -> type | None:
    """Return the class that a mapping is for: by its class_path, or the only dataclass of its type."""
    bases = class_bases(annotation)
    if "class_path" in value:
        return find_class(str(value["class_path"]), bases)
    return bases[0] if len(bases) == 1 and is_dataclass(bases[0]) else None


def arguments_of(cls: type, *, skip: int = 0) -> dict[str, Annotation] | None:
    """Return the arguments of a constructor with their types.

    Args:
        cls: The class.
        skip: How many of the first are not the config's to give.

    Returns:
        Types by name; None if the constructor takes any name.
    """
    constructor = inspect.getattr_static(cls, "__init__")
    parameters = list(inspect.signature(constructor).parameters.values())[1 + skip :]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    try:
        types = get_type_hints(constructor)
    except NameError:  # a name that its module imports for type checkers alone
        types = {}
    return {parameter.name: types.get(parameter.name, Any) for parameter in parameters}


def given_by_caller(annotation: Annotation) -> int:
    """Return how many arguments the caller of a Callable gives: two for Callable[[int, int], Network]."""
    for part in (annotation, *get_args(annotation)):
        arguments = get_args(part)
        if arguments and isinstance(arguments[0], list):
            return len(arguments[0])
    return 0


def readable(annotation: Annotation) -> str:
    """Return a type as a user would say it, e.g. "int or null"."""
    if annotation in (NoneType, None):
        return "null"
    origin: Any = get_origin(annotation)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(annotation))
    parts = get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(readable(part) for part in parts)
    if inspect.isclass(annotation) and not parts:
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def nested_keys(valid: Mapping[str, Annotation], values: Mapping[str, Any]) -> Iterator[str]:
    """Return the dotted keys below those of a section: of its dataclasses, and of the classes that it names.

    Args:
        valid: Types of the section's keys; for a section without class_path, its keys' types.
        values: What the config holds for them, with the arguments of a class beside its class_path.
    """
    for key, annotation in valid.items():
        value = values.get(key)
        value = {"class_path": value} if isinstance(value, str) else value if isinstance(value, Mapping) else {}
        if isinstance(annotation, dict):
            inner: Mapping[str, Annotation] | None = annotation
        else:
            cls = class_of(value, annotation)
            inner = arguments_of(cls, skip=given_by_caller(annotation)) if cls else None
        if inner:
            yield from (f"{key}.{name}" for name in (*inner, *nested_keys(inner, value)))


def nearest_key(name: str, valid: Mapping[str, Annotation], values: Mapping[str, Any]) -> str:
    """Return the valid key that is most like another one, among a section's own keys and those below them.

    A key further down counts by its last part, and goes first only if that is more alike.

    Args:
        name: The unknown key, of one part.
        valid: See `nested_keys`.
        values: See `nested_keys`.
    """
    own = nearest(name, list(valid))
    deeper = {key.rpartition(".")[2]: key for key in reversed(list(nested_keys(valid, values)))}
    if not deeper or own.startswith(name):
        return own
    below = nearest(name, list(deeper))
    return deeper[below] if _likeness(name, below) > _likeness(name, own) else own


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, other, name).ratio()  # in the order of get_close_matches


def nearest(name: str, valid: list[str]) -> str:
    """Return the valid name that is most like another one."""
    return get_close_matches(name, valid, n=1, cutoff=0.0)[0]
