import json
import re

import pytest

from datamodules.cases import read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.layouts import find_cases, layout_of

TABLE = "index\tname\tcolor\n0\tBackground\t#000\n1\tAnterior\t#f00\n2\tPosterior\t#0f0\n"


@pytest.fixture
def bids(tmp_path, write_mask):
    """Write images and labels by name; labels go to derivatives/manual."""

    def write(*names, top=tmp_path):
        for name in names:
            pairs = dict(pair.split("-") for pair in name.split("_")[:-1])
            folder = f"sub-{pairs['sub']}" + (f"/ses-{pairs['ses']}" if "ses" in pairs else "")
            derived = name.endswith(("dseg", "mask", "probseg")) or "space" in pairs
            values = (1, 2) if name.endswith("dseg") else (1,)
            write_mask(top / ("derivatives/manual" if derived else "") / folder / "anat" / f"{name}.nii.gz", values)
        (top / "derivatives" / "manual" / "dseg.tsv").write_text(TABLE, encoding="utf-8")
        return top

    return write


def test_labels_of_derivatives_join_their_raw_images(bids):
    root = bids("sub-02_ses-1_T1w", "sub-02_ses-1_dseg", "sub-01_T1w", "sub-01_dseg", "sub-02_ses-2_T1w")
    bids("sub-02_ses-2_space-orig_desc-manual_dseg")
    listing = find_cases(root)
    assert (listing.layout, listing.channel_names) == ("bids", ("T1w",))
    assert [(case.id, case.group) for case in listing.cases] == [
        ("sub-01", "sub-01"),
        ("sub-02_ses-1", "sub-02"),
        ("sub-02_ses-2", "sub-02"),
    ]
    assert listing.labels.names == ("Anterior", "Posterior")
    assert listing.notes == ()
    for case in listing.cases:
        assert read_image(case, 1).shape == read_label(case).shape


def test_several_kinds_of_images_are_channels_where_every_case_has_them(bids, caplog):
    root = bids("sub-1_T2w", "sub-1_T1w", "sub-1_FLAIR", "sub-1_dseg", "sub-2_acq-mpr_T1w", "sub-2_T2w", "sub-2_dseg")
    listing = find_cases(root)
    assert listing.channel_names == ("T1w", "T2w")
    assert [path.name for path in listing.cases[1].images] == ["sub-2_acq-mpr_T1w.nii.gz", "sub-2_T2w.nii.gz"]
    assert listing.notes == ("FLAIR is no channel, as 1 case(s) have none: sub-2",)
    assert listing.notes[0] in caplog.text


def test_no_kind_of_image_in_every_case_is_refused(bids):
    with pytest.raises(DataError, match="sub-1: T1w; sub-2: T2w"):
        find_cases(bids("sub-1_T1w", "sub-1_dseg", "sub-2_T2w", "sub-2_dseg"))


def test_runs_are_told_apart(bids):
    root = bids("sub-1_run-1_T1w", "sub-1_run-2_T1w", "sub-1_run-2_dseg", "sub-1_run-1_dseg")
    listing = find_cases(root)
    assert [case.id for case in listing.cases] == ["sub-1_run-1", "sub-1_run-2"]
    assert [case.images[0].name for case in listing.cases] == ["sub-1_run-1_T1w.nii.gz", "sub-1_run-2_T1w.nii.gz"]
    for label in (root / "derivatives" / "manual" / "sub-1" / "anat").glob("*run-2*"):
        label.rename(label.with_name("sub-1_dseg.nii.gz"))
    with pytest.raises(DataError, match=r"one T1w that it belongs to.*run-1_T1w.*run-2_T1w"):
        find_cases(root)


