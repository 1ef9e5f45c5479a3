import os
import zlib

import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import headers
from datamodules.formats.dicom.headers import looks_like_dicom, read_header, read_whole
from datamodules.formats.dicom.images import dicom_files
from datamodules.formats.errors import DataError

ARRAY = np.arange(30, dtype=np.int16).reshape(6, 5)


@pytest.fixture
def path(tmp_path, dicoms):
    file = tmp_path / "a.dcm"
    dicoms.slice(ARRAY).save_as(file, enforce_file_format=True)
    return file


@pytest.fixture
def deflated(tmp_path, dicoms):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = dicoms.slice(ARRAY)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = tmp_path / "deflated.dcm"
    dataset.save_as(file, enforce_file_format=True)
    return file


def test_the_header_stops_before_the_pixels(path, deflated):
    for file in (path, deflated):
        assert "PixelData" not in read_header(file)
        assert read_header(file).Rows == 6
        assert read_whole(file).PixelData == ARRAY.tobytes()


@pytest.mark.parametrize("size", [0, 100, 131, 132, 140, 300, 700])
def test_f13_a_file_whose_header_is_cut_short_is_no_series(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError) as raised:
        dicom.read(path, ReadOptions())
    assert raised.value.path == path


def test_f13_every_cut_through_the_pixels_is_refused(path):
    whole = path.read_bytes()
    for size in range(len(whole) - 59, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="60 bytes in element"):
            read_whole(path)


@pytest.mark.parametrize("data", [b"<!DOCTYPE html>" * 20, b"\x89PNG\r\n" * 40, bytes(400)])
def test_f13_what_is_no_dicom_is_refused(tmp_path, data):
    path = tmp_path / "page.dcm"
    path.write_bytes(data)
    with pytest.raises(DataError, match="expected a DICOM file"):
        read_header(path)


def test_a_length_of_four_gigabytes_takes_no_memory(path):
    data = bytearray(path.read_bytes())
    place = data.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    data[place : place + 4] = b"\xf0\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(DataError, match="4294967280 bytes in element"):
        read_whole(path)


def test_a_deflated_file_that_inflates_without_bound_is_refused(deflated, monkeypatch):
    monkeypatch.setattr(headers, "LARGEST_INFLATED", 1 << 20)
    data = deflated.read_bytes()
    meta = data[: 132 + 12 + int.from_bytes(data[140:144], "little")]
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated.write_bytes(meta + compressor.compress(bytes(1 << 24)) + compressor.flush())
    with pytest.raises(DataError, match="a whole data set of at most 1 MiB"):
        read_header(deflated)


def test_a_deflated_file_that_is_cut_short_is_refused(deflated):
    deflated.write_bytes(deflated.read_bytes()[:-20])
    with pytest.raises(DataError, match="no end of the deflated stream"):
        read_header(deflated)


def test_files_are_known_by_name_preamble_or_first_element(path, tmp_path):
    data = path.read_bytes()
    for name, content in (("IM1", data), ("IM2", data[132:]), ("x.IMA", b""), ("x.dcm", b"")):
        (tmp_path / name).write_bytes(content)
        assert looks_like_dicom(tmp_path / name)
    for name, content in (
        ("IM3", b""),
        ("IM4", b"\x08\x00"),
        ("IM5", bytes(200)),
        ("IM6", b"\x08\0\0\0\xff\xff\xff\x7f" * 40),
        ("x.png", b"\x89PNG"),
    ):
        (tmp_path / name).write_bytes(content)
        assert not looks_like_dicom(tmp_path / name)


def test_f31_links_are_followed_once_and_pipes_are_not_opened(path, tmp_path):
    folder = tmp_path / "Ünïcode (1)"
    folder.mkdir()
    (folder / "link.dcm").symlink_to(path)
    (folder / "gone.dcm").symlink_to(tmp_path / "nothing")
    (folder / "round").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe.dcm")
    # a broken link may stand for a slice: it is listed, and refused when it is read
    assert list(dicom_files(tmp_path)) == [path, folder / "gone.dcm", folder / "link.dcm"]
