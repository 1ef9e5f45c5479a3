import numpy as np
import pytest

from datamodules.integrity.measures import (
    ABSENT,
    BINS,
    blank_slices,
    channel_facts,
    copies_label,
    hash_voxels,
    structure_facts,
    touching,
)


def test_a_channel_is_measured():
    values = np.linspace(-100, 100, 2001, dtype=np.float32).reshape(3, 23, 29)
    facts = channel_facts(values, finite=True)
    assert (facts.minimum, facts.maximum, facts.nonfinite) == (-100, 100, 0)
    assert facts.mean == pytest.approx(0, abs=1e-6)
    assert facts.deviation == pytest.approx(values.std(dtype=np.float64))
    expected, _ = np.histogram(values, BINS)
    assert facts.histogram.sum() == values.size
    assert np.abs(facts.histogram - expected).max() <= 1  # float32 against float64 at the edges of bins


def test_a_constant_channel_and_one_without_any_finite_voxel():
    constant = channel_facts(np.full((2, 2, 2), 7, np.float32), finite=True)
    assert (constant.minimum, constant.maximum, constant.deviation) == (7, 7, 0)
    assert constant.histogram.sum() == constant.histogram[0] == 8
    nothing = channel_facts(np.full((2, 2, 2), np.nan, np.float32), finite=False)
    assert (nothing.nonfinite, nothing.histogram.sum()) == (8, 0)


def test_f06_voxels_that_are_not_finite_are_counted_and_left_out():
    values = np.ones((2, 2, 2), np.float32)
    values[0, 0] = np.nan, np.inf
    facts = channel_facts(values, finite=False)
    assert (facts.nonfinite, facts.minimum, facts.maximum, facts.mean) == (2, 1, 1, 1)


def labelled():
    label = np.zeros((12, 10, 8), np.uint8)
    label[1:4, 2:6, 3:5] = 1
    label[4:6, 2:6, 3:5] = 2
    label[9, 9, 7] = 1
    return label


def as_masks(label, count):
    return np.stack([label == value for value in range(1, count + 1)]).astype(np.uint8)


@pytest.mark.parametrize("overlapping", [False, True])
def test_structures_are_measured_where_they_are(overlapping):
    label = as_masks(labelled(), 3) if overlapping else labelled()
    facts = structure_facts(label, ("one", "two", "three"))
    assert facts["one"].box == ((1, 10), (2, 10), (3, 8))
    assert (facts["one"].voxels, facts["one"].components, facts["one"].largest, facts["one"].specks) == (25, 2, 24, 1)
    assert (facts["two"].voxels, facts["two"].components, facts["two"].specks) == (16, 1, 0)
    assert facts["two"].box == ((4, 6), (2, 6), (3, 5))
    assert facts["three"] == ABSENT


def test_a_small_structure_is_no_speck_of_itself():
    label = np.zeros((4, 4, 4), np.uint8)
    label[1, 1, 1] = 1
    assert structure_facts(label, ("dot",))["dot"].specks == 0


@pytest.mark.parametrize("overlapping", [False, True])
def test_structures_that_touch_by_a_face(overlapping):
    label = labelled()
    label[6, 6, 5] = 3  # an edge of structure two, no face
    names = ("one", "two", "three")
    assert touching(as_masks(label, 3) if overlapping else label, names) == (("one", "two"),)
    label[6, 5, 4] = 3
    assert touching(as_masks(label, 3) if overlapping else label, names) == (("one", "two"), ("two", "three"))


def test_structures_that_overlap_touch():
    masks = np.zeros((2, 5, 5, 5), np.uint8)
    masks[0, 1:4, 1:4, 1:4] = masks[1, 2, 2, 2] = 1
    assert touching(masks, ("outer", "inner")) == (("outer", "inner"),)
    assert touching(np.zeros((2, 5, 5, 5), np.uint8), ("outer", "inner")) == ()
    assert touching(np.zeros((5, 5, 5), np.uint8), ("outer", "inner")) == ()


def test_a_hash_tells_values_shapes_and_types_apart_but_not_memory_orders():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert hash_voxels(array) == hash_voxels(np.asfortranarray(array))
    others = (array + 1, array.reshape(4, 3, 2), array.astype(np.float64))
    assert hash_voxels(array) not in {hash_voxels(other) for other in others}


@pytest.mark.parametrize(
    ("lost", "share", "gaps"),
    [([], 0, 0), ([0, 1, 9], 0.3, 0), ([4], 0.1, 1), ([1, 4, 9], 0.3, 2), (range(10), 0, 0)],
)
def test_blank_slices_are_counted_along_the_last_axis(lost, share, gaps):
    channel = np.random.default_rng(0).normal(size=(4, 3, 10)).astype(np.float32)
    channel[0] = 5  # a blank plane along another axis
    channel[:, :, list(lost)] = 0
    assert blank_slices(channel) == (pytest.approx(share), gaps)


@pytest.mark.parametrize(("values", "copied"), [((0, 1, 2), True), ((7, 100, 255), True), ((0, 0, 0), False)])
def test_an_image_with_one_value_for_each_structure_copies_its_label(values, copied):
    label = np.random.default_rng(0).integers(0, 3, (6, 5, 4)).astype(np.uint8)
    image = np.array(values, np.float32)[label]
    masks = np.stack([label == 1, label == 2]).astype(np.uint8)
    assert copies_label(image, label) == copies_label(image, masks) == copied
    image[label == 2] += np.arange((label == 2).sum())
    assert not copies_label(image, label)
    assert not copies_label(image, masks)
