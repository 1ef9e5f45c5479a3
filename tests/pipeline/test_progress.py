from pipeline.progress import clock


def test_clock_shows_hours_minutes_seconds():
    assert clock(3725.4) == "1:02:05"
