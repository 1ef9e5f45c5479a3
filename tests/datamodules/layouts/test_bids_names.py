from pathlib import Path

import pytest

from datamodules.layouts.bids_names import parse_name


def parsed(name, folder="anat"):
    return parse_name(Path(folder) / f"{name}.nii.gz", name)


def test_a_name_is_pairs_and_a_suffix():
    file = parsed("sub-01_ses-a_acq-x-y_run-2_space-T1w_desc-z_dseg")
    assert (file.suffix, file.datatype, file.visit) == ("dseg", "anat", ("01", "a"))
    assert file.source == {"sub": "01", "ses": "a", "acq": "x-y", "run": "2"}
    assert file.is_native


@pytest.mark.parametrize(
    "name", ["sub-01", "T1w", "ses-1_sub-01_T1w", "sub-01_x_T1w", "sub-_T1w", "sub-01_T1w_", "a_b"]
)
def test_other_names_are_passed_over(name):
    assert parsed(name) is None


@pytest.mark.parametrize(
    ("label", "image", "misfit"),
    [
        ("sub-1_dseg", "sub-1_T1w", (0, 0)),
        ("sub-1_dseg", "sub-2_T1w", None),
        ("sub-1_dseg", "sub-1_ses-1_T1w", None),
        ("sub-1_dseg", "sub-1_run-1_T1w", (1, 0)),
        ("sub-1_run-2_dseg", "sub-1_run-1_T1w", None),
        ("sub-1_run-1_dseg", "sub-1_acq-x_T1w", (2, 0)),
        ("sub-1_space-orig_dseg", "sub-1_T1w", (0, 0)),
        ("sub-1_dseg", "sub-1_space-T1w_desc-preproc_T1w", (0, 2)),
        ("sub-1_space-MNI_dseg", "sub-1_T1w", None),
        ("sub-1_space-MNI_dseg", "sub-1_space-other_T1w", None),
        ("sub-1_space-MNI_dseg", "sub-1_space-MNI_desc-preproc_T1w", (0, 0)),
        ("sub-1_space-MNI_res-1_dseg", "sub-1_space-MNI_res-2_T1w", None),
        ("sub-1_space-MNI_res-1_dseg", "sub-1_space-MNI_res-1_T1w", (0, 0)),
        ("sub-1_space-MNI_res-1_dseg", "sub-1_space-MNI_T1w", (0, 0)),
        ("sub-1_den-10k_dseg", "sub-1_den-32k_T1w", None),
        ("sub-1_space-MNI_cohort-1_dseg", "sub-1_space-MNI_cohort-2_T1w", None),
        ("sub-1_space-MNI_cohort-1_dseg", "sub-1_space-MNI_T1w", (0, 0)),
    ],
)
def test_entities_tell_whether_a_label_fits_an_image(label, image, misfit):
    assert parsed(label).misfit(parsed(image)) == misfit


def test_images_of_another_folder_fit_no_label():
    assert parsed("sub-1_dseg").misfit(parsed("sub-1_T1w", "func")) is None
