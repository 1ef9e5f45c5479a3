"""One progress line for each video: frames, frames per second, and the time left."""

from __future__ import annotations

import sys
from typing import NoReturn, Self

from tqdm import tqdm

_LAYOUT = "{desc} {percentage:3.0f}%|{bar:20}| {n_fmt} frames, {rate_fmt}, {elapsed} gone, {remaining} left"


class FrameProgress:
    """Show how far each video is."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def begin(self, name: str, frames: int | None) -> None:
        """Open the line of the next piece of work.

        Args:
            name: What it is.
            frames: How many there are, None where nobody knows.
        """
        self._close()
        # A terminal redraws its line; a file or a scheduler's log gets a new line each time, so fewer of them.
        seconds = 0.2 if sys.stderr.isatty() else 15.0
        self._bar = tqdm(total=frames, desc=name, bar_format=_LAYOUT, unit=" frames", mininterval=seconds)

    def update(self, frames: int) -> None:
        """Count further frames."""
        if self._bar is not None:
            self._bar.update(frames)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
