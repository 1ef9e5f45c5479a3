"""Small real videos, whole and damaged."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from datamodules.formats.video import open_video


def picture(index, width, height):
    """Grey that names the frame, with a white upper left corner and, at its right, something that costs bytes."""
    image = np.full((height, width, 3), 20 + 6 * (index % 30), np.uint8)
    image[: height // 3, : width // 3] = 255
    noise = np.random.default_rng(index).integers(20, 60, (height // 3, width // 3, 1))
    image[: height // 3, -(width // 3) :] = noise
    return image


def encode(
    path,
    stamps=range(12),
    *,
    codec="libx264",
    size=(64, 48),
    pix_fmt="yuv420p",
    rotation=0,
    sound=False,
    faststart=False,
    **options,
):
    """Write frames at stamps in 25ths of a second."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.options = {"g": "6", **({"qmin": "1", "qmax": "2"} if codec == "mpeg4" else {}), **options}
        stream.codec_context.time_base = Fraction(1, 25)
        if rotation:
            stream.set_display_rotation(rotation)
        track = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), "rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            encode_silence(container, track)
    return path


def encode_silence(container, track):
    for index in range(40):
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 48000, index * 1024
        container.mux(track.encode(samples))
    container.mux(track.encode(None))


def read(path):
    with open_video(path) as video:
        return video, list(video)


def shown(frames):
    """The indices that the frames' pictures name."""
    return [round((float(frame.image[-12:, -12:].mean()) - 20) / 6) for frame in frames]


def blank(path, start, stop):
    """Overwrite a part of a file, from and to a fraction of its length."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * start), int(len(data) * stop)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


def trim(path, source, frames):
    """Copy the packets so that the first frames are hidden by an edit list."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as container:
        stream = whole.streams.video[0]
        copy = container.add_stream_from_template(stream)
        shift = int(frames / 25 / stream.time_base)
        for packet in whole.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                container.mux(packet)
    return path


@pytest.fixture(scope="session")
def clips():
    """Return the functions of this file: test files cannot import each other."""
    return SimpleNamespace(
        picture=picture, encode=encode, encode_silence=encode_silence, read=read, shown=shown, blank=blank, trim=trim
    )
