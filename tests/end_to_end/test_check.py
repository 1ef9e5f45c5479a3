"""Plant each fault in a copy of a sound data set, and expect its finding, its cases, and nothing else."""

import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from pipeline.cli import main

SHAPE = (24, 20, 16)
AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
CASES = ["a", "b", "c", "d", "e", "f"]


def save(path, array, affine=AFFINE, **header):
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, path)


def scan(root, case, channel=0, folder="imagesTr"):
    return root / folder / f"{case}_{channel:04d}.nii.gz"


def mask(root, case):
    return root / "labelsTr" / f"{case}.nii.gz"


def write_case(root, case, seed, folder="imagesTr", channels=1):
    rng = np.random.default_rng(seed)
    label = np.zeros(SHAPE, np.uint8)
    start = seed % 3
    label[3 + start : 9, 6:14, 4:12], label[12:18, 6 + start : 14, 4:12] = 1, 2
    for channel in range(channels):
        body = np.full(SHAPE, -1000.0)
        body[2:-2, 2:-2, 1:-1] = 40
        voxels = body + 60 * label + rng.normal(0, 15, SHAPE)
        save(scan(root, case, channel, folder), np.clip(voxels, -1024, 3000).astype(np.int16))
    if folder == "imagesTr":
        save(mask(root, case), label)


def write_set(root, channels=1):
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        (root / folder).mkdir(parents=True)
    for seed, case in enumerate(CASES):
        write_case(root, case, seed, channels=channels)
    write_case(root, "t", 99, "imagesTs", channels=channels)
    describe(root, channel_names={str(channel): f"CT {channel}" for channel in range(channels)})
    return root


def describe(root, **changes):
    path = root / "dataset.json"
    content = {
        "labels": {"background": 0, "left": 1, "right": 2},
        "numTraining": len(CASES),
        "file_ending": ".nii.gz",
    }
    content = (json.loads(path.read_text()) if path.exists() else content) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def change(path, function, **header):
    image = nib.load(path)
    array = function(np.array(image.dataobj))
    save(path, array, image.affine, **header)


def put(voxel, value):
    def function(array):
        array[voxel] = value
        return array

    return function


def with_affine(path, affine):
    save(path, np.array(nib.load(path).dataobj), np.array(affine, dtype=float))


def both_affines(root, case, affine):
    for path in (scan(root, case), mask(root, case)):
        with_affine(path, affine)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


def one_class(root, cases, value):
    for case in cases:
        change(mask(root, case), lambda array: np.where(array == value, 0, array).astype(np.uint8))


def shear():
    affine = AFFINE.copy()
    affine[0, 2] = 0.6
    return affine


def forms_apart(path):
    image = nib.load(path)
    other = AFFINE.copy()
    other[0, 3] += 5
    image.set_qform(other, 1)
    nib.save(image, path)


