"""What makes a training look sick, in words; each detector is fed numbers alone and knows no network."""

import math
import statistics
from collections import deque
from collections.abc import Mapping

from pipeline.health.probe import LayerFigures, Sample

# Healthy U-Nets stay within a factor of 100 between the first third of their layers and the largest of the last.
_FADED = 1e-4
_NOTHING = 1e-8  # gradient norm of a layer that learns nothing in float32
_HUGE_GRADIENT = 100.0  # in norms of the weights
_HUGE_ACTIVATION = 1e4  # float16 ends at 65504
_HUGE_UPDATE = 0.5  # of the weights in one step
_CONSTANT = 1e-3  # deviation of logits that moves no probability
_WINDOW, _FEWEST = 100, 20  # steps that a running median looks back on, and needs


class Alarm:
    """Tell when something starts to be wrong: once, until it has passed and comes again.

    Args:
        patience: Checks in a row that must find it wrong.
        quiet: Checks in a row that must find it right before the alarm may ring again.
    """

    def __init__(self, patience: int, quiet: int) -> None:
        self._patience, self._quiet = patience, quiet
        self._wrong = self._right = 0
        self._rung = False

    def rings(self, wrong: bool) -> bool:
        """Take over a check and return whether it is to be reported."""
        self._wrong = self._wrong + 1 if wrong else 0
        self._right = 0 if wrong else self._right + 1
        if self._right >= self._quiet:
            self._rung = False
        if self._rung or self._wrong < self._patience:
            return False
        self._rung = True
        return True


def vanishing(layers: Mapping[str, LayerFigures]) -> str:
    """Return in words whether the gradient is lost on its way to the first layers, else an empty string.

    It is the median of the first third that counts: single layers may well be near zero, as a branch that starts at
    zero is, or a layer whose scale a norm takes out again.

    Args:
        layers: Figures by layer, in the order of the forward pass.
    """
    norms = {name: figures.gradient_norm for name, figures in layers.items() if math.isfinite(figures.gradient_norm)}
    third = max(len(norms) // 3, 1)
    if not norms:
        return ""
    names, values = list(norms), list(norms.values())
    if max(values) < _NOTHING:
        return (
            f"gradients vanish: the largest gradient norm of all layers is {max(values):.1e}, at {_largest(norms)}. "
            "Nothing is learned. Look for a layer that multiplies by 0, or for outputs that saturate"
        )
    early, late = statistics.median(values[:third]), max(values[-third:])
    if len(norms) < 3 or early >= _FADED * late:
        return ""
    return (
        f"gradients vanish: their norm is {early:.1e} in the first layers ({names[0]} to {names[third - 1]}) and up to "
        f"{late:.1e} in the last ({names[-third]} to {names[-1]}). Try a norm, residual units, He initialisation, or "
        "ReLU in place of sigmoid and tanh"
    )


def too_large(sample: Sample) -> str:
    """Return in words whether activations, gradients or updates are beyond what any training bears."""
    layers = sample.layers
    activations = {n: f.activation for n, f in layers.items() if not math.isnan(f.activation)}
    gradients = {n: f.gradient_norm for n, f in layers.items() if not math.isnan(f.gradient_norm)}
    updates = {n: f.update_ratio for n, f in layers.items() if not math.isnan(f.update_ratio)}
    found = []
    if activations and max(activations.values()) > _HUGE_ACTIVATION:
        name = _largest(activations)
        found.append(f"the output of {name} has a scale of {activations[name]:.1e} (RMS)")
    norm = math.hypot(*gradients.values())
    if norm > _HUGE_GRADIENT * sample.weight_norm > 0:
        name = _largest(gradients)
        found.append(
            f"the gradient's norm of {norm:.1e} is {norm / sample.weight_norm:.0f} times that of the weights, "
            f"most of it in {name} ({gradients[name]:.1e})"
        )
    if updates and (middle := statistics.median(updates.values())) > _HUGE_UPDATE:
        name = _largest(updates)
        found.append(
            f"a step changes the weights by {middle:.2g} times their norm (median of the layers; "
            f"{name} by {updates[name]:.2g})"
        )
    if not found:
        return ""
    return f"numbers explode: {'; '.join(found)}. Try a lower model.learning_rate, a norm, or smaller initial weights"


def collapsed(sample: Sample) -> str:
    """Return in words whether the network answers the same everywhere, else an empty string.

    It is the spread of the logits that counts: an early segmentation that calls every voxel background has logits
    that vary all the same.
    """
    if not sample.output_spread < _CONSTANT * max(1.0, sample.output_size):  # NaN is no collapse either
        return ""
    return (
        f"the output collapses to a constant: over voxels and samples it varies by {sample.output_spread:.1e} about "
        f"values of up to {sample.output_size:.1e}. Look at the images' intensities and the labels, lower "
        "model.learning_rate, or begin with other weights"
    )


class Explosion:
    """Compare the norm of the whole gradient with its running median."""

    def __init__(self, factor: float = 100.0) -> None:
        self._factor = factor
        self._norms: deque[float] = deque(maxlen=_WINDOW)

    def check(self, norm: float) -> str:
        """Return in words whether the norm has exploded, else an empty string."""
        usual = statistics.median(self._norms) if len(self._norms) >= _FEWEST else math.inf
        self._norms.append(norm)
        if norm <= self._factor * usual or norm <= _NOTHING:
            return ""
        return (
            f"gradients explode: their norm is {norm:.1e}, {norm / max(usual, 1e-30):.0f} times its running median of "
            f"{usual:.1e}. Try trainer.gradient_clip_val, or a lower model.learning_rate"
        )


class LossSpike:
    """Compare the loss with its running median, in units of its usual spread.

    A single hard batch is no spike: the loss must stay high for some steps, or be far beyond all before.
    """

    def __init__(self, spreads: float = 6.0, steps: int = 3) -> None:
        self._spreads, self._steps = spreads, steps
        self._losses: deque[float] = deque(maxlen=_WINDOW)
        self._high = 0
        self.suspicious = False  # whether the last loss was high, if only once

    def check(self, loss: float) -> str:
        """Return in words whether the loss has spiked, else an empty string."""
        if len(self._losses) < _FEWEST:
            self._losses.append(loss)
            return ""
        usual = statistics.median(self._losses)
        # 1.4826 turns the median deviation of a normal distribution into its standard deviation.
        spread = 1.4826 * statistics.median(abs(value - usual) for value in self._losses)
        height = loss - usual - 0.5 * abs(usual)
        self.suspicious = height > self._spreads * spread
        self._high = self._high + 1 if self.suspicious else 0
        # Cut, so that a loss that jumps does not come to be the usual one before long.
        self._losses.append(min(loss, usual + 0.5 * abs(usual) + self._spreads * spread))
        if self._high < self._steps and height <= max(5 * self._spreads * spread, 10 * abs(usual)):
            return ""
        return (
            f"the loss spikes: it is {loss:.3g} after a running median of {usual:.3g} with a spread of {spread:.2g}. "
            "Try a lower model.learning_rate, a longer model.warmup or trainer.gradient_clip_val, and look at the "
            "images of these steps"
        )


def _largest(figures: Mapping[str, float]) -> str:
    return max(figures, key=lambda name: figures[name])
