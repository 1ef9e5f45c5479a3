from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import Case
from datamodules.formats.volume import Volume
from datamodules.integrity.measurement import MAX_SAMPLES, measure_case
from datamodules.labels import LabelSet

LABELS = LabelSet.from_json({"background": 0, "left": 1, "right": 2})
OVERLAPPING = LabelSet.from_json({"both": [1, 2], "right": 2})
TURNED = np.array([[0, 0, -3.0, 0], [1.0, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])


def measure(tmp_path, array, label, affine=None, labels=LABELS, content="0" * 64):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(bytes(1234))
    image = Volume(array, np.eye(4) if affine is None else affine, Path("a.nii.gz"))
    return measure_case(Case("a", "a", (path,)), image, label, labels, content=content, dtype="int16")


@pytest.fixture
def pair():
    label = np.zeros((12, 10, 8), np.uint8)
    label[2:6, 2:8, 2:6], label[7:10, 2:8, 2:6] = 1, 2
    rng = np.random.default_rng(0)
    return np.stack([rng.normal(100 * label, 10) for _ in range(2)]).astype(np.float32), label


def test_facts_say_what_a_case_holds(tmp_path, pair):
    facts = measure(tmp_path, *pair)
    assert facts.voxel_counts == {"left": 96, "right": 72}
    assert facts.samples.shape == (2, 168)
    assert facts.samples.mean() == pytest.approx(100 * (96 + 2 * 72) / 168, abs=3)
    assert len(facts.limits) == len(facts.channels) == 2
    assert (facts.file_bytes, facts.dtype, facts.orientation) == (1234, "int16", "RAS")
    assert facts.adjacency == ()


def test_geometry_is_canonical_and_the_stored_grid_is_kept(tmp_path):
    array = np.zeros((1, 4, 5, 6), np.float32)
    array[0, 1:3, 1, 2] = 5
    label = np.zeros((4, 5, 6), np.uint8)
    label[0, 0, 5] = 1
    facts = measure(tmp_path, array, label, TURNED)
    assert (facts.shape, facts.spacing_mm, facts.orientation) == ((6, 4, 5), (3.0, 1.0, 2.0), "AIL")
    np.testing.assert_array_equal(facts.affine, TURNED)
    assert facts.nonzero_shape == (1, 2, 1)
    assert facts.structures["left"].box == ((0, 1), (0, 1), (4, 5))


def test_the_box_of_what_is_denser_than_air(tmp_path):
    array = np.full((1, 20, 20, 20), -1000, np.float32)
    array[0, 8:12, 8:12, 8:12] = 50
    facts = measure(tmp_path, array, np.zeros((20, 20, 20), np.uint8))
    assert facts.air_shape == (8, 8, 8)  # with two voxels around it
    assert facts.nonzero_shape == (20, 20, 20)


def test_boxes_of_nothing_are_the_whole(tmp_path):
    facts = measure(tmp_path, np.full((1, 3, 4, 5), -1000, np.float32), np.zeros((3, 4, 5), np.uint8))
    assert facts.air_shape == (3, 4, 5)
    assert facts.label_voxels == ""
    assert facts.samples.shape == (1, 0)


def test_samples_are_bounded_and_always_the_same(tmp_path):
    array = np.arange(27000, dtype=np.float32).reshape(1, 30, 30, 30)
    first, second = (measure(tmp_path, array, np.ones((30, 30, 30), np.uint8)) for _ in range(2))
    other = measure(tmp_path, array, np.ones((30, 30, 30), np.uint8), content="1" * 64)
    assert first.samples.shape == (1, MAX_SAMPLES)
    assert len(np.unique(first.samples)) == MAX_SAMPLES
    np.testing.assert_array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_overlapping_structures_are_counted_each(tmp_path, pair):
    array, label = pair
    facts = measure(tmp_path, array, OVERLAPPING.encode(label), labels=OVERLAPPING)
    assert facts.voxel_counts == {"both": 168, "right": 72}
    assert facts.samples.shape == (2, 168)
    assert facts.adjacency == (("both", "right"),)


def test_f17_the_same_image_in_another_orientation_has_the_same_hashes(tmp_path, pair):
    array, label = pair
    first = measure(tmp_path, array, label)
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = array.shape[1] - 1
    second = measure(tmp_path, array[:, ::-1], label[::-1], flipped)
    assert (first.orientation, second.orientation) == ("RAS", "LAS")
    assert (first.voxels, first.label_voxels) == (second.voxels, second.label_voxels)
    assert [channel.voxels for channel in first.channels] == [channel.voxels for channel in second.channels]
    assert measure(tmp_path, array[:, ::-1], label).voxels != first.voxels


def test_a_label_of_one_value_has_no_hash_of_its_own(tmp_path, pair):
    assert measure(tmp_path, pair[0], np.ones((12, 10, 8), np.uint8)).label_voxels == ""


def test_f05_spacing_of_sheared_axes_is_that_of_the_orthogonal_grid(tmp_path, pair):
    tilted = np.array([[1.0, 0, 0, 0], [0, 1.0, 1.5, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]])
    assert measure(tmp_path, *pair, tilted).spacing_mm == pytest.approx((1, 1, 2))


def test_channels_tell_what_is_lost_and_what_is_a_label(tmp_path, pair):
    array, label = pair
    array[0, :, :, 3] = 0
    array[1] = label * 100
    first, second = measure(tmp_path, array, label).channels
    assert (first.blank_gaps, first.blank_share, first.copies_label) == (1, 1 / 8, False)
    assert (second.blank_gaps, second.copies_label) == (0, True)