def test_gaps_are_listed_and_not_refused(bids, caplog):
    root = bids("sub-1_T1w", "sub-1_dseg", "sub-2_T1w", "sub-3_dseg")
    listing = find_cases(root)
    assert [case.id for case in listing.cases] == ["sub-1"]
    assert [path.name for path in listing.unlabelled] == ["sub-2_T1w.nii.gz"]
    assert [path.name for path in listing.unused] == ["sub-3_dseg.nii.gz"]
    assert "1 images without a label: sub-2_T1w.nii.gz" in caplog.text


def test_masks_by_name_are_overlapping_structures(bids):
    names = [f"sub-{n}_label-{name}_mask" for n in (1, 2) for name in ("lesion", "cortex")]
    root = bids("sub-1_T1w", "sub-2_T1w", "sub-1_desc-brain_mask", *names)
    listing = find_cases(root)
    assert listing.labels.overlapping
    assert listing.labels.names == ("cortex", "lesion")
    assert read_label(listing.cases[0]).array.shape[0] == 2
    assert listing.notes == ("passed over 1 file(s) that label no case by themselves: sub-1_desc-brain_mask.nii.gz",)
    bids("sub-3_T1w", "sub-3_label-cortex_mask")
    with pytest.raises(DataError, match="none for lesion of sub-3"):
        find_cases(root)


def test_two_labels_of_a_case_are_refused_unless_one_is_in_the_space_of_the_image(bids):
    root = bids("sub-1_T1w", "sub-1_space-MNI_dseg", "sub-1_dseg")
    listing = find_cases(root)
    assert listing.cases[0].label.name == "sub-1_dseg.nii.gz"
    assert "sub-1_space-MNI_dseg.nii.gz" in listing.notes[0]
    bids("sub-1_run-1_T1w", "sub-2_T1w", "sub-2_desc-a_dseg", "sub-2_desc-b_dseg")
    with pytest.raises(
        DataError, match=r"one label of sub-2, found .*desc-a_dseg.*desc-b_dseg\S+ move all but one els"
    ):
        find_cases(root)


def test_of_the_labels_in_one_folder_as_of_fmriprep_that_without_desc_is_taken(bids):
    root = bids("sub-1_T1w", "sub-1_dseg", "sub-1_desc-aseg_dseg", "sub-1_desc-aparcaseg_dseg")
    listing = find_cases(root)
    assert listing.cases[0].label.name == "sub-1_dseg.nii.gz"
    assert re.search(r"passed over 2 file.*desc-aparcaseg_dseg.*desc-aseg_dseg", listing.notes[0])
    # a label by hand is not passed over for one of a program
    (root / "derivatives" / "manual").rename(root / "derivatives" / "fmriprep")
    bids("sub-1_desc-manual_dseg")
    with pytest.raises(DataError, match=r"one label of sub-1.*name one data set of derivatives as data\.root"):
        find_cases(root)


def test_the_image_beside_a_label_goes_before_the_raw_one(bids, write_mask):
    root = bids("sub-1_run-1_T1w", "sub-1_run-2_T1w", "sub-1_T2w", "sub-1_dseg", "sub-2_T1w", "sub-2_dseg")
    folder = root / "derivatives" / "manual"
    for name in ("sub-1", "sub-2"):
        write_mask(folder / name / "anat" / f"{name}_desc-preproc_T1w.nii.gz")
    listing = find_cases(root)
    assert listing.channel_names == ("T1w",)
    assert [case.images[0].parent for case in listing.cases] == [folder / name / "anat" for name in ("sub-1", "sub-2")]
    assert "T2w of 1 case(s) is passed over, as it does not lie beside the label: sub-1" in listing.notes


def test_a_preprocessed_image_of_the_same_name_goes_before_one_of_several_runs(bids, write_mask):
    root = bids("sub-1_run-1_T1w", "sub-1_run-2_T1w", "sub-1_dseg")
    preprocessed = root / "derivatives" / "fmriprep" / "sub-1" / "anat" / "sub-1_desc-preproc_T1w.nii.gz"
    write_mask(preprocessed)
    assert find_cases(root).cases[0].images == (preprocessed,)


