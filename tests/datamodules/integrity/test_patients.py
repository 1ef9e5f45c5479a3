import numpy as np
import pytest

from datamodules.integrity.patients import patient_of, subject_in


def test_the_patient_of_a_series_is_told_from_others_but_not_named(tmp_path, write_series):
    series = [write_series(tmp_path / str(number), patient) for number, patient in enumerate(("P1", "P1", "P2"))]
    first, same, other = (patient_of(folder) for folder in series)
    assert first == same != other
    assert "P1" not in first
    assert patient_of(next(series[0].iterdir())) == first


def test_other_formats_and_nameless_patients_have_none(tmp_path, write_volume, write_series):
    assert patient_of(write_volume(tmp_path / "a.nii.gz", np.zeros((2, 2, 2), np.int16))) == ""
    assert patient_of(write_series(tmp_path / "s", "")) == ""


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("sub-01_ses-2_T1w", "sub-01"),
        ("scan_sub-A7", "sub-A7"),
        ("subject_1", ""),
        ("a-sub-1", "sub-1"),
        ("submarine", ""),
    ],
)
def test_the_subject_of_a_name_in_the_style_of_bids(name, subject):
    assert subject_in(name) == subject
