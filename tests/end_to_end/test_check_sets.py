"""Faults that concern a data set as a whole, and what the command does with its findings."""

import gzip
import json
import shutil

import numpy as np
import pytest

from pipeline.cli import main


def found(content):
    return {(finding["code"], tuple(finding["cases"])) for finding in content["findings"]}


def again(data, source, target):
    """Store the same voxels in another file."""
    data.save(target, data.read(source).astype(np.float32))


ALL = tuple("abcdef")
TURNED = [[2.0, 0, 0, -46], [0, -2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]
STATED = {"train": ["a", "b", "c"], "val": ["d", "e", "f"]}
SETS = {
    "F16 a class nowhere": (
        lambda d: d.describe(labels={"background": 0, "left": 1, "right": 2, "liver": 3}),
        {("class-missing", ()), ("absent-structures", ALL)},
        0,
    ),
    "F16 a class in one case": (
        lambda d: d.erase(2, "bcdef"),
        {("class-missing-from-fold", ()), ("absent-structures", ALL[1:])},
        0,
    ),
    "F16 nothing drawn": (
        lambda d: [d.erase(1, ALL), d.erase(2, ALL)],
        {("no-foreground", ()), ("empty-label", ALL)},
        1,
    ),
    "label without image": (lambda d: shutil.copy(d.mask("a"), d.mask("z")), {("label-without-image", ())}, 0),
    "numTraining": (lambda d: d.describe(numTraining=7), {("num-training", ())}, 0),
    "no file_ending": (lambda d: d.describe(file_ending=None), {("dataset-json-incomplete", ())}, 0),
    "another ending": (
        lambda d: (d.root / "imagesTr" / "z_0000.nii").write_bytes(gzip.decompress(d.scan("a").read_bytes())),
        {("file-ending", ())},
        0,
    ),
    "no labels": (lambda d: d.describe(labels=None), {("labels-undeclared", ())}, 1),
    "a broken dataset.json": (lambda d: (d.root / "dataset.json").write_text("{"), {("layout", ())}, 1),
    "no data set": (lambda d: [shutil.rmtree(path) for path in d.root.iterdir() if path.is_dir()], {("layout", ())}, 1),
    "F17 an image twice": (
        lambda d: again(d, d.scan("c"), d.scan("d")),
        {("duplicate-image", ("c", "d")), ("mixed-dtype", ("d",))},
        3,
    ),
    "F17 a test image": (
        lambda d: again(d, d.scan("c"), d.scan("t", folder="imagesTs")),
        {("duplicate-test-image", ("c",))},
        0,
    ),
    "F17 an image twice in another orientation": (
        lambda d: [
            d.save(
                d.scan("d"),
                d.read(d.scan("c"))[::-1],
                np.array([[2.0, 0, 0, -46], [0, -2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]),
            ),
            d.turn(TURNED, d.mask("d")),
        ],
        {("duplicate-image", ("c", "d")), ("mixed-orientation", ("d",))},
        3,
    ),
    "F17 a patient in both parts of a later fold": (
        lambda d: (d.root / "splits_final.json").write_text(
            json.dumps(
                [{"train": ["a", "b", "c"], "val": ["d", "e", "f"]}, {"train": list(ALL), "val": ["d", "e", "f"]}]
            )
        ),
        {("patient-in-two-splits", ())},
        1,
    ),
    "a label twice": (lambda d: shutil.copy(d.mask("a"), d.mask("b")), {("duplicate-label", ("a", "b"))}, 0),
    "F31 names equal but for case": (
        lambda d: [shutil.copy(of("a"), of("A")) for of in (d.scan, d.mask)],
        {("name-twins", ())},
        1,
    ),
    "a broken test image": (
        lambda d: d.damage(d.scan("t", folder="imagesTs"), lambda content: content[:-40]),
        {("unreadable-image", ("imagesTs/t",))},
        0,
    ),
    "F17 a patient in both parts of the stated split": (
        lambda d: (d.root / "splits_final.json").write_text(
            json.dumps([{"train": ["a", "b", "c"], "val": ["c", "d", "e", "f"]}])
        ),
        {("patient-in-two-splits", ())},
        1,
    ),
}
CHANNELS = {
    "of another shape": (lambda d: d.change(d.scan("b", 1), lambda a: a[:-1]), {("channel-geometry", ("b",))}, 3),
    "of another place": (
        lambda d: d.turn(np.diag([-2, -2, 3.1, 1]), d.scan("b", 1)),
        {("channel-geometry", ("b",))},
        3,
    ),
    "missing": (lambda d: d.scan("b", 1).unlink(), {("missing-channel", ("b",))}, 3),
    "NaN": (lambda d: d.put(d.scan("b", 1), (1, 2, 3), np.nan, np.float32), {("not-finite", ("b",))}, 3),
    "copied to another channel": (
        lambda d: [shutil.copy(d.scan(case, 0), d.scan(case, 1)) for case in ALL],
        {("equal-channels", ALL)},
        0,
    ),
    "of another case": (
        lambda d: shutil.copy(d.scan("c", 1), d.scan("b", 1)),
        {("duplicate-channel", ("b", "c"))},
        0,
    ),
    "empty": (
        lambda d: d.change(d.scan("b", 1), np.zeros_like),
        {("empty-channel", ("b",)), ("intensity-outlier", ("b",)), ("intensity-scale", ("b",))},
        0,
    ),
}


@pytest.mark.parametrize(
    ("fault", "table", "start"),
    [
        *((fault, SETS, "sound_set") for fault in SETS),
        *((fault, CHANNELS, "sound_channels") for fault in CHANNELS),
    ],
)
def test_a_fault_of_the_set_is_found_and_nothing_else(fault, table, start, request, tmp_path, check):
    plant, expected, expected_code = table[fault]
    data = request.getfixturevalue(start).copy(tmp_path / "set")
    plant(data)
    code, content = check(data.root)
    assert found(content) == expected
    assert code == content["exit_code"] == expected_code


def test_f17_one_subject_in_two_groups_is_told_until_they_are_one(sound_set, tmp_path, check):
    data = sound_set.copy(tmp_path / "set")
    for case, name in (("a", "sub-01_ses-1"), ("b", "sub-01_ses-2")):
        data.scan(case).rename(data.scan(name))
        data.mask(case).rename(data.mask(name))
    assert found(check(data.root)[1]) == {("patient-in-groups", ("sub-01_ses-1", "sub-01_ses-2"))}
    assert check(data.root, "--group-pattern", "(sub-01|.)")[1]["findings"] == []


def test_fewer_groups_than_folds(sound_set, check):
    code, content = check(sound_set.root, "--folds", "7")
    assert found(content) == {("folds", ())}
    assert code == 1


def test_strict_counts_warnings(sound_set, tmp_path, check):
    data = sound_set.copy(tmp_path / "set")
    data.put(data.scan("b"), (0, 0, 0), -8000)
    assert check(data.root)[0] == 0
    assert check(data.root, "--strict")[0] == 3


def test_findings_are_printed_with_their_cases_and_remedies(sound_set, tmp_path, check, capsys):
    data = sound_set.copy(tmp_path / "set")
    data.put(data.scan("b"), (3, 4, 5), np.nan, np.float32)
    data.put(data.mask("c"), (21, 1, 1), 1)
    check(data.root)
    shown = capsys.readouterr().err
    assert (
        "1 error\n  not-finite: expected finite voxels, found 1 NaN or infinite, the first at voxel (3, 4, 5)" in shown
    )
    assert "    in b\n" in shown
    assert "mend the file or leave the case out of training" in shown
    assert "1 note\n  specks: " in shown
    assert "6 cases: 1 error, 0 warnings, 1 note; 5 cases can be trained on once 1 are mended or taken out" in shown
    assert "Disk: prepared at the median spacing of 2 x 2 x 3 mm the cases take " in shown
    assert f"see {tmp_path / 'out' / 'check.json'} and {tmp_path / 'out' / 'check.html'}" in shown
    assert "not-finite" in (tmp_path / "out" / "check.html").read_text()


def test_check_json_holds_versions_settings_facts_and_forecasts(sound_set, check):
    content = check(sound_set.root)[1]
    assert content["versions"]["torch"]
    assert content["settings"]["folds"] == 2
    assert len(content["splits"]) == 2
    case = content["cases"]["a"]
    assert (case["shape"], case["spacing_mm"], case["orientation"]) == ([24, 20, 16], [2.0, 2.0, 3.0], "LPS")
    assert sum(case["channels"][0]["histogram"]) == 24 * 20 * 16
    assert case["structures"]["left"]["voxels"] == 6 * 8 * 8
    assert content["forecast"]["cache_bytes"] == 6 * 24 * 20 * 16 * 5
    assert content["forecast"]["available_bytes"] > content["forecast"]["memory_bytes"] > 0


def test_the_folder_of_results_is_named_after_the_data(sound_set, tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(sound_set.root), "--cache-dir", str(cache), "--workers", "0"]) == 0
    assert sorted(path.name for path in (tmp_path / "check-set").iterdir()) == ["check.html", "check.json"]


@pytest.mark.parametrize(
    "options",
    [
        ["nowhere"],
        ["SET", "--folds", "1"],
        ["SET", "--slice-spacing-mm", "1", "1", "0"],
        ["SET", "--output", "SET/dataset.json"],
        [],
    ],
)
def test_f34_options_that_cannot_be(options, sound_set, cache):
    given = [option.replace("SET", str(sound_set.root)) for option in options]
    assert main(["check", *given, "--cache-dir", str(cache)]) == 2


def test_images_and_masks_are_checked_with_stated_labels(slices, check):
    assert check(slices, "--labels", "{disc: 255}", "--folds", "3")[1]["findings"] == []
    code, content = check(slices, "--labels", "{disc: 254}")
    assert found(content) == {("label-undeclared", (f"slice_{number}",)) for number in range(6)}
    assert code == 1


def test_f17_a_patient_in_both_parts_of_a_table(sound_set, tmp_path, check):
    rows = [f"{case},{sound_set.scan(case)},{sound_set.mask(case)},{case}" for case in ALL]
    table = tmp_path / "cases.csv"
    rows = [f"{row},{'train' if index < 4 else 'validation'}" for index, row in enumerate(rows)]
    table.write_text("\n".join(["id,image,label,group,split", *rows]))
    labels = "{left: 1, right: 2}"
    assert found(check(table, "--labels", labels)[1]) == set()
    table.write_text(table.read_text().replace(",e,validation", ",a,validation"))
    code, content = check(table, "--labels", labels)
    assert found(content) == {("patient-in-two-splits", ())}
    assert code == 1


def test_training_refuses_errors_by_name_and_hints_at_the_check(sound_set, tmp_path, cache, work, capsys):
    data = sound_set.copy(tmp_path / "set")
    data.put(data.scan("b"), (3, 4, 5), np.nan, np.float32)
    data.put(data.mask("d"), (1, 1, 1), 7)
    options = ["--config", "unet_ct.yaml", "--data.root", str(data.root), "--data.cache_dir", str(cache)]
    assert main(["train", *options, "--data.workers", "0"]) == 1
    shown = capsys.readouterr().err
    assert "2 of 6 that are not:" in shown
    assert "b_0000.nii.gz: expected finite voxels" in shown
    assert "d.nii.gz: expected the declared values 0, 1, 2, found undeclared: 7" in shown
    assert f"pipeline check {data.root}" in shown


def test_poses_are_checked_by_the_same_command(figures, tmp_path, check):
    code, content = check(figures)
    assert (code, content["findings"], content["kind"], content["layout"]) == (0, [], "pose", "coco")
    root = shutil.copytree(figures, tmp_path / "poses")
    first, second = sorted((root / "images").iterdir())[:2]
    second.write_bytes(first.read_bytes())
    code, content = check(root)
    assert found(content) == {("duplicate-image", (first.stem, second.stem))}
    assert code == 3
