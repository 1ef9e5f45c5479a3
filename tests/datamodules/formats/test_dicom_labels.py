import numpy as np
import pytest

from datamodules.formats import dicom, dicom_labels
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError

PLAIN = ReadOptions()
LABELS = np.zeros((6, 6, 5), np.uint8)  # slices, rows, columns
LABELS[1:4, 1:3, 2:4] = 1
LABELS[2:5, 4, 1] = 2


@pytest.fixture
def write(tmp_path, dicoms):
    """Write masks [slices, rows, columns, segments] as a DICOM-SEG of a series; return the image and the file."""

    def write_segmentation(masks, kind="BINARY", **options):
        import highdicom
        from pydicom.sr.codedict import codes
        from pydicom.uid import generate_uid

        patient = dict.fromkeys(
            ("PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
            "",
        )
        folder = tmp_path / "image"
        voxels = np.zeros(LABELS.shape, np.int16)
        dicoms.series(folder, voxels, FrameOfReferenceUID="1.2.9", ReferringPhysicianName="", **patient)
        algorithm = highdicom.AlgorithmIdentificationSequence("test", codes.DCM.ArtificialIntelligence, "1")
        descriptions = [
            highdicom.seg.SegmentDescription(
                number, f"s{number}", codes.SCT.Organ, codes.SCT.Liver, "AUTOMATIC", algorithm
            )
            for number in range(1, masks.shape[-1] + 1)
        ]
        segmentation = highdicom.seg.Segmentation(
            dicom.source_slices(folder, PLAIN).headers,
            masks,
            kind,
            descriptions,
            generate_uid(),
            5,
            generate_uid(),
            1,
            "maker",
            "model",
            "1",
            "serial",
            **options,
        )
        path = tmp_path / "seg.dcm"
        segmentation.save_as(path)
        return dicom.read(folder, PLAIN), path

    return write_segmentation


def at_places(volume, image):
    """Lay the labels of a volume [K, X, Y, Z] onto the grid of an image by their places in mm."""
    whole = np.zeros((len(volume.array), *image.shape), volume.array.dtype)
    steps = np.linalg.solve(image.affine, volume.affine)
    spots = np.indices(volume.shape).reshape(3, -1)
    there = np.rint(steps[:3, :3] @ spots + steps[:3, 3:]).astype(int)
    whole[:, *there] = volume.array[:, *spots]
    return whole


def test_segments_read_as_their_numbers_in_their_place(write):
    image, path = write(np.stack([LABELS == 1, LABELS == 2], axis=-1).astype(np.uint8))
    volume = dicom.read_labels(path, PLAIN)
    assert volume.array.dtype == np.uint16
    assert volume.shape == (5, 6, 4)  # slices without a label are not stored
    assert np.array_equal(at_places(volume, image)[0].T, LABELS)


def test_overlapping_segments_read_as_a_mask_each(write):
    masks = np.stack([LABELS > 0, LABELS == 2], axis=-1).astype(np.uint8)
    image, path = write(masks)
    volume = dicom.read_labels(path, PLAIN)
    assert np.array_equal(at_places(volume, image).transpose(3, 2, 1, 0), masks)


def test_a_label_map_reads_as_its_values(write):
    image, path = write(np.stack([LABELS == 1, LABELS == 2], axis=-1).astype(np.uint8), "LABELMAP")
    assert np.array_equal(at_places(dicom.read_labels(path, PLAIN), image)[0].T, LABELS)


def test_fractions_are_refused(write):
    _, path = write((LABELS == 1).astype(np.float32)[..., None], "FRACTIONAL", max_fractional_value=100)
    with pytest.raises(DataError, match="threshold"):
        dicom.read_labels(path, PLAIN)


def test_an_image_is_no_label(tmp_path, dicoms):
    path = dicoms.series(tmp_path, LABELS.astype(np.int16))[0]
    with pytest.raises(DataError, match="a DICOM segmentation as labels, found CT"):
        dicom.read_labels(path, PLAIN)


def test_frames_that_span_too_much_are_refused_before_memory_is_taken(write, monkeypatch):
    _, path = write((LABELS == 1).astype(np.uint8)[..., None])
    monkeypatch.setattr(dicom_labels, "_LARGEST", 50)
    with pytest.raises(DataError, match="at most 50 voxels"):
        dicom.read_labels(path, PLAIN)


def test_f13_a_segmentation_that_is_cut_short_is_refused(write):
    _, path = write((LABELS == 1).astype(np.uint8)[..., None])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(DataError):
        dicom.read_labels(path, PLAIN)
