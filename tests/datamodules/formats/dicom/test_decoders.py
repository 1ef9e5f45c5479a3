import io
import time

import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import guard
from datamodules.formats.dicom.guard import Guard
from datamodules.formats.dicom.pixels import stored_frames
from datamodules.formats.errors import DataError

VOXELS = np.random.default_rng(0).integers(0, 3000, (40, 48)).astype(np.uint16)
PLAIN = ReadOptions()


def encapsulated(dataset, syntax, frames):
    """Replace the pixels by encoded frames."""
    from pydicom.encaps import encapsulate

    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def by_pillow(array, kind, **options):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def saved(path, dataset):
    dataset.save_as(path, enforce_file_format=True)
    return path


def lossless_jpeg(path, dicoms, array=VOXELS):
    """Write JPEG lossless, first-order prediction, by GDCM."""
    gdcm = pytest.importorskip("gdcm")
    source = saved(path.with_suffix(".plain"), dicoms.slice(array))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()
    source.unlink()
    return path


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLSLossless", "JPEG2000Lossless", "Deflated", "JPEGLossless"])
def test_lossless_syntaxes_give_the_numbers_that_were_encoded(tmp_path, dicoms, syntax):
    from pydicom import uid

    dataset, path = dicoms.slice(VOXELS), tmp_path / "a.dcm"
    if syntax == "JPEGLossless":
        lossless_jpeg(path, dicoms)
    elif syntax == "JPEG2000Lossless":
        frame = by_pillow(VOXELS, "JPEG2000", no_jp2=True)
        saved(path, encapsulated(dataset, uid.JPEG2000Lossless, [frame]))
    elif syntax == "Deflated":
        dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        saved(path, dataset)
    else:
        dataset.compress(getattr(uid, syntax), encoding_plugin="pydicom" if syntax == "RLELossless" else "pyjpegls")
        saved(path, dataset)
    assert np.array_equal(dicom.read(path, PLAIN).array[0, :, :, 0].T, VOXELS - 1024.0)


def test_an_8_bit_jpeg_is_decoded_without_a_shift_of_levels(tmp_path, dicoms):
    from pydicom import uid

    ramp = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (40, 1))
    dataset = encapsulated(dicoms.slice(ramp), uid.JPEGBaseline8Bit, [by_pillow(ramp, "JPEG", quality=98)])
    read = dicom.read(saved(tmp_path / "a.dcm", dataset), PLAIN).array[0, :, :, 0].T + 1024
    assert np.abs(read - ramp).max() <= 3  # lossy


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "JPEG2000.dcm",
        "JPEGLSNearLossless_08.dcm",
        "JPEGLSNearLossless_16.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "image_dfl.dcm",
    ],
)
def test_files_of_other_writers_have_the_numbers_that_pydicom_reads(name):
    from pathlib import Path

    import pydicom

    path = Path(pydicom.data.get_testdata_file(name))
    with Guard() as guard:
        assert np.array_equal(stored_frames(path, [0], guard)[0], pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        ("1.2.840.10008.1.2.4.51", r"JPEG Extended.*install pylibjpeg and pylibjpeg-libjpeg \(GPL\)"),
        ("1.2.840.10008.1.2.4.100", "MPEG2.*decompress the files"),
        ("1.2.3.4", r"1\.2\.3\.4.*decompress the files"),
    ],
)
def test_f13_a_syntax_without_a_decoder_is_refused_by_name_with_its_package(tmp_path, dicoms, syntax, package):
    dataset = encapsulated(dicoms.slice(VOXELS), syntax, [bytes(100)])
    with pytest.raises(DataError, match=package):
        dicom.read(saved(tmp_path / "a.dcm", dataset), PLAIN)


