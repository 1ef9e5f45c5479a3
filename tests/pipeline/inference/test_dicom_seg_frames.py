"""DICOM-SEG of a source that is one file of many frames."""

import copy

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.legacy import LegacyConvertedEnhancedCTImage

from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import read, source_slices
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from pipeline.inference.dicom_seg import Origin, write_segmentation

LABELS = LabelSet.from_json({"background": 0, "liver": 1, "spleen": 2})
ORIGIN = Origin("a" * 64, "c" * 64, "f" * 64)
OPTIONS = ReadOptions()


@pytest.fixture
def enhanced(tmp_path, make_dicom_series):
    """Return a function that writes one file of the series' frames, shuffled, and returns its path."""

    def make(*, own_geometry=False, **changes):
        images = [pydicom.dcmread(path) for path in make_dicom_series(tmp_path / "single", **changes)]
        order = np.random.default_rng(1).permutation(len(images))
        file = LegacyConvertedEnhancedCTImage(
            [images[index] for index in order], pydicom.uid.generate_uid(), 5, pydicom.uid.generate_uid(), 1
        )
        shared = file.SharedFunctionalGroupsSequence[0]
        for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence") if own_geometry else ():
            for frame in file.PerFrameFunctionalGroupsSequence:
                frame[keyword] = copy.deepcopy(shared[keyword])
            del shared[keyword]
        path = tmp_path / "enhanced" / "frames.dcm"
        path.parent.mkdir()
        file.save_as(path)
        return path

    return make


@pytest.mark.parametrize("own_geometry", [False, True])
@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)])
def test_segments_lie_on_the_frames_of_the_file(tmp_path, enhanced, own_geometry, orientation):
    path = enhanced(own_geometry=own_geometry, orientation=orientation)
    image = read(path, OPTIONS)
    indices = np.zeros(image.shape, np.uint8)
    indices[2:6, 3:7, 1:5], indices[7:9, 2:5, 3:8] = 1, 2  # two segments on some frames
    out = tmp_path / "a.dcm"
    assert write_segmentation(out, indices, LABELS, source_slices(path, OPTIONS), ORIGIN, 3.0) == []
    segmentation, source = highdicom.seg.segread(out), pydicom.dcmread(path)
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        (item,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
        original = source.PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
        assert frame.PlanePositionSequence[0] == original.PlanePositionSequence[0]
    for number in (1, 2):
        volume = segmentation.get_volume(segment_numbers=[number])
        found = np.argwhere(volume.array[..., 0])
        points = np.c_[found, np.ones(len(found))] @ (np.diag([-1, -1, 1, 1]) @ volume.affine).T
        back = np.round(points @ np.linalg.inv(image.affine).T, 3)[:, :3]
        assert {tuple(voxel) for voxel in back} == {tuple(voxel) for voxel in np.argwhere(indices == number)}


def test_a_file_of_one_frame(tmp_path, enhanced):
    path = enhanced(shape=(8, 7, 1))
    indices = np.ones((8, 7, 1), np.uint8)
    write_segmentation(tmp_path / "a.dcm", indices, LABELS, source_slices(path, OPTIONS), ORIGIN, 3.0)
    assert highdicom.seg.segread(tmp_path / "a.dcm").NumberOfFrames == 1


def test_several_files_of_several_frames_are_refused(tmp_path, enhanced):
    slices = source_slices(enhanced(), OPTIONS)
    slices.headers.append(slices.headers[0])
    with pytest.raises(DataError, match=r"2 files of several frames.*--format nifti"):
        write_segmentation(tmp_path / "a.dcm", np.ones((14, 12, 9), np.uint8), LABELS, slices, ORIGIN, 3.0)
