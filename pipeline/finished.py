"""What a finished training says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finished:
    """The outcome of a training, for its summary and for MLflow.

    Args:
        headline: The score that counts, over what, in one line without a stop.
        lines: More lines of the summary, each a name and what it says.
        metrics: All scores, by name.
    """

    headline: str
    lines: list[tuple[str, str]]
    metrics: dict[str, float]
