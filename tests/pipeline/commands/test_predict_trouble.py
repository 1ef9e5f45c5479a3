"""The predict command on bad input, interrupted work and wrong usage: report, exit code, and what is left alone."""

import json

import nibabel as nib
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from pipeline.commands.predict import predict
from pipeline.config.errors import UsageError


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def statuses(folder):
    return {case["id"]: case["status"] for case in report_of(folder)["cases"]}


def test_f01_a_truncated_copy_does_not_stop_the_others(tmp_path, model, write_scan, caplog):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b", "d"):
        write_scan(folder / f"{name}.nii.gz")
    whole = (folder / "a.nii.gz").read_bytes()
    (folder / "c.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert predict(model, folder, out) == 3
    assert statuses(out) == {"a": "done", "b": "done", "c": "failed", "d": "done"}
    assert "c.nii.gz" in caplog.text
    assert not (out / "c.nii.gz").exists()
    failed = next(case for case in report_of(out)["cases"] if case["id"] == "c")
    assert "expected" in failed["messages"][0]
    assert predict(model, folder, out) == 3
    assert statuses(out) == {"a": "skipped", "b": "skipped", "c": "failed", "d": "skipped"}
    (folder / "c.nii.gz").write_bytes(whole)
    assert predict(model, folder, out) == 0
    assert statuses(out) == {"a": "skipped", "b": "skipped", "c": "done", "d": "skipped"}


def test_all_cases_failing_is_a_failure(tmp_path, model):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii.gz").write_bytes(b"")
    assert predict(model, tmp_path / "in", tmp_path / "out") == 1


def test_f06_not_finite_voxels_are_replaced_and_reported(tmp_path, model, write_scan, caplog):
    array = np.random.default_rng(0).normal(size=(12, 10, 9)).astype(np.float32)
    mended = array.copy()
    array[0, 0, 0], array[3, 4, 5] = np.nan, np.inf
    mended[0, 0, 0] = mended[3, 4, 5] = np.nanmin(array)
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "broken.nii.gz", array=array)
    write_scan(tmp_path / "in" / "mended.nii.gz", array=mended)
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    broken, whole = (nib.load(tmp_path / "out" / f"{name}.nii.gz").get_fdata() for name in ("broken", "mended"))
    np.testing.assert_array_equal(broken, whole)
    assert "2 voxels" in report_of(tmp_path / "out")["cases"][0]["messages"][0]
    assert "broken: 2 voxels" in caplog.text


def test_f09_a_4d_file_needs_the_volume_to_be_named(tmp_path, model, write_scan):
    volumes = np.random.default_rng(0).normal(size=(12, 10, 9, 2)).astype(np.float32)
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.nii.gz", array=volumes)
    assert predict(model, tmp_path / "in", tmp_path / "out") == 1
    assert "--volume" in report_of(tmp_path / "out")["cases"][0]["messages"][0]
    assert predict(model, tmp_path / "in", tmp_path / "out", volume=1) == 0
    write_scan(tmp_path / "second.nii.gz", array=volumes[..., 1])
    assert predict(model, tmp_path / "second.nii.gz", tmp_path / "out2") == 0
    np.testing.assert_array_equal(
        nib.load(tmp_path / "out" / "a.nii.gz").get_fdata(),
        nib.load(tmp_path / "out2" / "second.nii.gz").get_fdata(),
    )


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("[!.]*.nii.gz")}


def test_f30_a_second_start_computes_nothing_twice(tmp_path, model, make_model, write_scan):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        write_scan(folder / f"{name}.nii.gz", seed=seed)
    assert predict(model, folder, out) == 0
    first = stamps(out)
    (out / ".0123456789abcdef.nii.gz").write_bytes(b"left over")
    assert predict(model, folder, out) == 0
    assert stamps(out) == first
    assert set(statuses(out).values()) == {"skipped"}

    write_scan(folder / "b.nii.gz", seed=9)
    assert predict(model, folder, out) == 0
    assert statuses(out) == {"a": "skipped", "b": "done", "c": "skipped"}
    (out / "c.nii.gz").unlink()
    assert predict(model, folder, out) == 0
    assert statuses(out) == {"a": "skipped", "b": "skipped", "c": "done"}
    for change in ({"overlap": 0.25}, {"mirror": True}, {"probabilities": True}, {"overwrite": True}):
        assert predict(model, folder, out, **change) == 0
        assert set(statuses(out).values()) == {"done"}, change
    other = make_model(tmp_path / "other", seed=1)
    assert predict(str(other), folder, out) == 0
    assert set(statuses(out).values()) == {"done"}


def test_f30_earlier_cases_are_kept_when_another_input_follows(tmp_path, model, write_scan):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_scan(tmp_path / name / f"{name}.nii.gz")
    for name, status in (("a", "done"), ("b", "done"), ("a", "skipped")):
        assert predict(model, tmp_path / name, tmp_path / "out") == 0
        assert statuses(tmp_path / "out") == {name: status}


