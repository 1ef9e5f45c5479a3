"""The predict command on DICOM series: masks as DICOM-SEG and as volumes, in one place."""

import json
import shutil

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch

from pipeline.commands.evaluate import evaluate
from pipeline.commands.predict import predict
from pipeline.config.errors import UsageError
from pipeline.model_folder import load_model_folder, save_model_folder

LABELS = {"background": 0, "Anterior": 1, "hippocampus_right": 2}
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


@pytest.fixture(scope="module")
def three(tmp_path_factory, make_model):
    """A model on CT's scale with two structures, of both of which it finds some."""
    return str(make_model(tmp_path_factory.mktemp("models") / "model", labels=LABELS, spacing_mm=[2.0, 2.0, 2.5]))


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def statuses(folder):
    return {case["id"]: case["status"] for case in report_of(folder)["cases"]}


def assert_same_place(segmentation, mask, labels):
    """Compare the voxels of a DICOM-SEG with those of a label volume by where they lie in the patient."""
    found = set()
    for number in segmentation.segment_numbers:
        name = segmentation.get_segment_description(number).segment_label
        volume = segmentation.get_volume(segment_numbers=[number])
        indices = np.argwhere(volume.array[..., 0])
        ras = np.c_[indices, np.ones(len(indices))] @ (np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine).T
        voxels = ras @ np.linalg.inv(mask.affine).T
        assert np.abs(voxels - np.round(voxels)).max() < 1e-3
        there = np.zeros(mask.shape, bool)
        there[tuple(np.round(voxels[:, :3]).astype(int).T)] = True
        np.testing.assert_array_equal(there, np.asarray(mask.dataobj) == labels[name])
        found.add(name)
    present = set(np.unique(mask.dataobj)) - {0}
    assert {labels[name] for name in found} == present != set()


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE])
def test_the_dicom_seg_has_the_voxels_of_the_nifti_beside_it(tmp_path, three, make_dicom_series, orientation):
    make_dicom_series(tmp_path / "ct", orientation=orientation, backwards=True)
    out = tmp_path / "out"
    assert predict(three, tmp_path / "ct", out, overlays=True, probabilities=True) == 0
    (case,) = report_of(out)["cases"]
    assert set(case["outputs"]) == {"ct.dcm", "ct.nii.gz", "overlays/ct.png", "probabilities/ct.nii.gz"}
    segmentation = highdicom.seg.segread(out / "ct.dcm")
    assert_same_place(segmentation, nib.load(out / "ct.nii.gz"), LABELS)
    sources = {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "ct").iterdir()}
    assert {item.ReferencedSOPInstanceUID for item in segmentation.SourceImageSequence} == sources
    assert (out / "overlays" / "ct.png").stat().st_size > 1000


def test_what_predict_leaves_is_what_evaluate_takes(tmp_path, three, make_dicom_series):
    make_dicom_series(tmp_path / "in" / "ct")
    for out in ("masks", "reference"):
        assert predict(three, tmp_path / "in", tmp_path / out) == 0
    assert evaluate(tmp_path / "masks", tmp_path / "reference", tmp_path / "scores") == 0
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert summary["mean"]["dice"]["mean"] == 1


