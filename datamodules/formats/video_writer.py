"""Writing a video whose frames keep the times of their source."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_TICKS_PER_S = 60_000  # whole ticks for the usual rates from 23.976 to 250 per s; MPEG-4 takes 65535 at most
_DEFAULT_FPS = 25.0
# Looking ahead by macroblock trees gives equal frames differing bytes; without it files are a fifth larger.
_SAME_BYTES = {"x264-params": "mbtree=0"}


class VideoWriter:
    """Write frames with their presentation times; the file appears whole when the block ends well.

    H.264 where the installed encoder has it, else MPEG-4. Both halve the resolution of colour, so an odd width or
    height is padded by one column or row at the right or at the bottom: coordinates stay as they are.

    Args:
        path: The video, usually .mp4; its folder exists.
        width: Of the frames in pixels.
        height: Of the frames in pixels.
        fps: Frames per second of the source: the step to the next frame where no time is given.
        quality: The constant rate factor of H.264: lower is better, 18 is hard to tell from the source.
        codec: "libx264" or "mpeg4", None for the better one that is there.

    Attributes:
        padding: Columns and rows that are added.
        frames: How many frames have been written.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: float | None = None,
        *,
        quality: int = 20,
        codec: Literal["libx264", "mpeg4"] | None = None,
    ) -> None:
        if width < 1 or height < 1 or (fps is not None and not fps > 0):
            raise ValueError(f"expected a size and a rate above 0, found {width} x {height} at {fps} per s")
        self.path = path
        self.padding = (width % 2, height % 2)
        self.frames = 0
        self._size = (width, height)
        self._fps = fps or _DEFAULT_FPS
        self._step = max(1, round(_TICKS_PER_S / self._fps))
        self._quality, self._codec = quality, codec
        self._ticks = -1
        self._open = ExitStack()

    def __enter__(self) -> Self:
        import av

        with ExitStack() as opening:
            temporary = opening.enter_context(atomic_path(self.path))
            self._container: OutputContainer = opening.enter_context(av.open(f"file:{temporary}", "w"))
            self._stream = self._add_stream()
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._open:
            if error is not None:
                raise error
            self._finish()

    def write(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Append a frame.

        Args:
            image: RGB [height, width, 3].
            time_s: When it is shown, in s from the start of the video. Without one, or with one that is not after
                the frame before, it is shown one step of `fps` after that.

        Raises:
            ValueError: If the image has another size.
        """
        import av

        width, height = self._size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected uint8 frames [{height}, {width}, 3], found {image.dtype} {list(image.shape)}")
        if any(self.padding):
            image = np.pad(image, ((0, self.padding[1]), (0, self.padding[0]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = self._next_ticks(time_s), Fraction(1, _TICKS_PER_S)
        frame.duration = self._step
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def _next_ticks(self, time_s: float | None) -> int:
        ticks = -1 if time_s is None else round(time_s * _TICKS_PER_S)
        if ticks <= self._ticks:
            ticks = self._ticks + self._step if self._ticks >= 0 else 0
        self._ticks = ticks
        return ticks

    def _add_stream(self) -> VideoStream:
        import av

        codec: Literal["libx264", "mpeg4"] = self._codec or ("libx264" if "libx264" in av.codecs_available else "mpeg4")
        rate = Fraction(self._fps).limit_denominator(1001)
        stream = self._container.add_stream(codec, rate=rate)
        stream.width, stream.height = self._size[0] + self.padding[0], self._size[1] + self.padding[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        if codec == "libx264":
            # frames that refer ahead would make the duration of a variable frame rate come out wrong
            stream.options = {"crf": str(self._quality), "preset": "veryfast", "bf": "0", **_SAME_BYTES}
        else:
            stream.options = {"qscale": "4"}
        return stream

    def _finish(self) -> None:
        """Write what the encoder still holds."""
        if not self.frames:
            raise ValueError(f"{self.path}: expected at least one frame to write, found none")
        self._container.mux(self._stream.encode(None))
