import resource
import signal
from collections.abc import Iterator

import pytest

from datamodules.formats.atomic import atomic_path, write_atomically


@pytest.fixture
def limited_disk() -> Iterator[None]:
    """Let no file of this process grow over 1000 bytes: the nearest thing to a full disk without root."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_writes_and_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_f19_disk_full_keeps_the_previous_file_and_names_the_bytes_needed(tmp_path, limited_disk):
    path = tmp_path / "a.nii.gz"
    write_atomically(path, b"old")
    with pytest.raises(OSError, match="5000 bytes are needed") as caught:
        write_atomically(path, bytes(5000))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_block_changes_nothing(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"):
        _write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path):
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"half")
        raise RuntimeError("half way")


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "a.nii", b"data")


def test_mode_follows_the_umask(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["a b.nii.gz", "schädel-é.nii", "x" * 248 + ".nii.gz", "no_suffix", "a.b.c.d"])
def test_f31_spaces_accents_and_very_long_names(tmp_path, name):
    write_atomically(tmp_path / name, b"data")
    assert [path.name for path in tmp_path.iterdir()] == [name]