def test_formats_may_be_chosen(tmp_path, three, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    for formats, files in (
        (["dicom-seg"], ["ct.dcm"]),
        (["nrrd"], ["ct.nrrd"]),
        (["nrrd", "nifti", "dicom-seg"], ["ct.dcm", "ct.nii.gz", "ct.nrrd"]),
    ):
        out = tmp_path / "-".join(formats)
        assert predict(three, tmp_path / "ct", out, format=formats) == 0
        assert sorted(path.name for path in out.glob("ct.*")) == files


def test_f11_a_mixed_folder_fails_alone_and_all_takes_its_series(tmp_path, three, make_dicom_series):
    root = tmp_path / "in"
    make_dicom_series(root / "good")
    make_dicom_series(root / "mixed", name="plain", SeriesNumber=4)
    make_dicom_series(root / "mixed", name="contrast", SeriesNumber=5, seed=1)
    assert predict(three, root, tmp_path / "out") == 3
    assert statuses(tmp_path / "out") == {"good": "done", "mixed": "failed"}
    message = report_of(tmp_path / "out")["cases"][1]["messages"][0]
    for word in ("plain", "contrast", "--series"):
        assert word in message
    assert "Doe" not in json.dumps(report_of(tmp_path / "out"))
    assert predict(three, root, tmp_path / "out", series="all") == 0
    assert statuses(tmp_path / "out") == {"good": "skipped", "mixed_series4": "done", "mixed_series5": "done"}
    assert predict(three, root, tmp_path / "one", series="5") == 0
    assert statuses(tmp_path / "one") == {"mixed": "done"}
    masks = [np.asarray(nib.load(tmp_path / name).dataobj) for name in ("one/mixed.nii.gz", "out/mixed_series5.nii.gz")]
    np.testing.assert_array_equal(*masks)


def test_parts_of_a_series_may_be_the_channels(tmp_path, make_model, make_dicom_series):
    model = str(make_model(tmp_path / "model", channels=2, labels=LABELS))
    for echo in (1, 2):
        make_dicom_series(tmp_path / "mr", name=f"echo{echo}", seed=echo, SeriesInstanceUID="1.2.3", EchoNumbers=echo)
    assert predict(model, tmp_path / "mr", tmp_path / "out") == 0
    segmentation = highdicom.seg.segread(tmp_path / "out" / "mr.dcm")
    assert_same_place(segmentation, nib.load(tmp_path / "out" / "mr.nii.gz"), LABELS)
    first = {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "mr").glob("echo1_*")}
    assert {item.ReferencedSOPInstanceUID for item in segmentation.SourceImageSequence} == first


def test_f30_a_series_is_done_again_when_one_of_its_files_changes(tmp_path, three, make_dicom_series):
    paths = make_dicom_series(tmp_path / "ct")
    out = tmp_path / "out"
    assert predict(three, tmp_path / "ct", out) == 0
    assert predict(three, tmp_path / "ct", out) == 0
    assert statuses(out) == {"ct": "skipped"}
    first = pydicom.dcmread(out / "ct.dcm").SOPInstanceUID
    (out / "ct.dcm").unlink()
    assert predict(three, tmp_path / "ct", out) == 0
    assert statuses(out) == {"ct": "done"}
    assert pydicom.dcmread(out / "ct.dcm").SOPInstanceUID == first  # of the same source, model and settings
    image = pydicom.dcmread(paths[2])
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(paths[2])
    assert predict(three, tmp_path / "ct", out) == 0
    assert statuses(out) == {"ct": "done"}
    assert pydicom.dcmread(out / "ct.dcm").SOPInstanceUID != first


def test_where_nothing_is_found_the_report_says_so_and_the_empty_mask_is_written(
    tmp_path, make_model, make_dicom_series
):
    loaded = load_model_folder(make_model(tmp_path / "model"))
    with torch.no_grad():
        for parameter in loaded.network.parameters():
            parameter.zero_()  # all logits are equal, and the background wins
    save_model_folder(tmp_path / "blind", loaded.network, loaded.description)
    make_dicom_series(tmp_path / "ct")
    for _ in range(2):
        assert predict(str(tmp_path / "blind"), tmp_path / "ct", tmp_path / "out") == 0
    (case,) = report_of(tmp_path / "out")["cases"]
    assert case["status"] == "skipped"
    assert case["outputs"] == ["ct.nii.gz"]
    assert "no structure was found" in case["messages"][0]
    assert not (tmp_path / "out" / "ct.dcm").exists()
    assert not np.asarray(nib.load(tmp_path / "out" / "ct.nii.gz").dataobj).any()


def test_f31_dicom_folders_with_spaces_accents_long_names_and_links(tmp_path, three, make_dicom_series):
    root = tmp_path / "in put é"
    make_dicom_series(root / "a b" / "naïve-ß", name="s1")
    make_dicom_series(root / ("x" * 180) / ("y" * 180), name="s2")
    make_dicom_series(tmp_path / "elsewhere", name="s3")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    assert predict(three, root, tmp_path / "out é", overlays=True) == 0
    found = {path.stem for path in (tmp_path / "out é").glob("*.dcm")}
    assert found == set(statuses(tmp_path / "out é"))
    assert len(found) == 3
    assert {"a b_naïve-ß", "link"} < found


