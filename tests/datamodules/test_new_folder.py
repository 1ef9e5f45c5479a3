import logging

import pytest

from datamodules.formats.errors import DataError
from datamodules.new_folder import new_folder


def make(root, other=None):
    """Make a folder, while another process puts a file of its own into the same place."""
    with new_folder(root, "proof.json", "things") as draft:
        (draft / "proof.json").write_text("ours")
        if other:
            root.mkdir()
            (root / other).write_text("theirs")


def test_a_folder_appears_whole_and_is_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    make(tmp_path / "deep" / "a")
    assert (tmp_path / "deep" / "a" / "proof.json").read_text() == "ours"
    assert (tmp_path / "deep" / "a").stat().st_mode & 0o777 == 0o755
    assert f"things written to {tmp_path / 'deep' / 'a'}" in caplog.text


def test_the_copy_of_a_faster_process_is_kept(tmp_path):
    make(tmp_path / "a", "proof.json")
    assert (tmp_path / "a" / "proof.json").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_no_such_copy_is_an_error_and_stays(tmp_path):
    with pytest.raises(OSError, match="not empty"):
        make(tmp_path / "a", "notes.txt")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_exists_is_refused_and_a_failure_leaves_nothing(tmp_path):
    make(tmp_path / "a")
    with pytest.raises(DataError, match="remove it or name another"):
        make(tmp_path / "a")
    with pytest.raises(KeyError), new_folder(tmp_path / "b", "proof.json", "things"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
