import pytest

from pipeline.planning.quantities import duration, gib, max_time, parse_bytes, parse_seconds, round_up_time, size_text


@pytest.mark.parametrize(
    ("text", "count"), [("8GiB", 8 * 2**30), ("500 MB", 5e8), ("1.5G", 1.5 * 2**30), ("2tb", 2e12), ("64b", 64)]
)
def test_memory_is_read_with_its_unit(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["8", "GiB", "8 apples", "-1GiB", "0GiB", "", "1e3GiB"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValueError, match="8GiB"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("45m", 2700), ("1h30m", 5400), ("90s", 90), ("2d", 172800), ("10min", 600), ("00:01:00:30", 3630)],
)
def test_times_are_read(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "an hour", "1:00", "-1h", "0s", "1h x"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="1h30m"):
        parse_seconds(text)


@pytest.mark.parametrize("seconds", [10, 3600, 5400, 86400 * 12 + 7])
def test_the_trainers_time_is_read_back(seconds):
    assert parse_seconds(max_time(seconds)) == seconds


def test_times_are_rounded_up_to_what_reads_well():
    assert [round_up_time(s) for s in (61, 120, 1801, 14401)] == [120, 120, 2100, 18000]


def test_amounts_are_written_for_a_reader():
    assert [gib(2**31), gib(300 * 2**20)] == ["2.0 GiB", "300 MiB"]
    assert duration(3661) == "1:01:01"
    assert size_text((40, 56.0, 1.23456)) == "40 x 56 x 1.235"
