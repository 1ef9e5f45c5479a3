"""A video's packets, decoded in order, with an account of those that give no picture."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Names of FFmpeg. Playlists are left out, as they open other files, and so is text, which a demuxer draws as video.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,vvc,obu,av1,ivf,m4v,mjpeg,gif,apng,"
    "flv,asf,ogg,mxf,nut,yuv4mpegpipe,dv,h263,vc1,wtv,rm,swf,amv,gxf,live_flv,cavsvideo,dirac"
)
_REMEDY = "export the video again, as MP4 with H.264 for example; an MP4 whose recording was cut off has lost its index"


class Decoded(NamedTuple):
    """What a packet came to: its presentation stamp in units of the stream, and its picture if there is one."""

    stamp: int | None
    picture: VideoFrame | None


def open_container(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and find its video.

    Raises:
        DataError: It is no video.
    """
    import av

    expected = "a video"
    if not path.is_file() or not path.stat().st_size:
        found = "an empty file" if path.is_file() else "no file"
        raise DataError(path, expected, found, "fetch the file again")
    try:
        # Named as a file, for a name may look like a protocol's; tags in another encoding are no reason to fail.
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        container = av.open(f"file:{path}", metadata_errors="replace", options=options)
    except av.FFmpegError as error:
        raise DataError(path, expected, str(error.strerror), _REMEDY) from error
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams or streams[0].codec_context is None:
        found = f"{container.format.name} with {len(container.streams.audio)} sound tracks and no picture"
        container.close()
        raise DataError(path, expected, found, _REMEDY)
    return container, streams[0]


class _Pending:
    """Stamps of packets whose pictures have not come yet, in the order of presentation.

    Where the stamps start anew, as in recordings that were joined, a new run of them begins.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int]] = []  # run and stamp
        self._run = 0
        self._latest: int | None = None

    def add(self, packet: Packet, stamp: int) -> None:
        if packet.dts is not None:
            self._run += self._latest is not None and packet.dts < self._latest
            self._latest = packet.dts
        bisect.insort(self._waiting, (self._run, stamp))

    def __contains__(self, stamp: int) -> bool:
        return any(waiting[1] == stamp for waiting in self._waiting)

    def first(self) -> int | None:
        """Take out the earliest stamp."""
        return self._waiting.pop(0)[1] if self._waiting else None

    def until(self, stamp: int) -> list[int]:
        """Take out a picture's stamp and those before it; return the latter."""
        if not self._waiting:
            return []
        place = next((i for i, waiting in enumerate(self._waiting) if waiting[1] == stamp), None)
        if place is None:
            place = bisect.bisect_left(self._waiting, (self._waiting[0][0], stamp))
            passed, self._waiting = self._waiting[:place], self._waiting[place:]
        else:
            passed, self._waiting = self._waiting[:place], self._waiting[place + 1 :]
        return [waiting[1] for waiting in passed if waiting[1] != stamp]

    def rest(self) -> list[int]:
        """Return what is left."""
        return [stamp for _, stamp in self._waiting]


class PacketDecoder:
    """Decode a file's video to its end, giving each packet's picture in the order of presentation.

    A packet without a picture counts as unreadable once the file has shown damage; in a sound file such packets are
    those that a codec keeps for itself.

    Args:
        path: The video.
        threads: Let the codec use several threads.

    Attributes:
        container: The open file.
        stream: Its video.
        messages: Why reading ended early, if it did.
        damaged: Whether anything was found that does not decode.
    """

    def __init__(self, path: Path, *, threads: bool = True) -> None:
        self.path = path
        self.container, self.stream = open_container(path)
        self.stream.thread_type = "AUTO" if threads else "NONE"
        self._threads = threads
        self.messages: list[str] = []
        self.damaged = False
        # AVI keeps frames in the order of decoding with no presentation stamps: the stamps are sorted anew
        self._sorts = self.container.format.name == "avi"
        self._pending = _Pending()
        self._given_up: set[int] = set()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __iter__(self) -> Iterator[Decoded]:
        for packet in self._packets():
            stamp = packet.dts if self._sorts and packet.pts is None else packet.pts
            if stamp is not None and not packet.is_discard:
                self._pending.add(packet, stamp)
            self.damaged |= packet.is_corrupt
            yield from self._decode(packet)
        yield from self._decode(None)
        yield from self._tail()

    def _packets(self) -> Iterator[Packet]:
        import av

        try:
            for packet in self.container.demux(self.stream):
                if packet.size:  # an empty one would end decoding
                    yield packet
        except av.FFmpegError as error:
            self.damaged = True
            self.messages.append(f"reading stopped before the file's end: {error.strerror}")

    def _decode(self, packet: Packet | None) -> Iterator[Decoded]:
        import av

        codec = self.stream.codec_context
        try:
            pictures = codec.decode(packet)
        except EOFError:
            return
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            self.damaged = True
            if packet is not None and (packet.pts is None or self._sorts):
                yield Decoded(self._pending.first() if self._sorts else None, None)
            return
        for picture in pictures:
            yield from self._settle(picture)

    def _settle(self, picture: VideoFrame) -> Iterator[Decoded]:
        """Give a picture its stamp, after the packets before it that came to nothing."""
        self.damaged |= picture.is_corrupt
        if self._sorts:
            stamp = self._pending.first()
            if stamp is not None:  # else an error has had the row of this packet
                yield Decoded(stamp, picture)
            return
        if picture.pts in self._given_up and picture.pts not in self._pending:
            return  # damage can bring a picture out after later ones: its row is there already
        passed = [] if picture.pts is None else self._pending.until(picture.pts)
        if self.damaged:
            self._given_up.update(passed)
            yield from (Decoded(stamp, None) for stamp in passed)
        yield Decoded(picture.pts, picture)

    def _tail(self) -> Iterator[Decoded]:
        """Give what is left at the end, decoded once more by one thread: an error while several drain ends them all."""
        unseen = self._pending.rest()
        if not self._threads:
            yield from (Decoded(stamp, None) for stamp in unseen if self.damaged)
            return
        if not unseen:
            return
        again, wanted = PacketDecoder(self.path, threads=False), set(unseen)
        again.damaged = self.damaged
        try:
            yield from (decoded for decoded in again if decoded.stamp in wanted)
        finally:
            self.damaged |= again.damaged
            again.close()