def test_files_of_another_origin_are_not_replaced_unasked(tmp_path, model, write_scan):
    (tmp_path / "out").mkdir()
    write_scan(tmp_path / "scan.nii.gz")
    write_scan(tmp_path / "out" / "scan.nii.gz", seed=5)
    before = (tmp_path / "out" / "scan.nii.gz").read_bytes()
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "out") == 1
    assert (tmp_path / "out" / "scan.nii.gz").read_bytes() == before
    assert "--overwrite" in report_of(tmp_path / "out")["cases"][0]["messages"][0]
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "out", overwrite=True) == 0
    assert predict(model, tmp_path / "scan.nii.gz", tmp_path / "out") == 0
    assert statuses(tmp_path / "out") == {"scan": "skipped"}


def test_f31_spaces_accents_long_names_and_links_work(tmp_path, model, write_scan):
    folder = tmp_path / "in put é"
    folder.mkdir()
    names = ["a b", "é è", "x" * 240, "a.b.c", "naïve-ß_Ω", "$x_$ _y"]
    for name in names:
        write_scan(folder / f"{name}.nii.gz")
    (folder / "link.nii.gz").symlink_to(folder / "a b.nii.gz")
    (folder / "notes.txt").write_text("not a volume")
    (folder / ".hidden.nii.gz").write_bytes(b"")
    out = tmp_path / "out put é"
    assert predict(model, folder, out, overlays=True) == 0
    assert {path.name for path in out.glob("*.nii.gz")} == {f"{name}.nii.gz" for name in [*names, "link"]}
    assert predict(model, folder, out, overlays=True) == 0
    assert set(statuses(out).values()) == {"skipped"}


def test_f31_names_equal_but_for_case_are_refused_before_anything_is_written(tmp_path, model, write_scan):
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "Case.nii.gz")
    write_scan(tmp_path / "in" / "case.nii.gz")
    with pytest.raises(DataError, match="Case"):
        predict(model, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_f32_a_wrong_number_of_channels_is_refused(tmp_path, make_model, write_scan):
    model = make_model(tmp_path / "model", channels=2)
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a_0000.nii.gz")
    with pytest.raises(DataError, match="2 channel"):
        predict(str(model), tmp_path / "in", tmp_path / "out")
    write_scan(tmp_path / "in" / "b_0000.nii.gz")
    write_scan(tmp_path / "in" / "b_0001.nii.gz")
    assert predict(str(model), tmp_path / "in", tmp_path / "out") == 3
    assert statuses(tmp_path / "out") == {"a": "failed", "b": "done"}


def test_f32_an_image_unlike_those_of_training_warns_and_strict_refuses(tmp_path, make_model, write_scan, caplog):
    seen = {
        "spacing_mm": [[0.9, 1.1], [1.1, 1.3], [1.9, 2.1]],
        "intensity": [{"low": [-3.0, -2.0], "high": [2.0, 3.0]}],
    }
    model = str(make_model(tmp_path / "model", training_range=seen))
    (tmp_path / "in").mkdir()
    array = write_scan(tmp_path / "in" / "alike.nii.gz")
    write_scan(tmp_path / "in" / "bright.nii.gz", array=array + 1000)
    write_scan(tmp_path / "in" / "coarse.nii.gz", affine=np.diag([4.0, 4.0, 4.0, 1.0]))
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    messages = {case["id"]: case["messages"] for case in report_of(tmp_path / "out")["cases"]}
    assert messages["alike"] == []
    assert "intensities" in messages["bright"][0]
    assert "spacing" in messages["coarse"][0]
    assert "in training" in caplog.text
    assert predict(model, tmp_path / "in", tmp_path / "strict", strict=True) == 3
    assert statuses(tmp_path / "strict") == {"alike": "done", "bright": "failed", "coarse": "failed"}


def test_wrong_usage_is_refused_before_anything_is_written(tmp_path, model, write_scan):
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.nii.gz")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "in")
    cases = [
        ({"output": tmp_path / "in"}, "folder of the input"),
        ({"output": link}, "folder of the input"),
        ({"output": tmp_path / "in" / "a.nii.gz"}, "found a file"),
        ({"input": tmp_path / "absent"}, "no such file"),
        ({"overlap": 1.0}, "overlap"),
        ({"volume": -1}, "volume"),
        ({"device": "toaster"}, "toaster"),
        ({"precision": "fp16", "device": "cpu"}, "fp16"),
    ]
    for change, message in cases:
        with pytest.raises(UsageError, match=message):
            predict(**{"model": model, "input": tmp_path / "in", "output": tmp_path / "out", **change})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "link"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.nii.gz"]
