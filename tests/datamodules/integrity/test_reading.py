import numpy as np
import pytest

from datamodules.cases import Case
from datamodules.integrity.reading import Expected, read_case
from datamodules.labels import LabelSet

LABELS = LabelSet.from_json({"background": 0, "left": 1, "right": 2})
SHAPE = (6, 5, 4)


@pytest.fixture
def case(tmp_path, write_volume):
    rng = np.random.default_rng(0)
    images = tuple(
        write_volume(tmp_path / f"a_{channel:04d}.nii.gz", rng.normal(size=SHAPE).astype(np.float32))
        for channel in range(2)
    )
    return Case("a", "a", images, write_volume(tmp_path / "a.nii.gz", rng.integers(0, 3, SHAPE).astype(np.uint8)))


def read(case, channels=2, **options):
    return read_case(case, Expected(LABELS, channels, **options), "0" * 64)


def codes(findings):
    return [finding.code for finding in findings]


def test_a_sound_case_gives_facts_and_no_findings(case):
    facts, findings = read(case)
    assert findings == ()
    assert (facts.case_id, facts.shape, facts.dtype, facts.warnings) == ("a", SHAPE, "float32", ())
    assert len(facts.channels) == 2


def test_a_case_without_a_label_is_checked_as_far_as_it_goes(case):
    facts, findings = read(Case("a", "a", case.images))
    assert findings == ()
    assert (facts.structures, facts.label_voxels, facts.samples.shape) == ({}, "", (2, 0))


def test_every_broken_channel_is_named(case):
    for path in case.images:
        path.write_bytes(path.read_bytes()[:-20])
    facts, findings = read(case)
    assert facts is None
    assert codes(findings) == ["unreadable-image", "unreadable-image"]
    assert [finding.path for finding in findings] == [str(path) for path in case.images]


def test_absent_files_are_told_from_broken_ones(case):
    case.images[1].unlink()
    case.label.unlink()
    assert codes(read(case)[1]) == ["missing-file", "missing-file"]


def test_channels_of_another_place(case, write_volume):
    write_volume(case.images[1], np.zeros(SHAPE, np.float32), np.eye(4))
    assert codes(read(case)[1]) == ["channel-geometry"]


def test_another_number_of_channels(case):
    (finding,) = read(case, channels=3)[1]
    assert (finding.code, finding.message) == ("channel-count", "expected 3 channel(s), found 2")


def test_f06_and_f14_of_one_case_are_both_told(case, write_volume):
    write_volume(case.images[0], np.full(SHAPE, np.nan, np.float32))
    write_volume(case.label, np.full(SHAPE, 9, np.uint8))
    assert codes(read(case)[1]) == ["not-finite", "label-undeclared"]


def test_f14_values_that_are_no_integers_are_told_from_broken_files(case, write_volume):
    write_volume(case.label, np.full(SHAPE, 0.5, np.float32))
    assert codes(read(case)[1]) == ["label-not-integer"]


def test_f15_another_affine_is_told_or_mended(case, write_volume):
    label = np.zeros(SHAPE, np.uint8)
    label[2:4, 2, 2] = 1
    write_volume(case.label, label, np.diag([2.0, 2.0, 3.01, 1.0]))
    assert codes(read(case)[1]) == ["label-affine"]
    facts, findings = read(case, resample_labels=True)
    assert findings == ()
    assert facts.voxel_counts == {"left": 2, "right": 0}
    ((kind, text),) = facts.warnings
    assert kind == "reader-warning"
    assert text == "label: resampled to the grid of channel 0 by nearest neighbour"


def test_f15_another_shape_and_undeclared_values_are_both_told(case, write_volume):
    write_volume(case.label, np.full((6, 5, 3), 7, np.uint8))
    assert codes(read(case)[1]) == ["label-shape", "label-undeclared"]


def test_f15_a_label_that_lies_outside_of_its_image_is_an_error(case, write_volume):
    away = np.diag([2.0, 2.0, 3.0, 1.0])
    away[0, 3] = 500
    write_volume(case.label, np.ones(SHAPE, np.uint8), away)
    (finding,) = read(case, resample_labels=True)[1]
    assert (finding.code, finding.severity) == ("label-affine", "error")
    assert "none of it there" in finding.message


def test_remedies_name_no_option_of_prediction(case, write_volume):
    write_volume(case.images[0], np.zeros((*SHAPE, 3), np.int16))
    (finding,) = read(case)[1]
    assert finding.remedy == "split the file into one file for each volume"
