import logging

import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom.guard import Guard
from datamodules.formats.dicom.pixels import stored_frames
from datamodules.formats.errors import DataError

VOXELS = np.random.default_rng(0).integers(-900, 2000, (6, 5)).astype(np.int16)


def stored(path, dataset):
    """Write a data set and read its first frame."""
    dataset.save_as(path, enforce_file_format=True)
    with Guard() as guard:
        return stored_frames(path, [0], guard)[0]


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_numbers_keep_their_type_and_sign(tmp_path, dicoms, kind):
    limits = np.iinfo(kind)
    array = np.array([[limits.min, limits.max, 0], [1, 2, 3], [4, 5, 6]], kind)
    read = stored(tmp_path / "a.dcm", dicoms.slice(array))  # 9 bytes of 8 bits and a pad byte
    assert read.dtype == np.dtype(kind)
    assert np.array_equal(read, array)


@pytest.mark.parametrize("signed", [0, 1])
def test_f12_bits_that_are_not_stored_are_masked_off(tmp_path, dicoms, signed):
    array = np.array([[0x0FFF, 0xF001], [0xF800, 0x07FF]], np.uint16)  # an overlay in the upper four bits
    dataset = dicoms.slice(array, BitsStored=12, HighBit=11, PixelRepresentation=signed)
    expected = [[-1, 1], [-2048, 2047]] if signed else [[4095, 1], [2048, 2047]]
    assert stored(tmp_path / "a.dcm", dataset).tolist() == expected


def test_f12_signed_numbers_are_not_read_as_unsigned_ones(tmp_path, dicoms):
    path = tmp_path / "a.dcm"
    dicoms.slice(VOXELS).save_as(path, enforce_file_format=True)
    assert np.array_equal(dicom.read(path, ReadOptions()).array[0, :, :, 0].T, VOXELS - 1024.0)


@pytest.mark.parametrize("kind", ["u1", "i2", "u4"])
def test_big_endian_numbers_are_turned(tmp_path, dicoms, kind):
    import pydicom

    array = np.arange(24).reshape(4, 6).astype(kind)
    dataset = dicoms.slice(array.byteswap())
    if kind == "u1":
        dataset.PixelData = array.tobytes()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    path = tmp_path / "a.dcm"
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    with Guard() as guard:
        assert np.array_equal(stored_frames(path, [0], guard)[0], array)


def test_big_endian_words_of_two_8_bit_pixels_are_swapped(tmp_path, dicoms):
    import pydicom

    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    dataset = dicoms.slice(array)
    dataset.PixelData = array.view("<u2").byteswap().tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    path = tmp_path / "a.dcm"
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    with Guard() as guard:
        assert np.array_equal(stored_frames(path, [0], guard)[0], array)


def test_zeros_behind_the_pixels_of_one_frame_are_passed_over_and_told(tmp_path, dicoms, caplog):
    dataset = dicoms.slice(VOXELS)
    dataset.PixelData += bytes(68)
    with caplog.at_level(logging.INFO):
        assert np.array_equal(stored(tmp_path / "a.dcm", dataset), VOXELS)
    assert "68 bytes of zeros" in caplog.text


@pytest.mark.parametrize("change", [-2, 2])
def test_f13_pixel_data_of_another_length_than_the_header_states_is_refused(tmp_path, dicoms, change):
    dataset = dicoms.slice(VOXELS)
    dataset.PixelData = dataset.PixelData[:change] if change < 0 else dataset.PixelData + b"ab"
    with pytest.raises(
        DataError,
        match=f"expected 60 bytes for 1 frames of 5 x 6 x 16 bits, found {60 + change} bytes of pixel data, 2 too",
    ):
        stored(tmp_path / "a.dcm", dataset)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"BitsAllocated": 12}, "8, 16 or 32 bits allocated"),
        ({"BitsStored": 17}, "8, 16 or 32 bits allocated"),
        ({"BitsStored": 12, "HighBit": 15}, "high bit 11"),
        ({"PixelRepresentation": 2}, "PixelRepresentation 0 or 1"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a grey image"),
        ({"SamplesPerPixel": 3}, "a grey image"),
        ({"BitsStored": None}, "a BitsStored, found none"),
        ({"RedPaletteColorLookupTableData": b"", "ModalityLUTSequence": []}, "a ModalityLUTSequence"),
    ],
)
def test_f13_pixels_that_a_header_does_not_describe_as_grey_numbers_are_refused(tmp_path, dicoms, elements, expected):
    with pytest.raises(DataError, match=expected):
        stored(tmp_path / "a.dcm", dicoms.slice(VOXELS, **elements))


def test_a_file_without_integer_pixels_is_refused(tmp_path, dicoms):
    dataset = dicoms.slice(VOXELS)
    dataset.FloatPixelData = VOXELS.astype(np.float32).tobytes()
    del dataset.PixelData
    with pytest.raises(DataError, match="pixel data of whole numbers"):
        stored(tmp_path / "a.dcm", dataset)


def test_f12_monochrome1_leaves_hounsfield_units_as_they_are_and_says_so(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS[None], PhotometricInterpretation="MONOCHROME1")
    with caplog.at_level(logging.WARNING):
        volume = dicom.read(tmp_path, ReadOptions())
    assert np.array_equal(volume.array[0, :, :, 0].T, VOXELS - 1024.0)
    assert "MONOCHROME1" in caplog.text


def test_f12_a_volume_of_both_photometric_interpretations_is_refused(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS[None], PhotometricInterpretation="MONOCHROME1")
    dicoms.series(tmp_path, VOXELS[None], first=(-10, 20, 32), prefix="x")
    with pytest.raises(DataError, match="MONOCHROME1 and MONOCHROME2"):
        dicom.read(tmp_path, ReadOptions())


def test_f12_padding_keeps_its_number_and_is_told(tmp_path, dicoms, caplog):
    array = VOXELS.copy()
    array[0] = -2000
    dicoms.series(tmp_path, array[None], PixelPaddingValue=-2000)
    with caplog.at_level(logging.INFO):
        volume = dicom.read(tmp_path, ReadOptions())
    assert volume.array.min() == -3024
    assert "[-2000] are padding" in caplog.text


def test_f12_a_ct_that_is_not_rescaled_is_told(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS[None], RescaleSlope=None, RescaleIntercept=None)
    with caplog.at_level(logging.WARNING):
        assert dicom.read(tmp_path, ReadOptions()).array.max() == VOXELS.max()
    assert "stored numbers are taken as HU" in caplog.text


@pytest.mark.parametrize(
    "elements", [{"RescaleSlope": 0}, {"RescaleSlope": None}, {"RescaleIntercept": None}, {"RescaleSlope": "nan"}]
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
def test_f12_half_a_rescaling_or_one_that_cannot_be_is_refused(tmp_path, dicoms, elements):
    dicoms.series(tmp_path, VOXELS[None], **elements)
    with pytest.raises(DataError, match="RescaleSlope"):
        dicom.read(tmp_path, ReadOptions())


def test_f12_a_volume_that_is_rescaled_in_part_is_refused(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS[None])
    dicoms.series(tmp_path, VOXELS[None], first=(-10, 20, 32), prefix="x", RescaleSlope=None, RescaleIntercept=None)
    with pytest.raises(DataError, match="a RescaleSlope in every slice"):
        dicom.read(tmp_path, ReadOptions())
