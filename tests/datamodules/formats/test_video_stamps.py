import av
import pytest

from datamodules.formats.video_stamps import AviOrder, Place, Presentation


def pending(*packets):
    waiting = Presentation()
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
    before, own = waiting.until(stamp)
    assert [place.stamp for place in before] == passed
    assert own.stamp == stamp
    assert [place.stamp for place in waiting.rest()] == rest


def test_f28_equal_stamps_of_joined_recordings_have_different_places():
    waiting = pending((0, 5), (1, 6), (0, 5), (1, 6))
    assert waiting.until(5) == ([], Place(0, 5))
    assert waiting.until(6) == ([], Place(0, 6))
    assert waiting.rest() == [Place(1, 5), Place(1, 6)]


def test_f27_a_lost_stamp_is_found_again_by_a_packet_near_it():
    waiting = pending((0, 0))
    waiting.lose([40, 80, 120])
    packet = av.Packet()
    packet.dts = 1
    waiting.add(packet, 81, near=20.0)
    assert [place.stamp for place in waiting.rest()] == [0, 40, 81, 120]


class Entry:
    def __init__(self, pos, timestamp):
        self.pos, self.timestamp = pos, timestamp


class Stream:
    def __init__(self, *entries):
        self.index_entries = [Entry(100 * number, number) for number in entries]


class Packet:
    def __init__(self, pos, dts):
        self.pos, self.dts, self.pts = pos, dts, None


def test_f27_avi_packets_are_numbered_by_their_position():
    order = AviOrder(Stream(0, 1, 2, 3, 4, 5))
    packets = [Packet(8, 0), Packet(308, 1), Packet(350, 2), Packet(408, 3)]
    assert [order.add(packet) for packet in packets] == [True, True, False, True]
    assert [packet.pts for packet in packets] == [0, 3, None, 4]
    assert (order.lost, order.foreign, order.indexed) == (2, 1, True)
    assert order.settle(0, bidirectional=False) == ([], 0)
    assert order.settle(3, bidirectional=False) == ([1, 2], 3)
    assert order.settle(3, bidirectional=False) == ([], None)
    order.lose()
    assert order.rest() == [4, 5]


def test_f25_pictures_of_avi_take_the_numbers_in_turn():
    order = AviOrder(Stream(0, 1, 2, 3))
    for number in range(4):
        order.add(Packet(100 * number + 8, number))
    shown = [(0, False), (2, True), (3, True), (1, False)]
    assert [order.settle(number, bidirectional=b) for number, b in shown] == [([], 0), ([], 1), ([], 2), ([], 3)]
    assert order.rest() == []


def test_f27_avi_is_numbered_on_where_the_index_ends():
    order = AviOrder(Stream(0, 2))
    packets = [Packet(208, 0), Packet(308, 1), Packet(408, 2)]
    assert all(order.add(packet) for packet in packets)
    assert [packet.pts for packet in packets] == [2, 3, 4]
    assert not order.indexed
