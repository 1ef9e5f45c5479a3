"""Lists, tuples and text out of a pickle, without unpickling: no code of the file is looked up or run."""

from __future__ import annotations

import pickletools
from typing import Any

_PLAIN = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "INT", "BININT", "BININT1", "BININT2", "STRING", "BINSTRING"}
_PLAIN |= {"SHORT_BINSTRING", "LONG1", "LONG"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class PickledTextError(ValueError):
    """Refuse a pickle that holds more than lists and tuples of text and whole numbers."""


def parse_text(pickled: bytes) -> object:
    """Return the lists, tuples, text and whole numbers that a pickle spells out.

    Opcodes are read one by one; one that names a class, calls something, or is simply not needed is refused.

    Raises:
        PickledTextError: If there is such an opcode, or the pickle is malformed.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "STOP":
                (result,) = stack
                return result
            _step(opcode.name, argument, stack, memo)
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise PickledTextError(str(error)) from error
    raise PickledTextError("a pickle without an end")


def _step(name: str, argument: object, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in _PLAIN:
        stack.append(argument)
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name in ("LIST", "TUPLE"):
        items = _to_mark(stack)
        stack.append(items if name == "LIST" else tuple(items))
    elif name in _TUPLES:
        items = [stack.pop() for _ in range(_TUPLES[name])]
        stack.append(tuple(items[::-1]))
    elif name in ("APPEND", "APPENDS"):
        items = _to_mark(stack) if name == "APPENDS" else [stack.pop()]
        stack[-1].extend(items)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if argument is None else int(str(argument))] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[int(str(argument))])
    elif name not in ("PROTO", "FRAME"):
        raise PickledTextError(f"the pickle opcode {name}")


def _to_mark(stack: list[Any]) -> list[Any]:
    items = []
    while stack[-1] is not _MARK:
        items.append(stack.pop())
    stack.pop()
    return items[::-1]