def test_a_table_of_very_many_labels_is_told(bids):
    root = bids("sub-1_T1w", "sub-1_dseg")
    table = root / "derivatives" / "manual" / "dseg.tsv"
    table.write_text("index\tname\n" + "".join(f"{i}\tregion {i}\n" for i in range(1, 131)), encoding="utf-8")
    (note,) = find_cases(root).notes
    assert note.startswith("130 labels are named, and each is an output of the network")
    assert find_cases(root, labels={"background": 0, "a": 1}).notes == ()


def test_labels_in_another_space_take_the_images_of_that_space(bids):
    root = bids("sub-1_T1w", "sub-1_space-MNI_desc-preproc_T1w", "sub-1_space-MNI_dseg")
    assert find_cases(root).cases[0].images[0].name == "sub-1_space-MNI_desc-preproc_T1w.nii.gz"
    (root / "derivatives/manual/sub-1/anat/sub-1_space-MNI_desc-preproc_T1w.nii.gz").unlink()
    with pytest.raises(DataError, match="none for 1 label"):
        find_cases(root)


@pytest.mark.parametrize("key", ["DatasetLinks", "SourceDatasets", None])
def test_the_root_may_be_the_data_set_of_derivatives(bids, tmp_path, key):
    top = bids("sub-1_T1w", "sub-1_dseg", top=tmp_path / "raw data")
    root = top / "derivatives" / "manual"
    if key:
        (top / "derivatives" / "manual").rename(tmp_path / "labels")
        root = tmp_path / "labels"
    places = {"DatasetLinks": {"raw": "../raw data"}, "SourceDatasets": [{"DOI": "x"}, {"URL": "file:../raw%20data"}]}
    description = {"Name": "x", "DatasetType": "derivative"} | ({key: places[key]} if key else {})
    (root / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    listing = find_cases(root)
    assert (listing.layout, listing.labels.names) == ("bids", ("Anterior", "Posterior"))
    assert read_image(listing.cases[0], 1).array.shape[0] == 1


def test_derivatives_without_their_raw_data_name_the_remedy(bids, tmp_path):
    (bids("sub-1_dseg") / "derivatives" / "manual").rename(tmp_path / "labels")
    (tmp_path / "labels" / "dataset_description.json").write_text('{"DatasetType": "derivative"}', encoding="utf-8")
    with pytest.raises(DataError, match="DatasetLinks"):
        find_cases(tmp_path / "labels")


def test_f17_a_file_in_the_folder_of_another_subject_is_refused(bids):
    root = bids("sub-1_T1w", "sub-1_dseg", "sub-2_T1w")
    (root / "sub-2" / "anat" / "sub-2_T1w.nii.gz").rename(root / "sub-2" / "anat" / "sub-1_run-2_T1w.nii.gz")
    with pytest.raises(DataError, match=r"the file in sub-1/anat/.*found sub-2/anat"):
        find_cases(root)


def test_subjects_without_any_derivatives_are_in_no_layout(bids, tmp_path):
    bids("sub-1_T1w", "sub-1_dseg")
    (tmp_path / "derivatives").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="known layout"):
        layout_of(tmp_path)


def test_derivatives_without_labels_are_refused(bids):
    with pytest.raises(DataError, match="none among 1 volumes"):
        find_cases(bids("sub-1_T1w", "sub-1_probseg"))


def test_f31_a_broken_link_as_of_an_annex_is_named(bids):
    root = bids("sub-1_T1w", "sub-1_dseg")
    path = root / "sub-1" / "anat" / "sub-1_T1w.nii.gz"
    path.unlink()
    path.symlink_to("../../.git/annex/objects/x")
    (case,) = find_cases(root).cases
    with pytest.raises(DataError, match=r"sub-1_T1w\.nii\.gz.*symbolic link to .*annex"):
        read_image(case)