@pytest.mark.parametrize("kind", ["JPEG2000", "JPEG"])
def test_f13_an_encoded_frame_that_is_cut_short_is_refused(tmp_path, dicoms, kind):
    from pydicom import uid

    array = VOXELS if kind == "JPEG2000" else (VOXELS >> 4).astype(np.uint8)
    syntax = uid.JPEG2000Lossless if kind == "JPEG2000" else uid.JPEGBaseline8Bit
    frame = by_pillow(array, kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
    dataset = encapsulated(dicoms.slice(array), syntax, [frame[: len(frame) // 2]])
    with pytest.raises(DataError, match="an end marker"):
        dicom.read(saved(tmp_path / "a.dcm", dataset), PLAIN)


def test_f13_a_stream_of_another_size_than_the_header_states_is_refused_before_it_is_decoded(tmp_path, dicoms):
    from pydicom import uid

    frame = by_pillow(np.zeros((3000, 3000), np.uint8), "JPEG2000", no_jp2=True)
    dataset = encapsulated(dicoms.slice(VOXELS), uid.JPEG2000Lossless, [frame])
    with pytest.raises(DataError, match="a stream of 3000 x 3000 x 1 of 8 bits"):
        dicom.read(saved(tmp_path / "a.dcm", dataset), PLAIN)


def test_f13_frames_that_claim_more_than_their_bytes_can_hold_are_refused(tmp_path, dicoms):
    from pydicom import uid

    dataset = encapsulated(dicoms.slice(VOXELS, Rows=16000, Columns=16000), uid.JPEG2000Lossless, [bytes(100)])
    with pytest.raises(DataError, match="at most 1000 pixels per byte"):
        dicom.read(saved(tmp_path / "a.dcm", dataset), PLAIN)


@pytest.mark.parametrize("count", [1, 3])
def test_f13_another_number_of_encoded_frames_than_stated_is_refused(tmp_path, dicoms, count):
    from pydicom import dcmread, uid

    path = dicoms.enhanced(tmp_path / "a.dcm", np.stack([VOXELS, VOXELS]))
    frame = by_pillow(VOXELS, "JPEG2000", no_jp2=True)
    saved(path, encapsulated(dcmread(path), uid.JPEG2000Lossless, [frame] * count))
    with pytest.raises(DataError, match=r"2 encoded frames|ValueError"):
        dicom.read(path, PLAIN)


def test_a_series_of_jpeg_lossless_is_decoded_by_one_child(tmp_path, dicoms):
    from pydicom import dcmread

    arrays = np.stack([VOXELS + index for index in range(6)])
    for index, array in enumerate(arrays):
        path = lossless_jpeg(tmp_path / f"{index}.dcm", dicoms, array)
        dataset = dcmread(path)
        dataset.ImagePositionPatient = [0, 0, 2 * index]
        saved(path, dataset)
    start = time.monotonic()
    assert np.array_equal(dicom.read(tmp_path, PLAIN).array[0].T, arrays - 1024.0)
    assert time.monotonic() - start < 10


def test_f13_damaged_jpeg_lossless_costs_a_child_and_not_this_process(tmp_path, dicoms):
    path = lossless_jpeg(tmp_path / "a.dcm", dicoms)
    whole = path.read_bytes()
    outcomes = set()
    for number in range(15):
        chance = np.random.default_rng(number)
        data = bytearray(whole)
        start = whole.index(b"\xff\xd8\xff")
        # the tables of codes stand first
        for place in chance.integers(start + 2, start + 80 if number % 2 else len(whole) - 12, 3):
            data[place] ^= 1 << chance.integers(8)
        path.with_name(f"{number}.dcm").write_bytes(data)
        try:
            assert dicom.read(path.with_name(f"{number}.dcm"), PLAIN).shape == (48, 40, 1)
            outcomes.add("read")
        except DataError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_decoder_that_does_not_come_to_an_end_is_given_up(tmp_path, dicoms, monkeypatch):
    pytest.importorskip("gdcm")
    asleep = tmp_path / "asleep.py"
    asleep.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(guard, "_CHILD", asleep)
    monkeypatch.setattr(guard, "SECONDS_PER_FRAME", 0.3)
    path = lossless_jpeg(tmp_path / "a.dcm", dicoms)
    with pytest.raises(DataError, match="an undamaged stream of JPEG Lossless"):
        dicom.read(path, PLAIN)