def test_a_dicom_seg_of_other_input_is_refused(tmp_path, three, write_scan, make_dicom_series):
    make_dicom_series(tmp_path / "in" / "ct")
    write_scan(tmp_path / "in" / "scan.nii.gz")
    assert predict(three, tmp_path / "in", tmp_path / "out", format=["dicom-seg"]) == 3
    assert statuses(tmp_path / "out") == {"ct": "done", "scan": "failed"}


def test_f32_a_series_unlike_those_of_training_is_told_and_refused_if_strict(tmp_path, make_model, make_dicom_series):
    seen = {
        "spacing_mm": [[1.2, 1.3], [1.4, 1.6], [2.9, 3.1]],
        "intensity": [{"low": [-1024, -900], "high": [900, 1024]}],
    }
    model = str(make_model(tmp_path / "model", training_range=seen))
    make_dicom_series(tmp_path / "in" / "alike", spacing=(1.25, 1.5, 3.0))
    make_dicom_series(tmp_path / "in" / "mr", spacing=(1.25, 1.5, 3.0), RescaleIntercept=0)
    make_dicom_series(tmp_path / "in" / "thick", spacing=(1.25, 1.5, 9.0))
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    told = {case["id"]: " ".join(case["messages"]) for case in report_of(tmp_path / "out")["cases"]}
    assert told["alike"] == ""
    assert "intensities" in told["mr"]
    assert "spacing" in told["thick"]
    assert predict(model, tmp_path / "in", tmp_path / "strict", strict=True) == 3
    assert statuses(tmp_path / "strict") == {"alike": "done", "mr": "failed", "thick": "failed"}


def test_f05_a_sheared_volume_is_refused_or_resampled_as_told(tmp_path, three, write_scan):
    affine = np.diag([1.0, 1.2, 2.0, 1.0])
    affine[1, 2] = 0.4
    write_scan(tmp_path / "scan.nii.gz", affine=affine)
    assert predict(three, tmp_path / "scan.nii.gz", tmp_path / "out") == 1
    assert "--sheared" in report_of(tmp_path / "out")["cases"][0]["messages"][0]
    assert predict(three, tmp_path / "scan.nii.gz", tmp_path / "out", sheared="resample") == 0
    mask = nib.load(tmp_path / "out" / "scan.nii.gz")
    assert mask.shape == (12, 10, 9)
    np.testing.assert_allclose(mask.affine, affine, atol=1e-6)


@pytest.mark.parametrize("spacing", [[1.0, 2.0], [1.0, 1.0, 0.0], [1.0, float("nan"), 1.0]])
def test_a_wrong_spacing_or_format_is_refused_before_anything_is_written(tmp_path, three, spacing):
    with pytest.raises(UsageError, match="--slice-spacing-mm"):
        predict(three, tmp_path, tmp_path / "out", slice_spacing_mm=spacing)
    with pytest.raises(UsageError, match="gif"):
        predict(three, tmp_path, tmp_path / "out", format=["gif"])
    assert not (tmp_path / "out").exists()


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["ct_thorax_series", "mr_hippocampus_series"])
def test_real_series_come_back_in_place(tmp_path, make_model, shared_data, name):
    model = str(make_model(tmp_path / "model", labels=LABELS, spacing_mm=[4.0, 4.0, 4.0], patch_size=[32, 32, 8]))
    source = shutil.copytree(shared_data / "dicom" / name, tmp_path / name)
    assert predict(model, source, tmp_path / "out", overlap=0.0) == 0
    segmentation = highdicom.seg.segread(tmp_path / "out" / f"{name}.dcm")
    mask = nib.load(tmp_path / "out" / f"{name}.nii.gz")
    assert mask.shape == {"ct_thorax_series": (512, 512, 20), "mr_hippocampus_series": (35, 51, 32)}[name]
    assert_same_place(segmentation, mask, LABELS)
    sources = {pydicom.dcmread(path).file_meta.MediaStorageSOPInstanceUID for path in source.iterdir()}
    assert {item.ReferencedSOPInstanceUID for item in segmentation.SourceImageSequence} == sources
    told = " ".join(report_of(tmp_path / "out")["cases"][0]["messages"])
    assert ("StudyInstanceUID" in told) == (name == "ct_thorax_series")
