from fractions import Fraction

import av
import numpy as np

from datamodules.formats import video_packets
from datamodules.formats.video_packets import PacketDecoder


def encode(path, count=40, **options):
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"g": "12", **options}
        for index in range(count):
            noise = np.random.default_rng(index).integers(0, 255, (48, 64, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path, **options):
    decoder = PacketDecoder(path, **options)
    rows = [(row.stamp, None if row.picture is None else row.picture.to_ndarray(format="gray")) for row in decoder]
    decoder.close()
    return rows, decoder


def test_threads_lose_no_frame_and_change_none(tmp_path):
    path = encode(tmp_path / "a.mp4")
    (many, _), (one, _) = decoded(path), decoded(path, threads=False)
    assert [stamp for stamp, _ in many] == [512 * index for index in range(40)]
    for (stamp, image), (other, expected) in zip(many, one, strict=True):
        assert stamp == other
        np.testing.assert_array_equal(image, expected)


def test_f27_an_error_in_the_last_packet_takes_no_frame_with_it(tmp_path):
    path = encode(tmp_path / "a.mp4")
    whole, _ = decoded(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    rows, decoder = decoded(path)
    assert decoder.damaged
    assert [stamp for stamp, _ in rows] == [512 * index for index in range(len(rows))]
    assert [image is None for _, image in rows] == [False] * (len(rows) - 1) + [True]
    for (_, image), (_, expected) in zip(rows[:-1], whole, strict=False):
        np.testing.assert_array_equal(image, expected)


def test_f27_a_whole_file_is_not_damaged(tmp_path):
    rows, decoder = decoded(encode(tmp_path / "a.mp4"))
    assert len(rows) == 40
    assert not decoder.damaged
    assert decoder.messages == []


def empty_packet(path, index):
    """Overwrite a packet of the video by zeros but for the first four bytes, which tell its length."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][index]
    data = bytearray(path.read_bytes())
    data[packet.pos + 4 : packet.pos + packet.size] = bytes(packet.size - 4)
    path.write_bytes(data)


def test_f27_a_sound_file_is_decoded_once(tmp_path, monkeypatch):
    opened = []
    real = video_packets.open_container
    monkeypatch.setattr(video_packets, "open_container", lambda path: opened.append(path) or real(path))
    path = encode(tmp_path / "a.mp4")
    empty_packet(path, 39)
    rows, decoder = decoded(path)
    # x264 gives no error for such a packet: its rows are left over at the end
    assert not decoder.damaged
    assert len(rows) == 40
    assert rows[-1] == (512 * 39, None)
    assert len(opened) == 1


def empty_blocks(data, start, skip):
    """Overwrite what the blocks of a transport stream carry from a block on, but for their heads."""
    first = data[start + 1] & 0x1F, data[start + 2]
    for block in range(start, len(data), 188):
        if (data[block + 1] & 0x1F, data[block + 2]) == first:
            begin = block + (skip if block == start else 4)
            data[begin : block + 188] = bytes(block + 188 - begin)
    return data


def test_f27_left_over_stamps_are_told_apart_in_joined_recordings(tmp_path):
    path = encode(tmp_path / "a.ts", bf="0")
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    first, second = bytearray(path.read_bytes()), bytearray(path.read_bytes())
    middle = positions[20] + 188
    first[middle : middle + 188] = b"\x47" + bytes(187)  # a block is missing
    path.write_bytes(first + empty_blocks(second, positions[-1], 44))
    rows, decoder = decoded(path)
    stamps = [stamp for stamp, _ in rows]
    assert decoder.damaged
    assert rows[-1][1] is None  # what is left over, and whose stamp the first recording has too
    assert stamps.count(rows[-1][0]) == 2
    assert len(rows) <= 80
    assert stamps == [stamp for stamp, _ in decoded(path, threads=False)[0]]
