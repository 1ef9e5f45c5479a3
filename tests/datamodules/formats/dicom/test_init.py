import logging

import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError

PLAIN = ReadOptions()


@pytest.fixture
def voxels():
    """Stored numbers [slices, rows, columns]."""
    return np.random.default_rng(0).integers(0, 2000, (5, 6, 4)).astype(np.int16)


def test_a_series_reads_as_hounsfield_units_in_its_place(tmp_path, dicoms, voxels):
    dicoms.series(tmp_path, voxels)
    volume = dicom.read(tmp_path, PLAIN)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, (voxels - 1024.0).transpose(2, 1, 0)[None])
    expected = [[-0.5, 0, 0, 10], [0, -0.75, 0, -20], [0, 0, 2, 30], [0, 0, 0, 1]]
    assert np.array_equal(volume.affine, expected)
    assert volume.path == tmp_path


def test_files_need_neither_suffix_nor_preamble(tmp_path, dicoms, voxels):
    for index, path in enumerate(dicoms.series(tmp_path, voxels)):
        data = path.read_bytes()
        path.unlink()
        (tmp_path / f"IM{index}").write_bytes(data if index % 2 else data[132:])
    (tmp_path / "DICOMDIR").write_bytes(b"no matter what")
    (tmp_path / ".hidden.dcm").write_bytes(b"no matter what")
    (tmp_path / "notes.txt").write_text("no matter what")
    assert dicom.claims(tmp_path, PLAIN)
    assert np.array_equal(dicom.read(tmp_path, PLAIN).array[0].T, voxels - 1024.0)


def test_f10_slices_follow_their_places_along_an_oblique_normal(tmp_path, dicoms, voxels):
    # rows along y, columns along -z: sagittal slices that follow each other along -x
    orientation = [0, 1, 0, 0, 0, -1]
    dicoms.series(tmp_path, voxels, step=(-3.0, 0, 0), ImageOrientationPatient=orientation)
    volume = dicom.read(tmp_path, PLAIN)
    assert np.array_equal(volume.array[0].T, voxels - 1024.0)
    assert np.allclose(volume.affine[:3, 2], [3, 0, 0])
    assert volume.orientation == "PIR"


def test_slices_stored_against_the_normal_are_turned_with_the_affine(tmp_path, dicoms, voxels):
    dicoms.series(tmp_path, voxels, step=(0, 0, -2.0))
    volume = dicom.read(tmp_path, PLAIN)
    assert np.array_equal(volume.array[0].T, voxels[::-1] - 1024.0)
    assert volume.affine[:3, 3].tolist() == [10, -20, 22]


def test_an_enhanced_file_reads_as_the_series_of_its_frames(tmp_path, dicoms, voxels):
    path = dicoms.enhanced(tmp_path / "one.dcm", voxels, rescale=((1, -1024), (2, 5)))
    volume = dicom.read(path, PLAIN)
    slopes, intercepts = np.array([1, 2, 1, 2, 1]), np.array([-1024, 5, -1024, 5, -1024])
    expected = voxels * slopes[:, None, None] + intercepts[:, None, None]
    assert np.array_equal(volume.array[0].T, expected[::-1])  # the last frame is the lowest slice
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    assert volume.origin_mm == (10.0, -20.0, 30.0)


def test_a_series_of_several_enhanced_files_is_one_volume(tmp_path, dicoms, voxels):
    dicoms.enhanced(tmp_path / "b.dcm", voxels[:2], first=(0, 0, 0))
    dicoms.enhanced(tmp_path / "a.dcm", voxels[2:], first=(0, 0, 4))
    expected = np.concatenate([voxels[:2][::-1], voxels[2:][::-1]]) - 1024.0
    assert np.array_equal(dicom.read(tmp_path, PLAIN).array[0].T, expected)


def test_source_slices_lie_in_the_order_of_the_third_axis(tmp_path, dicoms, voxels):
    dicoms.series(tmp_path / "series", voxels)
    source = dicom.source_slices(tmp_path / "series", PLAIN)
    assert [float(header.ImagePositionPatient[2]) for header in source.headers] == [30, 32, 34, 36, 38]
    assert source.frame_numbers is None
    assert all("PixelData" not in header for header in source.headers)
    path = dicoms.enhanced(tmp_path / "one.dcm", voxels)
    assert dicom.source_slices(path, PLAIN).frame_numbers == [5, 4, 3, 2, 1]


def test_a_single_slice_takes_its_third_spacing_from_the_header(tmp_path, dicoms, voxels):
    dicoms.series(tmp_path, voxels[:1], SliceThickness=3.5)
    assert dicom.read(tmp_path, PLAIN).spacing_mm == (0.5, 0.75, 3.5)


def test_a_single_slice_without_thickness_is_refused(tmp_path, dicoms, voxels):
    dicoms.series(tmp_path, voxels[:1], SliceThickness=None)
    with pytest.raises(DataError, match="SliceThickness"):
        dicom.read(tmp_path, PLAIN)


