"""Which videos the inputs are, and names that would meet in the output folder."""

import pytest

from datamodules.formats.errors import DataError
from pipeline.inference.pose_inputs import find_videos


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_files_and_folders_give_videos_in_order(tmp_path):
    videos = touch(tmp_path / "videos", "b.mp4", "a.AVI", "notes.txt", ".hidden.mp4")
    images = touch(tmp_path / "frames of day 1", "img1.png", "img2.jpg", "notes.txt")
    one = touch(tmp_path / "more", "Süd.mkv") / "Süd.mkv"
    found = find_videos([one, videos, images])
    assert [video.id for video in found] == ["Süd", "a", "b", "frames of day 1"]
    assert found[3].path == images


def test_a_file_counts_whatever_its_name(tmp_path):
    path = touch(tmp_path / "x", "video.dat") / "video.dat"
    assert find_videos([path])[0].id == "video"


def test_f31_names_that_are_equal_but_for_case_are_refused(tmp_path):
    first, second = touch(tmp_path / "x", "Rat.mp4"), touch(tmp_path / "y", "rat.avi")
    with pytest.raises(DataError, match="Rat"):
        find_videos([first, second])


def test_f31_names_of_the_output_folders_own_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"report\.json"):
        find_videos([touch(tmp_path / "x", "report.json.mp4")], ["report.json"])


def test_f31_a_symbolic_link_keeps_its_own_name(tmp_path):
    target = touch(tmp_path / "x", "long.mp4") / "long.mp4"
    (tmp_path / "short.mp4").symlink_to(target)
    assert find_videos([tmp_path / "short.mp4"])[0].id == "short"


def test_an_empty_folder_is_refused_and_so_is_one_of_videos_and_images(tmp_path):
    with pytest.raises(DataError, match="none in the folder"):
        find_videos([touch(tmp_path / "x", "notes.txt")])
    with pytest.raises(DataError, match="1 videos and 2 images"):
        find_videos([touch(tmp_path / "y", "a.mp4", "1.png", "2.png")])


def test_a_broken_link_is_refused(tmp_path):
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(DataError, match=r"gone\.mp4"):
        find_videos([tmp_path / "gone.mp4"])


def test_digests_follow_bytes_and_the_names_of_images(tmp_path):
    images, copy = touch(tmp_path / "x", "1.png", "2.png"), touch(tmp_path / "y", "1.png", "2.png")
    digests = {find_videos([folder])[0].digest() for folder in (images, copy)}
    (copy / "2.png").rename(copy / "3.png")
    digests.add(find_videos([copy])[0].digest())
    assert len(digests) == 2
