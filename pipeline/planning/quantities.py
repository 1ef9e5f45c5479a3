"""Amounts of memory and lengths of time as a user writes them, and as a reader likes them."""

from __future__ import annotations

import math
import re
from datetime import timedelta

_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[dhms])")


def parse_bytes(text: str) -> int:
    """Return the bytes of a text such as `8GiB`, `500 MB` or `1.5G`.

    Raises:
        ValueError: If it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    if not match or match[2].lower() not in _BYTES or float(match[1]) <= 0:
        raise ValueError(f"expected an amount of memory such as 8GiB or 500MB, found {text!r}")
    return int(float(match[1]) * _BYTES[match[2].lower()])


def parse_seconds(text: str) -> float:
    """Return the seconds of a text such as `1h`, `1h30m`, `90s`, `2d`, or days:hours:minutes:seconds as in a config.

    Raises:
        ValueError: If it is none, or no time at all.
    """
    cleaned = text.strip().lower()
    if re.fullmatch(r"\d+(:\d{1,2}){3}", cleaned):
        days, hours, minutes, seconds = (int(part) for part in cleaned.split(":"))
        total = float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
    else:
        parts = _PART.findall(cleaned)
        whole = re.fullmatch(rf"(?:{_PART.pattern}\s*)+", cleaned) is not None
        total = sum(float(number) * _SECONDS[unit] for number, unit in parts) if whole else 0.0
    if total < 1:
        raise ValueError(f"expected a length of time such as 1h, 45m, 1h30m or 00:01:00:00, found {text!r}")
    return total


def max_time(seconds: float) -> str:
    """Return a length of time as `trainer.max_time` has it, days:hours:minutes:seconds."""
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    return f"{days:02d}:{hours:02d}:{minutes:02d}:{left:02d}"


def round_up_time(seconds: float) -> float:
    """Return a length of time that reads well and is not shorter: whole minutes, from half an hour on five of them."""
    step = 60 if seconds < 1800 else 300 if seconds < 4 * 3600 else 3600
    return float(math.ceil(seconds / step) * step)


def gib(count: float) -> str:
    """Return bytes as GiB, or as MiB where that reads better."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """Return a length of time as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


def size_text(values: tuple[float, ...] | list[float] | list[int] | tuple[int, ...]) -> str:
    """Return the extents of a grid or its spacings as `40 x 56 x 40`."""
    return " x ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values)
