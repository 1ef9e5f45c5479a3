"""The line says frames and speed, and is closed at the end."""

from pipeline.inference.pose_progress import FrameProgress


def test_each_piece_of_work_has_its_line(capsys):
    with FrameProgress() as progress:
        progress.update(3)  # before a piece has begun nothing is shown
        progress.begin("first", 4)
        progress.update(4)
        progress.begin("second", None)
        progress.update(7)
    shown = capsys.readouterr().err
    assert "first 100%" in shown
    assert "4 frames" in shown
    assert "7 frames" in shown
