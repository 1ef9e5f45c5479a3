import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from datamodules.formats import DataError, read_volume, stored_shape
from datamodules.formats.nifti_content import read_content


def content(shape=(4, 5, 6), kind=nib.Nifti1Image, dtype=np.uint8, **fields):
    """Return a file whose header is changed afterwards, so that it may claim what is not there."""
    data = kind(np.ones((4, 5, 6), dtype), np.eye(4)).to_bytes()
    header = kind.header_class(data[: kind.header_class.sizeof_hdr])
    header["dim"][: 1 + len(shape)] = (len(shape), *shape)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + data[kind.header_class.sizeof_hdr :]


def peak(function, *arguments):
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            function(*arguments)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_f33_a_claim_of_more_voxels_than_the_file_can_hold_takes_no_memory(tmp_path, kind, name):
    data = content((32767, 32767, 32767), kind)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    message, memory = peak(read_volume, tmp_path / name)
    assert "bytes for shape (32767, 32767, 32767) of uint8, found" in message
    assert "bytes missing" in message
    assert memory < 4 << 20


def test_f33_a_bomb_under_a_small_header_is_not_inflated(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(content() + bytes(200 << 20), 9))
    message, memory = peak(read_volume, path)
    assert "bytes too many, at the least" in message
    assert memory < 8 << 20


def test_f33_a_claim_within_what_gzip_can_hold_is_not_believed_either(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(content((100, 100, 10)) + np.random.default_rng(0).bytes(2000)))
    with pytest.raises(DataError, match="found 97880 bytes missing"):
        read_volume(path)


def test_bytes_are_whole_and_the_header_is_read_from_the_start_alone(tmp_path):
    voxels = np.random.default_rng(0).integers(0, 9, (9, 8, 7)).astype(np.uint8)
    data = nib.Nifti1Image(voxels, np.eye(4)).to_bytes()
    (tmp_path / "a.nii").write_bytes(data)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data)[:-4])
    whole, layout = read_content(tmp_path / "a.nii")
    assert whole.tobytes() == data
    assert layout.file_bytes == len(data)
    assert stored_shape(tmp_path / "a.nii.gz") == (9, 8, 7)
    with pytest.raises(DataError, match="a whole gzip stream"):
        read_content(tmp_path / "a.nii.gz")


def test_what_cannot_be_opened_is_refused_by_name(tmp_path):
    for name in ("absent.nii", "absent.nii.gz"):
        for read in (read_volume, stored_shape):
            with pytest.raises(DataError, match=rf"{name}: expected a readable file"):
                read(tmp_path / name)
