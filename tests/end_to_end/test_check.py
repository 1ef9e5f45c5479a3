"""Plant each fault in one case of a sound data set, and expect its finding, its case, and nothing else."""

import nibabel as nib
import numpy as np
import pytest

SHEARED = [[-2.0, 0, 0.6, 0], [0, -2.0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]]


def cut_short(content):
    return content[:-40]


def flip_bit(content):
    content[len(content) // 2] ^= 8
    return content


def forms_apart(path):
    image = nib.load(path)
    other = image.affine.copy()
    other[0, 3] += 5
    image.set_qform(other, 1)
    nib.save(image, path)


def both(data, case):
    return data.scan(case), data.mask(case)


FILES = {
    "F01 cut short": (lambda d: d.damage(d.scan("b"), cut_short), {"unreadable-image"}, 3),
    "F01 label cut short": (lambda d: d.damage(d.mask("b"), cut_short), {"unreadable-label"}, 3),
    "F02 flipped bit": (lambda d: d.damage(d.scan("b"), flip_bit), {"unreadable-image"}, 3),
    "F02 flipped bit in a label": (lambda d: d.damage(d.mask("b"), flip_bit), {"unreadable-label"}, 3),
    "F03 empty": (lambda d: d.scan("b").write_bytes(b""), {"unreadable-image"}, 3),
    "F03 a web page": (lambda d: d.scan("b").write_text("<html>"), {"unreadable-image"}, 3),
    "F09 four axes": (lambda d: d.save(d.scan("b"), np.zeros((24, 20, 16, 3), np.int16)), {"unreadable-image"}, 3),
}

GEOMETRY = {
    "F04 sform and qform differ": (lambda d: forms_apart(d.scan("b")), {"doubtful-geometry"}, 0),
    "F05 shear": (lambda d: d.turn(SHEARED, *both(d, "b")), {"sheared"}, 3),
    "F07 40 mm": (
        lambda d: d.turn(np.diag([-2, -2, 40, 1]), *both(d, "b")),
        {"absurd-spacing", "anisotropy", "spacing-outlier"},
        0,
    ),
    "F07 90 mm": (
        lambda d: d.turn(np.diag([-2, -2, 90, 1]), *both(d, "b")),
        {"unreadable-image", "unreadable-label"},
        3,
    ),
    "unlike the others": (lambda d: d.turn(np.diag([-8, -8, 3, 1]), *both(d, "b")), {"spacing-outlier"}, 0),
    "default spacing": (lambda d: d.turn(np.eye(4), *both(d, "b")), {"default-spacing", "mixed-orientation"}, 0),
    "another orientation": (lambda d: d.turn(np.diag([2, -2, 3, 1]), *both(d, "b")), {"mixed-orientation"}, 0),
    "another size": (
        lambda d: [d.change(path, lambda a: np.tile(a, (1, 1, 5))) for path in both(d, "b")],
        {"shape-outlier"},
        0,
    ),
    "F15 another shape": (lambda d: d.change(d.mask("b"), lambda a: a[:, :, :-1]), {"label-shape"}, 3),
    "F15 another affine": (lambda d: d.turn(np.diag([-2, -2, 3.01, 1]), d.mask("b")), {"label-affine"}, 3),
}

INTENSITIES = {
    "F06 NaN": (lambda d: d.put(d.scan("b"), (3, 4, 5), np.nan, np.float32), {"not-finite"}, 3),
    "F06 infinity": (lambda d: d.put(d.scan("b"), (0, 0, 0), -np.inf, np.float32), {"not-finite"}, 3),
    "empty": (
        lambda d: d.change(d.scan("b"), np.zeros_like),
        {"empty-channel", "intensity-outlier", "intensity-scale"},
        0,
    ),
    "constant": (
        lambda d: d.change(d.scan("b"), lambda a: np.full_like(a, 7)),
        {"constant-channel", "intensity-outlier", "intensity-scale"},
        0,
    ),
    "8-bit": (
        lambda d: d.change(d.scan("b"), lambda a: ((a + 1024.0) / 8).clip(0, 255).astype(np.int16)),
        {"implausible-hu", "intensity-outlier", "intensity-scale"},
        0,
    ),
    "lost intercept": (
        lambda d: d.change(d.scan("b"), lambda a: (a + 1024).astype(np.int16)),
        {"implausible-hu", "intensity-outlier"},
        0,
    ),
    "below any HU": (lambda d: d.put(d.scan("b"), (0, 0, 0), -8000), {"implausible-hu"}, 0),
    "no air": (
        lambda d: d.change(d.scan("b"), lambda a: np.maximum(a, -100)),
        {"no-air", "intensity-outlier"},
        0,
    ),
    "three times": (lambda d: d.change(d.scan("b"), lambda a: a * 3), {"hu-scale"}, 0),
    "a tenth at 60000": (
        lambda d: d.change(d.scan("b"), lambda a: np.where(np.indices(a.shape)[0] < 2, 60000, a.astype(np.int32))),
        {"implausible-hu", "intensity-outlier", "intensity-scale", "mixed-dtype"},
        0,
    ),
    "one voxel of 1e30": (
        lambda d: d.put(d.scan("b"), (0, 0, 0), 1e30, np.float32),
        {"implausible-hu", "stray-values", "mixed-dtype"},
        0,
    ),
    "lost slices": (
        lambda d: d.change(d.scan("b"), lambda a: np.where(np.isin(np.arange(16), [5, 9]), 0, a).astype(np.int16)),
        {"blank-slices"},
        0,
    ),
    "a copy of the label": (
        lambda d: d.save(d.scan("b"), (d.read(d.mask("b")) * 500.0 - 1000).astype(np.int16)),
        {"image-is-label"},
        0,
    ),
    "another type": (lambda d: d.change(d.scan("b"), lambda a: a.astype(np.float32)), {"mixed-dtype"}, 0),
}

LABELS = {
    "F14 undeclared value": (lambda d: d.put(d.mask("b"), (1, 1, 1), 7), {"label-undeclared"}, 3),
    "F14 not an integer": (lambda d: d.put(d.mask("b"), (1, 1, 1), 0.5, np.float32), {"label-not-integer"}, 3),
    "F16 empty": (lambda d: d.change(d.mask("b"), np.zeros_like), {"empty-label"}, 0),
    "F16 part of the classes": (lambda d: d.erase(2, "b"), {"absent-structures"}, 0),
    "one voxel": (
        lambda d: [d.erase(2, "b"), d.put(d.mask("b"), (14, 8, 8), 2)],
        {"one-voxel-structure"},
        0,
    ),
    "specks": (lambda d: d.put(d.mask("b"), (21, 1, 1), 1), {"specks"}, 0),
    "no label": (lambda d: d.mask("b").unlink(), {"image-without-label"}, 3),
}


def found(content):
    return {(finding["code"], tuple(finding["cases"])) for finding in content["findings"]}


def test_nothing_is_found_in_sound_sets(sound_set, sound_channels, check):
    for data in (sound_set, sound_channels):
        code, content = check(data.root)
        assert (code, content["findings"], content["verdict"]) == (0, [], "ready for training")
        assert tuple(content["cases"]) == data.CASES
        assert list(content["tests"]) == ["imagesTs/t"]


@pytest.mark.parametrize(
    ("fault", "table"),
    [(fault, table) for table in (FILES, GEOMETRY, INTENSITIES, LABELS) for fault in table],
)
def test_a_fault_of_one_case_is_found_and_nothing_else(fault, table, sound_set, tmp_path, check):
    plant, expected, expected_code = table[fault]
    data = sound_set.copy(tmp_path / "set")
    plant(data)
    code, content = check(data.root)
    assert found(content) == {(kind, ("b",)) for kind in expected}
    assert code == content["exit_code"] == expected_code
    assert all(finding["message"] and finding["remedy"] for finding in content["findings"])


def test_several_faults_of_a_case_and_of_several_cases_are_all_told(sound_set, tmp_path, check):
    data = sound_set.copy(tmp_path / "set")
    data.put(data.scan("a"), (3, 4, 5), np.nan, np.float32)
    data.put(data.mask("a"), (1, 1, 1), 7)
    data.damage(data.scan("c"), cut_short)
    data.damage(data.mask("c"), flip_bit)
    code, content = check(data.root)
    errors = {"not-finite": "a", "label-undeclared": "a", "unreadable-image": "c", "unreadable-label": "c"}
    assert found(content) == {(kind, (case,)) for kind, case in errors.items()}
    assert code == 3
    assert content["verdict"] == "4 cases can be trained on once 2 are mended or taken out"


def test_f15_and_f05_are_no_errors_where_training_is_told_so(sound_set, tmp_path, check):
    data = sound_set.copy(tmp_path / "set")
    data.turn(np.diag([-2, -2, 3.01, 1]), data.mask("b"))
    code, content = check(data.root, "--resample-labels")
    assert found(content) == {("reader-warning", ("b",))}
    assert code == 0
