"""Which files a case leaves, by its input and by what was asked for."""

import json

import cv2
import numpy as np
import pytest

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from pipeline.inference.output_formats import is_dicom, mask_suffixes


@pytest.fixture
def case(tmp_path, make_dicom_series):
    """Return a function that makes an input of a kind and returns its case."""

    def make(kind):
        path = tmp_path / {"series": "ct", "slices": "slices"}.get(kind, f"a{kind}")
        if kind == "series":
            make_dicom_series(path, shape=(4, 3, 2))
        elif kind == "slices":
            path.mkdir()
            (path / "spacing.json").write_text(json.dumps({"spacing_mm": [1, 1, 2]}))
            for number in range(3):
                cv2.imwrite(str(path / f"{number}.png"), np.zeros((4, 5), np.uint8))
        else:
            path.write_bytes(b"")
        return Case("a", "a", (path,))

    return make


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (".nii", (".nii",)),
        (".nii.gz", (".nii.gz",)),
        (".NII.GZ", (".nii.gz",)),
        (".png", (".png",)),
        (".TIF", (".png",)),
        (".nrrd", (".nrrd",)),
        (".nhdr", (".nrrd",)),
        (".mha", (".mha",)),
        (".mhd", (".mha",)),
        ("slices", (".nii.gz",)),
        ("series", (".dcm", ".nii.gz")),
    ],
)
def test_without_a_choice_a_case_is_written_as_it_was_read(case, kind, own):
    assert mask_suffixes(case(kind), False) == own


def test_stacks_of_stated_spacing_are_written_as_nifti(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    assert mask_suffixes(Case("a", "a", (tmp_path / "a.tif",), spacing_mm=(1.0, 1.0, 2.0)), False) == (".nii.gz",)


def test_overlapping_structures_of_an_image_need_nifti(case):
    assert mask_suffixes(case(".png"), True) == (".nii.gz",)
    assert mask_suffixes(case(".nrrd"), True) == (".nrrd",)


def test_formats_that_are_asked_for_are_written_once_each(case):
    assert mask_suffixes(case(".nii"), False, ["nifti", "nrrd", "nifti"]) == (".nii", ".nrrd")
    assert mask_suffixes(case("series"), False, ["dicom-seg"]) == (".dcm",)
    assert mask_suffixes(case("slices"), False, ["nrrd"]) == (".nrrd",)


def test_a_dicom_seg_needs_dicom(case):
    assert is_dicom(case("series"))
    assert not is_dicom(case(".nii"))
    with pytest.raises(DataError, match=r"a\.nii: expected a DICOM series.*found nifti input"):
        mask_suffixes(case(".nii"), False, ["nifti", "dicom-seg"])