def test_f12_rescale_values_of_each_slice_are_applied_before_stacking(tmp_path, dicoms, voxels, caplog):
    for index, array in enumerate(voxels):
        slope = index + 0.5
        dicoms.series(
            tmp_path, array[None], first=(0, 0, 2 * index), prefix=index, RescaleSlope=slope, RescaleIntercept=-index
        )
    with caplog.at_level(logging.INFO):
        volume = dicom.read(tmp_path, PLAIN)
    factors = np.arange(5)[:, None, None]
    assert np.array_equal(volume.array[0].T, (voxels * (factors + 0.5) - factors).astype(np.float32))
    assert "change from slice to slice" in caplog.text


def test_parts_of_a_4d_series_are_listed_and_chosen_by_number(tmp_path, dicoms, voxels):
    for echo in (1, 2):
        dicoms.series(tmp_path, voxels + echo, prefix=f"e{echo}", EchoNumbers=echo, Modality="MR")
    with pytest.raises(DataError, match=r"0: echo 1, 4 x 6 x 5; 1: echo 2, 4 x 6 x 5; choose one with --volume"):
        dicom.read(tmp_path, PLAIN)
    second = dicom.read(tmp_path, ReadOptions(volume_index=1))
    assert np.array_equal(second.array[0].T, voxels + 2 - 1024.0)
    both = dicom.read(tmp_path, ReadOptions(all_volumes=True))
    assert both.array.shape == (2, 4, 6, 5)
    assert np.array_equal(both.array[1], second.array[0])
    assert len(dicom.files(tmp_path, ReadOptions(volume_index=0))) == 5
    assert len(dicom.files(tmp_path, PLAIN)) == 10
    with pytest.raises(DataError, match="--volume 2"):
        dicom.read(tmp_path, ReadOptions(volume_index=2))


def test_claims_only_what_directly_holds_dicom(tmp_path, dicoms, voxels):
    paths = dicoms.series(tmp_path / "above" / "series", voxels)
    (tmp_path / "slice.png").write_bytes(b"\x89PNG")
    assert dicom.claims(tmp_path / "above" / "series", PLAIN)
    assert dicom.claims(paths[0], PLAIN)
    assert not dicom.claims(tmp_path / "above", PLAIN)
    assert not dicom.claims(tmp_path, PLAIN)
    assert not dicom.claims(tmp_path / "slice.png", PLAIN)


def test_writing_and_reading_labels_are_refused_by_name(tmp_path, dicoms, voxels):
    path = dicoms.series(tmp_path, voxels)[0]
    for place in (tmp_path, path):
        with pytest.raises(DataError, match="name a NIfTI file"):
            dicom.read_labels(place, PLAIN)
    with pytest.raises(DataError, match="DICOM-SEG"):
        dicom.write_labels(path, voxels, np.eye(4), None)
    with pytest.raises(DataError, match=r"\.nii\.gz"):
        dicom.write_scores(path, voxels[None].astype(np.float32), np.eye(4))


def test_a_header_that_claims_more_voxels_than_its_bytes_can_hold_is_refused_before_memory_is_taken(tmp_path, dicoms):
    dicoms.series(tmp_path, np.zeros((1, 4, 4), np.int16), Rows=65000, Columns=65000)
    with pytest.raises(DataError, match="voxels per byte"):
        dicom.read(tmp_path, PLAIN)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "shape", "spacing_mm"),
    [
        ("ct_thorax_series", (512, 512, 20), (0.9765625, 0.9765625, 2.0)),
        ("mr_hippocampus_series", (35, 51, 32), (1.0, 1.0, 1.0)),
    ],
)
def test_real_series_have_the_voxels_and_places_that_simpleitk_reads(shared_data, name, shape, spacing_mm):
    import SimpleITK as sitk  # noqa: N813 - the name under which everyone knows it

    folder = shared_data / "dicom" / name
    volume = dicom.read(folder, PLAIN)
    assert volume.shape == shape
    assert volume.spacing_mm == spacing_mm
    reader = sitk.ImageSeriesReader()
    source = dicom.source_slices(folder, PLAIN)
    reader.SetFileNames([header.filename for header in source.headers])
    image = reader.Execute()
    assert np.array_equal(volume.array[0].T, sitk.GetArrayFromImage(image))
    corner = np.array(shape) - 1
    there = np.array(image.TransformIndexToPhysicalPoint(corner.tolist())) * [-1, -1, 1]
    assert np.allclose(volume.affine @ [*corner, 1], [*there, 1], atol=1e-6)


@pytest.mark.shared_data
def test_the_real_ct_is_its_stored_numbers_minus_1024(shared_data):
    import pydicom

    folder = shared_data / "dicom" / "ct_thorax_series"
    volume = dicom.read(folder, PLAIN)
    for index, header in enumerate(dicom.source_slices(folder, PLAIN).headers):
        assert np.array_equal(volume.array[0, :, :, index].T, pydicom.dcmread(header.filename).pixel_array - 1024.0)