FAULTS = {
    "F01 cut short": (lambda r: cut_short(scan(r, "b")), {("unreadable-image", "b")}, 3),
    "F01 label cut short": (lambda r: cut_short(mask(r, "b")), {("unreadable-label", "b")}, 3),
    "F02 flipped bit": (lambda r: flip_bit(scan(r, "b")), {("unreadable-image", "b")}, 3),
    "F03 empty": (lambda r: scan(r, "b").write_bytes(b""), {("unreadable-image", "b")}, 3),
    "F03 a web page": (lambda r: scan(r, "b").write_text("<html>"), {("unreadable-image", "b")}, 3),
    "F04 sform and qform": (lambda r: forms_apart(scan(r, "c")), {("doubtful-geometry", "c")}, 0),
    "F05 shear": (lambda r: both_affines(r, "c", shear()), {("sheared", "c")}, 3),
    "F06 NaN": (
        lambda r: change(scan(r, "d"), lambda a: put((3, 4, 5), np.nan)(a.astype(np.float32))),
        {("not-finite", "d")},
        3,
    ),
    "F06 infinity": (
        lambda r: change(scan(r, "d"), lambda a: put((0, 0, 0), -np.inf)(a.astype(np.float32))),
        {("not-finite", "d")},
        3,
    ),
    "F07 absurd spacing": (
        lambda r: both_affines(r, "d", np.diag([-2.0, -2.0, 40.0, 1.0])),
        {("absurd-spacing", "d"), ("anisotropy", "d"), ("spacing-outlier", "d")},
        0,
    ),
    "F07 spacing of 90 mm": (
        lambda r: both_affines(r, "d", np.diag([-2.0, -2.0, 90.0, 1.0])),
        {("unreadable-image", "d"), ("unreadable-label", "d")},
        3,
    ),
    "default spacing": (
        lambda r: both_affines(r, "e", np.eye(4)),
        {("default-spacing", "e"), ("mixed-orientation", "e")},
        0,
    ),
    "another orientation": (
        lambda r: both_affines(r, "e", np.diag([2.0, -2.0, 3.0, 1.0])),
        {("mixed-orientation", "e")},
        0,
    ),
    "F09 four axes": (
        lambda r: save(scan(r, "a"), np.zeros((*SHAPE, 3), np.int16)),
        {("unreadable-image", "a")},
        3,
    ),
    "F14 undeclared value": (
        lambda r: change(mask(r, "a"), put((1, 1, 1), 7)),
        {("label-undeclared", "a")},
        3,
    ),
    "F14 not an integer": (
        lambda r: change(mask(r, "a"), lambda array: put((1, 1, 1), 0.5)(array.astype(np.float32))),
        {("label-not-integer", "a")},
        3,
    ),
    "F15 another shape": (lambda r: change(mask(r, "f"), lambda a: a[:, :, :-1]), {("label-shape", "f")}, 3),
    "F15 another affine": (
        lambda r: with_affine(mask(r, "f"), np.diag([-2.0, -2.0, 3.01, 1])),
        {("label-affine", "f")},
        3,
    ),
    "F16 empty label": (lambda r: change(mask(r, "c"), np.zeros_like), {("empty-label", "c")}, 0),
    "one voxel": (
        lambda r: change(mask(r, "c"), lambda a: put((14, 8, 8), 2)(np.where(a == 2, 0, a).astype(np.uint8))),
        {("one-voxel-structure", "c")},
        0,
    ),
    "specks": (lambda r: change(mask(r, "c"), put((21, 1, 1), 1)), {("specks", "c")}, 0),
    "F16 part of the classes": (lambda r: one_class(r, "c", 2), {("absent-structures", "c")}, 0),
    "F16 a class nowhere": (
        lambda r: describe(r, labels={"background": 0, "left": 1, "right": 2, "liver": 3}),
        {("class-missing", ""), ("absent-structures", "abcdef")},
        0,
    ),
    "F16 a class in one case": (
        lambda r: one_class(r, "bcdef", 2),
        {("class-missing-from-fold", ""), ("absent-structures", "bcdef")},
        0,
    ),
    "F16 nothing drawn": (
        lambda r: [change(mask(r, case), np.zeros_like) for case in CASES],
        {("no-foreground", ""), ("empty-label", "abcdef")},
        1,
    ),
    "constant channel": (
        lambda r: change(scan(r, "b"), lambda a: np.full_like(a, 7)),
        {("constant-channel", "b"), ("intensity-outlier", "b"), ("intensity-scale", "b")},
        0,
    ),
    "8-bit CT": (
        lambda r: change(scan(r, "b"), lambda a: ((a + 1024.0) / 8).clip(0, 255).astype(np.int16)),
        {("implausible-hu", "b"), ("intensity-outlier", "b"), ("intensity-scale", "b")},
        0,
    ),
    "lost intercept": (
        lambda r: change(scan(r, "b"), lambda a: (a + 1024).astype(np.int16)),
        {("implausible-hu", "b"), ("intensity-outlier", "b")},
        0,
    ),
    "mixed types": (lambda r: change(scan(r, "b"), lambda a: a.astype(np.float32)), {("mixed-dtype", "b")}, 0),
    "another size": (
        lambda r: [change(path, lambda a: np.tile(a, (1, 1, 5))) for path in (scan(r, "b"), mask(r, "b"))],
        {("shape-outlier", "b")},
        0,
    ),
    "image without label": (lambda r: mask(r, "f").unlink(), {("image-without-label", "f")}, 3),
    "label without image": (
        lambda r: [shutil.copy(mask(r, "a"), mask(r, "z"))],
        {("label-without-image", "")},
        0,
    ),
    "numTraining": (lambda r: describe(r, numTraining=7), {("num-training", "")}, 0),
    "dataset.json without file_ending": (
        lambda r: describe(r, file_ending=None),
        {("dataset-json-incomplete", "")},
        0,
    ),
    "another ending": (
        lambda r: scan(r, "z").with_suffix("").write_bytes(gzip.decompress(scan(r, "a").read_bytes())),
        {("file-ending", "")},
        0,
    ),
    "no labels declared": (lambda r: describe(r, labels=None), {("labels-undeclared", "")}, 1),
    "a broken dataset.json": (lambda r: (r / "dataset.json").write_text("{"), {("layout", "")}, 1),
    "F17 an image twice": (
        lambda r: save(scan(r, "d"), np.array(nib.load(scan(r, "c")).dataobj), AFFINE),
        {("duplicate-image", "cd")},
        3,
    ),
    "F17 a test image": (
        lambda r: shutil.copy(scan(r, "c"), scan(r, "t", folder="imagesTs")),
        {("duplicate-test-image", "c")},
        0,
    ),
    "a label twice": (lambda r: shutil.copy(mask(r, "a"), mask(r, "b")), {("duplicate-label", "ab")}, 0),
    "F31 names equal but for case": (
        lambda r: [shutil.copy(of(r, "a"), of(r, "A")) for of in (scan, mask)],
        {("name-twins", "")},
        1,
    ),
    "a broken test image": (
        lambda r: cut_short(scan(r, "t", folder="imagesTs")),
        {("unreadable-image", ("imagesTs/t",))},
        0,
    ),
}


def check(root, tmp_path, cache, *options):
    given = ["--output", str(tmp_path / "out"), "--cache-dir", str(cache), "--folds", "2", "--workers", "0", *options]
    code = main(["check", str(root), *given])
    return code, json.loads((tmp_path / "out" / "check.json").read_text())


def found(content):
    return {(finding["code"], tuple(finding["cases"])) for finding in content["findings"]}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sound") / "set")


@pytest.fixture(scope="module")
def sound_channels(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sound") / "two", channels=2)


def test_nothing_is_found_in_sound_sets(sound, sound_channels, tmp_path, cache):
    for root in (sound, sound_channels):
        code, content = check(root, tmp_path, cache)
        assert (code, content["findings"], content["verdict"]) == (0, [], "ready for training")
        assert list(content["cases"]) == CASES
        assert list(content["tests"]) == ["imagesTs/t"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(fault, sound, tmp_path, cache):
    plant, expected, expected_code = FAULTS[fault]
    root = shutil.copytree(sound, tmp_path / "set")
    plant(root)
    code, content = check(root, tmp_path, cache)
    assert found(content) == {(kind, tuple(cases)) for kind, cases in expected}
    assert code == content["exit_code"] == expected_code
    assert all(finding["message"] and finding["remedy"] for finding in content["findings"])
