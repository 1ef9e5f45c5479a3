"""A video's packets, decoded in order, with an account of those that give no picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from datamodules.formats.errors import DataError
from datamodules.formats.video_holes import MatroskaHoles
from datamodules.formats.video_stamps import AviOrder, Place, Presentation

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


_HIDING = ("vp", "libvpx", "av1", "libdav1d", "libaom")  # codecs with packets that are not to be shown
_SHOWING = ("h264", "hevc", "vvc", "mpeg4", "mjpeg")  # codecs whose every packet is, in files where that is the use
_REPEAT_BYTES = 16  # a packet of MPEG-4 that says no more than that nothing has changed


class Decoded(NamedTuple):
    """What a packet came to: its presentation stamp in units of the stream, and its picture if there is one.

    The run counts how often the stamps have started anew.
    """

    stamp: int | None
    picture: VideoFrame | None
    run: int = 0


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


def _demux(container: InputContainer, stream: VideoStream | None) -> Iterator[Packet]:
    """Read the packets of one stream or of all, without the empty ones, which would end decoding."""
    packets = container.demux(stream) if stream is not None else container.demux()
    return (packet for packet in packets if packet.size)


class PacketDecoder:
    """Decode a file's video to its end, giving each packet's picture in the order of presentation.

    A packet without a picture counts as unreadable once the file has shown damage. In a sound MP4, Matroska or AVI
    file it does too, but for codecs that keep packets for themselves; elsewhere it gets no row.

    Args:
        path: The video.
        threads: Let the codec use several threads.

    Attributes:
        container: The open file.
        stream: Its video.
        messages: Why frames are missing from the rows, at the end or within, if any are.
        notes: What else was met.
        damaged: Whether anything was found that does not decode.
        packets: How many packets were read, those that are not to be shown among them.
        holes: In Matroska: what is lost between packets.
        order: In AVI: how its packets are numbered.
    """

    def __init__(self, path: Path, *, threads: bool = True) -> None:
        self.path = path
        self.container, self.stream = open_container(path)
        self.stream.thread_type = "AUTO" if threads else "NONE"
        self._threads = threads
        self.messages: list[str] = []
        self.notes: list[str] = []
        self.damaged = False
        self.packets = 0
        name = self.container.format.name
        self.order = self._number() if name == "avi" else None
        self.holes = MatroskaHoles(self.stream) if name.startswith("matroska") else None
        codec = self.stream.codec_context.name
        self._all_show = name.startswith("mov") and not codec.startswith(_HIDING)
        self._all_show |= name.startswith(("matroska", "avi")) and codec in _SHOWING
        self._repeats: set[int] = set()
        self._pending = Presentation()
        self._given_up: set[int] = set()

    def _number(self) -> AviOrder:
        """Return the order of AVI; an index that is short of the header's count must know all packets to be used."""
        order = AviOrder(self.stream)
        if not order.covers(self.stream.frames):
            container, stream = open_container(self.path)
            with container:
                if not all(order.knows(packet.pos) for packet in _demux(container, stream)):
                    order.distrust()
        return order

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __iter__(self) -> Iterator[Decoded]:
        for packet in self._packets():
            self.damaged |= packet.is_corrupt
            if self._await(packet):
                yield from self._decode(packet)
        if self.order is not None:
            self.order.lose()
            self.damaged |= self.order.lost > 0
            if self.order.foreign:
                self.notes.append(f"{self.order.foreign} pieces that the index does not know were left out")
        yield from self._decode(None)
        yield from self._tail()
        if self.holes is not None:
            self.messages += self.holes.messages

    def _packets(self) -> Iterator[Packet]:
        """Read the video's packets; in Matroska, look for holes between those of all streams."""
        import av

        try:
            for packet in _demux(self.container, None if self.holes else self.stream):
                if self.holes:
                    lost = self.holes.lost(packet)
                    self._pending.lose(lost)
                    self.damaged |= bool(lost or self.holes.missing)
                if packet.stream_index == self.stream.index:
                    yield packet
        except av.FFmpegError as error:
            self.damaged = True
            self.messages.append(f"reading stopped before the file's end: {error.strerror}")

    def _await(self, packet: Packet) -> bool:
        """Put a packet's stamp in line; return whether the packet is to be decoded."""
        self.packets += 1
        if self.order is not None:
            known = self.order.add(packet)
            self.damaged |= self.order.lost > 0 or not known
            self._note_repeat(packet)
            return known
        self._note_repeat(packet)
        if packet.pts is not None and not packet.is_discard:
            self._pending.add(packet, packet.pts, self.holes.near if self.holes else 0.0)
        return True

    def _note_repeat(self, packet: Packet) -> None:
        if packet.pts is not None and packet.size <= _REPEAT_BYTES and self.stream.codec_context.name == "mpeg4":
            self._repeats.add(packet.pts)

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
            if packet is not None and packet.pts is None and self.order is None:
                yield Decoded(None, None)
            return
        for picture in pictures:
            yield from self._settle(picture)

    def _settle(self, picture: VideoFrame) -> Iterator[Decoded]:
        """Give a picture its stamp, after the packets before it that came to nothing."""
        self.damaged |= picture.is_corrupt
        if self.order is not None:
            yield from self._settle_numbered(self.order, picture)
            return
        if picture.pts is None:
            yield Decoded(None, picture)
            return
        if picture.pts in self._given_up and picture.pts not in self._pending:
            return  # damage can bring a picture out after later ones: its row is there already
        passed, own = self._pending.until(picture.pts)
        yield from self._give_up(passed)
        yield Decoded(own.stamp, picture, own.run)

    def _settle_numbered(self, order: AviOrder, picture: VideoFrame) -> Iterator[Decoded]:
        from av.video.frame import PictureType

        backwards = picture.pict_type in (PictureType.B, PictureType.BI)
        passed, own = order.settle(picture.pts, bidirectional=backwards)
        yield from self._give_up([Place(0, number) for number in passed])
        if own is not None:
            yield Decoded(own, picture)

    def _give_up(self, passed: list[Place]) -> Iterator[Decoded]:
        """Give rows without a picture."""
        passed = [place for place in passed if place.stamp not in self._repeats]
        if self.damaged or self._all_show:
            self._given_up.update(place.stamp for place in passed)
            yield from (Decoded(place.stamp, None, place.run) for place in passed)

    def _tail(self) -> Iterator[Decoded]:
        """Give what is left at the end, decoded once more by one thread: an error while several drain ends them all."""
        unseen = self._pending.rest() if self.order is None else [Place(0, number) for number in self.order.rest()]
        if not unseen or not self._threads or not self.damaged:
            yield from self._give_up(unseen)
            return
        again, wanted = PacketDecoder(self.path, threads=False), set(unseen)
        again.damaged = self.damaged
        try:
            for decoded in again:
                if decoded.stamp is not None and Place(decoded.run, decoded.stamp) in wanted:
                    yield decoded
        finally:
            again.close()
