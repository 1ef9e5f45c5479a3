"""One volume, written by independent writers, is the same voxels at the same millimetres in every format."""

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from datamodules.formats import ReadOptions, read_labels, read_volume, stack_channels, write_labels

STRICT = ReadOptions(strict=True)
SPACING = (0.7, 1.3, 5.0)
ORIGIN = (-120.25, 31.5, 700.0)
INTERCEPT = -1024
FORMATS = ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "series"]


def oblique(degrees, axes=(0, 1, 2), signs=(1, 1, 1)):
    """Return an affine in RAS+ mm, turned about all three axes, with its columns permuted and flipped."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn = turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn[:, axes] * signs * SPACING
    affine[:3, 3] = ORIGIN
    return affine


AFFINES = {
    "nearly axial": oblique((10, -20, 30)),
    "sagittal, left-handed": oblique((-5, 8, 170), axes=(1, 2, 0), signs=(-1, -1, -1)),
    "coronal": oblique((44, 3, -2), axes=(0, 2, 1), signs=(1, -1, 1)),
    "upside down": oblique((179, 1, 91), signs=(-1, 1, -1)),
}


def by_nibabel(path, voxels, affine):
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)


def by_simpleitk(path, voxels, affine):
    image = sitk.GetImageFromArray(voxels.transpose(2, 1, 0))
    lps = np.diag([-1, -1, 1, 1]) @ affine
    image.SetSpacing(SPACING)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / SPACING).ravel().tolist())
    sitk.WriteImage(image, path, path.suffix in (".nrrd", ".mhd"))


def by_pydicom(folder, voxels, affine):
    """Write uncompressed slices, a file each, under names that do not tell their order."""
    folder.mkdir()
    lps = np.diag([-1, -1, 1, 1]) @ affine
    along_row, along_column = lps[:3, 0] / SPACING[0], lps[:3, 1] / SPACING[1]
    study, series, frame = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "frame"))
    for k in range(voxels.shape[2]):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = CTImageStorage
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(k)])
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.PatientID, header.Modality, header.SeriesNumber, header.InstanceNumber = "a", "CT", 1, 99 - k
        header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.ImagePositionPatient = [f"{x:.9g}" for x in lps[:3] @ [0, 0, k, 1]]
        header.ImageOrientationPatient = [f"{x:.12g}" for x in (*along_row, *along_column)]
        header.PixelSpacing, header.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        header.RescaleSlope, header.RescaleIntercept, header.RescaleType = 1, INTERCEPT, "HU"
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.Columns, header.Rows = voxels.shape[:2]
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
        header.PixelData = (voxels[:, :, k].T.astype(np.int32) - INTERCEPT).astype("<u2").tobytes()
        header.save_as(folder / f"{(k * 7) % 31}.dcm", enforce_file_format=True)


def write(folder, name, voxels, affine):
    path = folder / name
    writers = {"series": by_pydicom, "a.nii": by_nibabel, "a.nii.gz": by_nibabel}
    writers.get(name, by_simpleitk)(path, voxels, affine)
    return path


def assert_same_place(volume, voxels, affine):
    """Compare every voxel with the one at its millimetres, whatever the order of the axes."""
    indices = np.indices(volume.shape).reshape(3, -1)
    millimetres = volume.affine[:3, :3] @ indices + volume.affine[:3, 3:]
    there = np.linalg.solve(affine[:3, :3], millimetres - affine[:3, 3:])
    nearest = np.round(there).astype(int)
    np.testing.assert_allclose(there, nearest, atol=1e-4)
    assert len(np.unique(nearest, axis=1).T) == voxels.size
    assert nearest.min() >= 0
    np.testing.assert_array_equal(volume.array[0].ravel(), voxels[tuple(nearest)])


@pytest.fixture
def voxels():
    return np.random.default_rng(7).integers(-1024, 2000, (6, 5, 4)).astype(np.int16)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_voxels_at_the_same_millimetres(tmp_path, voxels, affine, name):
    volume = read_volume(write(tmp_path, name, voxels, affine), STRICT)
    assert volume.array.dtype == np.float32
    assert_same_place(volume, voxels, affine)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_axes_keep_their_order_and_channels_of_all_formats_fit_each_other(tmp_path, voxels, affine):
    volumes = [read_volume(write(tmp_path, name, voxels, affine), STRICT) for name in FORMATS]
    right_handed = np.linalg.det(affine[:3, :3]) > 0
    fitting = volumes if right_handed else volumes[:-1]  # DICOM sorts slices along the normal of its rows and columns
    stacked = stack_channels(fitting)
    np.testing.assert_array_equal(stacked.array, np.broadcast_to(voxels, stacked.array.shape))
    if not right_handed:
        np.testing.assert_array_equal(volumes[-1].array[0], voxels[..., ::-1])


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", ["b.nii.gz", "b.nrrd", "b.mha"])
def test_labels_written_in_any_format_lie_on_their_image(tmp_path, voxels, affine, source, target):
    image = read_volume(write(tmp_path, source, voxels, affine), STRICT)
    write_labels(tmp_path / target, (image.array[0] > 500).astype(np.uint8), image.affine)
    assert_same_place(read_labels(tmp_path / target, STRICT), voxels > 500, affine)
