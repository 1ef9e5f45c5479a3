"""A video's packets, decoded in order, with an account of those that give no picture."""

from __future__ import annotations

import heapq
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
        container.close()
        found = f"{container.format.name} with {len(container.streams.audio)} sound tracks and no picture"
        raise DataError(path, expected, found, _REMEDY)
    streams[0].thread_type = "AUTO"
    return container, streams[0]


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
        messages: What damage was met.
    """

    def __init__(self, path: Path, *, threads: bool = True) -> None:
        self.path = path
        self.container, self.stream = open_container(path)
        if not threads:
            self.stream.thread_type = "NONE"
        self.messages: list[str] = []
        self.damaged = False
        # AVI keeps frames in the order of decoding with no presentation stamps: the stamps are sorted anew
        self._sorts = self.container.format.name == "avi"
        self._pending: list[int] = []

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __iter__(self) -> Iterator[Decoded]:
        for packet in self._packets():
            stamp = packet.dts if self._sorts and packet.pts is None else packet.pts
            if stamp is not None and not packet.is_discard:
                heapq.heappush(self._pending, stamp)
            self.damaged |= packet.is_corrupt
            yield from self._decode(packet)
        yield from self._decode(None)
        if self._pending and self.damaged:
            yield from self._tail()

    def unseen(self) -> list[int]:
        """Return the stamps of packets that have come to nothing so far."""
        return sorted(self._pending)

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
                yield Decoded(heapq.heappop(self._pending) if self._pending else None, None)
            return
        for picture in pictures:
            yield from self._settle(picture)

    def _settle(self, picture: VideoFrame) -> Iterator[Decoded]:
        """Give a picture its stamp, after the packets before it that came to nothing."""
        if self._sorts:
            yield Decoded(heapq.heappop(self._pending) if self._pending else picture.pts, picture)
            return
        self.damaged |= picture.is_corrupt
        while self._pending and picture.pts is not None and self._pending[0] <= picture.pts:
            stamp = heapq.heappop(self._pending)
            if stamp < picture.pts and self.damaged:
                yield Decoded(stamp, None)
        yield Decoded(picture.pts, picture)

    def _tail(self) -> Iterator[Decoded]:
        """Decode once more by one thread what several have lost: an error while they drain ends them all."""
        unseen = set(self._pending)
        if self.stream.thread_type == av_none():
            yield from (Decoded(stamp, None) for stamp in sorted(unseen))
            return
        again = PacketDecoder(self.path, threads=False)
        try:
            yield from (decoded for decoded in again if decoded.stamp in unseen)
        finally:
            again.close()
