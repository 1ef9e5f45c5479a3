"""What a heatmap's score is worth: the probability that a joint is where it was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["isotonic", "temperature", "none"]


@dataclass(frozen=True)
class Calibration:
    """A rising map from the score of a joint to the probability that it is right.

    Between its points it is straight, beyond them constant. Below the lowest score that was seen it falls to 0 at
    score 0, as a heatmap that is empty shows no joint. A score that is not finite has probability 0.

    Args:
        kind: How the map was fitted.
        points: Scores, rising, and their probabilities, never falling.
        note: In words, what it rests on, and why it is not of the kind that was asked for.

    Raises:
        ValueError: If the points are no rising map into 0 to 1.
    """

    kind: Kind = "none"
    points: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))
    note: str = "not calibrated: the score itself"

    def __post_init__(self) -> None:
        if self.kind not in ("isotonic", "temperature", "none"):
            raise ValueError(f"calibration: expected isotonic, temperature or none, found {self.kind!r}")
        table = np.asarray(self.points, np.float64)
        if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2 or not np.isfinite(table).all():
            raise ValueError(f"calibration: expected two or more points of finite numbers, found {self.points}")
        rising = (np.diff(table[:, 0]) > 0).all() and (np.diff(table[:, 1]) >= 0).all()
        if not rising or table[0, 1] < 0 or table[-1, 1] > 1:
            raise ValueError(f"calibration: expected rising scores with probabilities in 0 to 1, found {self.points}")

    @overload
    def apply(self, scores: NDArray[np.floating]) -> NDArray[np.float64]: ...
    @overload
    def apply(self, scores: Tensor) -> Tensor: ...
    def apply(self, scores: NDArray[np.floating] | Tensor) -> NDArray[np.float64] | Tensor:
        """Return the probabilities of scores of any shape, in float32 on their device, or in float64 for NumPy."""
        if not isinstance(scores, np.ndarray):
            return self._apply_tensor(scores)
        x, y = np.asarray(self.points, np.float64).T
        return np.where(np.isfinite(scores), np.interp(scores.astype(np.float64), x, y), 0.0)

    def _apply_tensor(self, scores: Tensor) -> Tensor:
        import torch

        x, y = torch.tensor(self.points, dtype=torch.float32, device=scores.device).T.contiguous()
        finite = torch.isfinite(scores)
        # Scores of half precision are spaced wider than the points.
        inside = torch.where(finite, scores.float(), x[0]).clamp(x[0], x[-1])
        upper = torch.searchsorted(x, inside.contiguous()).clamp(1, len(x) - 1)
        share = ((inside - x[upper - 1]) / (x[upper] - x[upper - 1])).clamp(0, 1)
        return torch.where(finite, torch.lerp(y[upper - 1], y[upper], share), torch.zeros_like(share))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {**asdict(self), "points": [list(point) for point in self.points]}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Calibration:
        """Rebuild from `to_dict`, or from its JSON.

        Raises:
            ValueError: If it describes no calibration.
        """
        try:
            points = tuple((float(score), float(probability)) for score, probability in description["points"])
            return cls(description["kind"], points, str(description["note"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"calibration: expected kind, points and note, found {description}") from error
