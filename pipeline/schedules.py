"""Learning-rate schedules: multipliers as pure functions of the fraction of the training that is done."""

from __future__ import annotations

import math


def warmup_cosine(fraction: float, warmup: float = 0.05, initial: float = 0.01, final: float = 0.0) -> float:
    """Return a multiplier that rises linearly to 1 and then falls along half a cosine.

    Args:
        fraction: Share of the training that is done, by steps or by time; clamped to [0, 1].
        warmup: Share of the training in which the multiplier rises.
        initial: Multiplier at the start; above 0, so that the first step is not wasted.
        final: Multiplier at the end.

    Raises:
        ValueError: If `warmup` is not in [0, 1).

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, for the cosine.
    """
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"warmup: expected a share of the training in [0, 1), found {warmup}")
    fraction = _clamped(fraction)
    if fraction < warmup:
        return initial + (1.0 - initial) * fraction / warmup
    progress = (fraction - warmup) / (1.0 - warmup)
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def polynomial(fraction: float, power: float = 0.9) -> float:
    """Return the multiplier (1 - fraction) ** power.

    Args:
        fraction: Share of the training that is done, by steps or by time; clamped to [0, 1].
        power: Exponent; 0.9 is nnU-Net's.

    Raises:
        ValueError: If `power` is not positive.
    """
    if power <= 0.0:
        raise ValueError(f"power: expected a positive exponent, found {power}")
    return float((1.0 - _clamped(fraction)) ** power)


def _clamped(fraction: float) -> float:
    """Clamp to [0, 1]: a time budget is overrun by part of a step."""
    if math.isnan(fraction):
        raise ValueError("fraction: expected a share of the training in [0, 1], found NaN")
    return min(max(fraction, 0.0), 1.0)
