from fractions import Fraction

import av
import numpy as np
import pytest

from datamodules.formats.video_packets import PacketDecoder


def encode(path, count=40):
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"g": "12"}
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


def pending(*packets):
    waiting = _Pending()
    for dts, pts in packets:
        packet = av.Packet()
        packet.dts = dts
        waiting.add(packet, pts)
    return waiting


@pytest.mark.parametrize(
    ("packets", "stamp", "passed", "rest"),
    [
        ([], 3, [], []),
        ([(0, 0), (1, 2), (2, 1)], 0, [], [1, 2]),
        ([(0, 0), (1, 2), (2, 1)], 2, [0, 1], []),
        ([(0, 5), (1, 5), (2, 6)], 5, [], [5, 6]),
        ([(0, 5), (1, 6), (0, 1), (1, 2)], 6, [5], [1, 2]),
        ([(0, 5), (1, 6), (0, 1), (1, 2)], 1, [5, 6], [2]),
        ([(0, 5), (1, 7)], 6, [5], [7]),
    ],
)
def test_stamps_wait_in_the_order_of_showing(packets, stamp, passed, rest):
    waiting = pending(*packets)
    assert waiting.until(stamp) == passed
    assert waiting.rest() == rest
