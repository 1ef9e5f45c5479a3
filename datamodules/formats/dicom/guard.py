"""A decoder that may crash on a damaged stream, kept in a process of its own."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.dicom.headers import DAMAGED
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from datamodules.formats.dicom.decoders import FrameFormat

REQUEST = "<40s6I"  # transfer syntax, rows, columns, bits allocated, bits stored, signed, bytes that follow
SECONDS_PER_FRAME = 60.0
_CHILD = Path(__file__).with_name("gdcm_child.py")


class Guard:
    """Decode JPEG lossless frames by GDCM in a child process, which starts when first needed and ends with the context.

    GDCM's copy of libjpeg writes past its buffers on damaged streams: in the child that costs one series and not
    the run, and no memory of ours.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()

    def decode(self, path: Path, frame: bytes, form: FrameFormat) -> NDArray[Any]:
        """Decode one frame to integers [rows, columns].

        Args:
            path: The file, for messages.
            frame: The encoded frame.
            form: What its header says of it.

        Raises:
            DataError: The decoder refused the frame, crashed on it or did not come to an end.
        """
        request = struct.pack(
            REQUEST,
            form.syntax.encode("ascii"),
            form.rows,
            form.columns,
            form.bits_allocated,
            form.bits_stored,
            form.is_signed,
            len(frame),
        )
        size = form.rows * form.columns * form.bits_allocated // 8
        with self._one_at_a_time:
            data = self._ask(request + frame, size)
        if len(data) != size:
            found = f"{len(data)} bytes of {size} from the decoder"
            raise DataError(path, f"an undamaged stream of {form.syntax.name}", found, DAMAGED)
        kind = np.dtype(f"<{'i' if form.is_signed else 'u'}{form.bits_allocated // 8}")
        return np.frombuffer(data, dtype=kind).reshape(form.rows, form.columns)

    def _ask(self, request: bytes, size: int) -> bytes:
        """Send a request and return the answer; what is there of it when the child dies or is too slow."""
        if self._child is None:
            # by path and isolated: the child needs gdcm alone, and nothing of this package
            command = [sys.executable, "-I", str(_CHILD)]
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        timer = threading.Timer(SECONDS_PER_FRAME, self._child.kill)
        timer.start()
        try:
            _pipe(self._child.stdin).write(request)
            _pipe(self._child.stdin).flush()
            (answered,) = struct.unpack("<Q", _pipe(self._child.stdout).read(8).ljust(8, b"\0"))
            return _pipe(self._child.stdout).read(size) if answered == size else b""
        except BrokenPipeError:
            return b""
        finally:
            timer.cancel()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe that was asked for when the child was started."""
    if stream is None:
        raise RuntimeError("the child was started without pipes")
    return stream
