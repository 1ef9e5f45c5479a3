import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError

PLAIN = ReadOptions()
VOXELS = np.random.default_rng(0).integers(0, 2000, (8, 6, 5)).astype(np.int16)


def rewritten(path, **elements):
    """Change elements of a file."""
    import pydicom

    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_f10_a_missing_slice_is_located_between_its_neighbours(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS)
    paths[3].unlink()
    with pytest.raises(DataError) as raised:
        dicom.read(tmp_path, PLAIN)
    assert raised.value.expected == "slices 2 mm apart within 1 %"
    between = f"4 mm between {paths[2].name} at 34 mm and {paths[4].name} at 38 mm along the normal"
    assert raised.value.found == between


def test_f10_a_missing_first_or_last_slice_leaves_a_volume(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS)
    paths[0].unlink()
    assert dicom.read(tmp_path, PLAIN).shape == (5, 6, 7)


def test_f10_a_doubled_slice_is_located(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS)
    (tmp_path / "copy.dcm").write_bytes(paths[5].read_bytes())
    with pytest.raises(DataError, match="one slice per position") as raised:
        dicom.read(tmp_path, PLAIN)
    assert "two at 40 mm" in raised.value.found
    assert "copy.dcm" in raised.value.found
    assert paths[5].name in raised.value.found


def test_f10_a_doubled_slice_of_another_acquisition_is_no_part(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS, AcquisitionNumber=1)
    (tmp_path / "copy.dcm").write_bytes(paths[5].read_bytes())
    rewritten(tmp_path / "copy.dcm", AcquisitionNumber=2)
    with pytest.raises(DataError, match="one slice per position"):
        dicom.read(tmp_path, PLAIN)


@pytest.mark.parametrize(("shift", "refused"), [(0.015, False), (0.025, True)])
def test_f10_the_distance_may_vary_by_one_percent(tmp_path, dicoms, shift, refused):
    paths = dicoms.series(tmp_path, VOXELS)
    rewritten(paths[4], ImagePositionPatient=[-10, 20, 38 + shift])
    if refused:
        with pytest.raises(DataError, match="within 1 %"):
            dicom.read(tmp_path, PLAIN)
    else:
        assert dicom.read(tmp_path, PLAIN).spacing_mm[2] == pytest.approx(2)


def test_f10_a_spacing_that_drifts_within_the_tolerance_is_refused_where_slices_leave_the_line(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, np.repeat(VOXELS, 5, axis=0))
    height = np.cumsum(np.where(np.arange(40) < 20, 2.008, 1.992)).round(3)
    for path, place in zip(paths, height.tolist(), strict=True):
        rewritten(path, ImagePositionPatient=[0, 0, place])
    with pytest.raises(DataError, match="from its place"):
        dicom.read(tmp_path, PLAIN)


def test_f10_a_tilted_gantry_gives_the_sheared_affine(tmp_path, dicoms):
    tilt = np.deg2rad(15)
    orientation = [1, 0, 0, 0, np.cos(tilt), -np.sin(tilt)]
    dicoms.series(tmp_path, VOXELS, step=(0, 0, 3.0), ImageOrientationPatient=[round(v, 8) for v in orientation])
    volume = dicom.read(tmp_path, PLAIN)
    assert volume.geometry.is_sheared
    assert np.allclose(volume.affine[:3, 2], [0, 0, 3])
    assert np.allclose(volume.affine[:3, 1], [0, -0.75 * np.cos(tilt), -0.75 * np.sin(tilt)])
    assert np.array_equal(volume.array[0].T, VOXELS - 1024.0)


def test_f10_slices_that_drift_in_their_plane_give_the_sheared_affine(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS, step=(0, 0.8, 3.0))
    assert dicom.read(tmp_path, PLAIN).affine[:3, 2] == pytest.approx([0, -0.8, 3])


def test_f10_a_tilt_that_is_not_constant_is_refused(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS)
    rewritten(paths[4], ImagePositionPatient=[-10, 20.5, 38])
    with pytest.raises(DataError, match=r"their tilt constant, found .*0\.5 mm from its place") as raised:
        dicom.read(tmp_path, PLAIN)
    assert raised.value.path == paths[4]


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_series_without_its_place_is_refused_by_the_element(tmp_path, dicoms, keyword):
    dicoms.series(tmp_path, VOXELS, **{keyword: None})
    with pytest.raises(DataError, match=f"an? {keyword}, found none"):
        dicom.read(tmp_path, PLAIN)


def test_f12_imager_pixel_spacing_does_not_stand_in_for_pixel_spacing(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS, PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.2])
    with pytest.raises(DataError, match="that of the detector"):
        dicom.read(tmp_path, PLAIN)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"PixelSpacing": [0, 1]}, "PixelSpacing above 0"),
        ({"PixelSpacing": [0.7, -0.7]}, "PixelSpacing above 0"),
        ({"PixelSpacing": [70, 70]}, "spacing above 0 and at most 50 mm"),
        ({"PixelSpacing": [0.7]}, "2 finite numbers as PixelSpacing"),
        ({"ImagePositionPatient": ["nan", 0, 0]}, "3 finite numbers as ImagePositionPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "two perpendicular unit vectors"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "two perpendicular unit vectors"),
    ],
)
def test_absurd_places_are_refused(tmp_path, dicoms, elements, expected):
    path = dicoms.series(tmp_path, VOXELS[:1])[0]
    rewritten(path, **elements)
    with pytest.raises(DataError, match=expected):
        dicom.read(path, PLAIN)


def test_a_first_slice_a_kilometre_away_is_refused(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS, first=(0, 0, 2e6))
    with pytest.raises(DataError, match="origin"):
        dicom.read(tmp_path, PLAIN)
