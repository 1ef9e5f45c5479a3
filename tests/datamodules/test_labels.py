import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet, Structure

ORGANS = LabelSet.from_json({"background": 0, "liver": 1, "kidney": 4})
REGIONS = LabelSet.from_json({"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3})


def test_channels_of_exclusive_structures():
    assert ORGANS.names == ("liver", "kidney")
    assert ORGANS.num_channels == 3
    assert ORGANS.foreground_indices == (1, 2)
    assert ORGANS.declared_values == (0, 1, 4)


def test_channels_of_overlapping_structures():
    assert REGIONS.overlapping
    assert REGIONS.names == ("whole", "core", "enhancing")
    assert REGIONS.num_channels == 3
    assert REGIONS.foreground_indices == (0, 1, 2)
    assert REGIONS.declared_values == (0, 1, 2, 3)


def test_shared_values_overlap():
    labels = LabelSet.from_json({"background": 0, "cell": 1, "nucleus": [1]})
    assert labels.overlapping
    assert labels.names == ("cell", "nucleus")


def test_foreground_of_microscopy_is_the_cell():
    labels = LabelSet.from_json({"membrane": 0, "cell": 255})
    assert labels.names == ("cell",)
    assert labels.structures[0].name == "membrane"
    np.testing.assert_array_equal(labels.encode(np.array([[[0, 255]]])), [[[0, 1]]])
    np.testing.assert_array_equal(labels.decode(np.array([[[0, 1]]])), [[[0, 255]]])


def test_background_comes_first_and_is_added_where_absent():
    assert LabelSet.from_json({"cell": 255, "membrane": 0}).structures[0].name == "membrane"
    assert LabelSet.from_json({"cell": 255}).structures[0] == Structure("background", (0,))


def test_decathlon_spelling():
    labels = LabelSet.from_json({"0": "background", "1": "Anterior", "2": "Posterior"})
    assert labels == LabelSet.from_json({"background": 0, "Anterior": 1, "Posterior": 2})


def test_names_that_are_numbers_keep_their_values():
    assert LabelSet.from_json({"0": 0, "7": 1}).structures[1] == Structure("7", (1,))


@pytest.mark.parametrize("shape", [(2, 2, 2), (1, 2, 2, 2)])
def test_encode_then_decode_is_the_identity(shape):
    stored = np.array([0, 1, 4, 4, 1, 0, 0, 4], dtype=np.int32).reshape(shape)
    encoded = ORGANS.encode(stored)
    assert encoded.dtype == np.uint8
    assert encoded.shape == (2, 2, 2)
    assert encoded.max() == 2
    np.testing.assert_array_equal(ORGANS.decode(encoded), stored.reshape(2, 2, 2))


def test_many_classes_and_large_values_need_uint16():
    labels = LabelSet.from_json({"background": 0} | {f"s{i}": 100 + i for i in range(300)})
    stored = np.arange(100, 400).reshape(10, 10, 3)
    encoded = labels.encode(stored)
    assert encoded.dtype == np.uint16
    assert labels.decode(encoded).dtype == np.uint16
    np.testing.assert_array_equal(labels.decode(encoded), stored)


def test_overlapping_values_become_masks():
    masks = REGIONS.encode(np.array([[[0, 1, 2, 3]]]))
    np.testing.assert_array_equal(masks[:, 0, 0], [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    np.testing.assert_array_equal(REGIONS.encode(REGIONS.decode(masks)), masks)


def test_masks_of_another_number_are_refused():
    with pytest.raises(DataError, match="2 volumes"):
        REGIONS.encode(np.zeros((2, 3, 3, 3), np.uint8))
    with pytest.raises(DataError, match="one 3-D label volume"):
        ORGANS.encode(np.zeros((3, 3, 3, 3), np.uint8))


@pytest.mark.parametrize("stored", [[0, 1, 3], [0, 1, 700], [-1, 1, 4]])
def test_f14_an_undeclared_value_is_refused_with_the_remedy(stored):
    with pytest.raises(DataError) as caught:
        ORGANS.encode(np.array([[stored]]), Path("case.nii.gz"))
    message = str(caught.value)
    for part in ("case.nii.gz", "0, 1, 4", "data.label_map", str(set(stored) - {0, 1, 4}).strip("{}")):
        assert part in message


def test_f14_the_255_of_a_mask_of_one_bit_is_explained():
    with pytest.raises(DataError, match=r"undeclared: 255; .*such as \{255: 0\}; \{255: 1\} for masks of one bit"):
        ORGANS.encode(np.array([[[0, 255]]]))


def test_f14_values_with_gaps_that_are_declared_are_fine():
    np.testing.assert_array_equal(ORGANS.encode(np.array([[[4, 0]]])), [[[2, 0]]])


def test_f14_a_label_map_mends_stored_values():
    labels = LabelSet.from_json({"background": 0, "liver": 1}, label_map={255: 1, 7: 0})
    np.testing.assert_array_equal(labels.encode(np.array([[[0, 255, 7, 1]]])), [[[0, 1, 0, 1]]])


def test_f14_a_label_map_may_swap_values_and_serve_regions():
    swapped = LabelSet.from_json({"background": 0, "left": 1, "right": 2}, label_map={1: 2, 2: 1})
    np.testing.assert_array_equal(swapped.encode(np.array([[[0, 1, 2]]])), [[[0, 2, 1]]])
    regions = LabelSet.from_json({"whole": [1, 2], "core": 2}, label_map={4: 2})
    np.testing.assert_array_equal(regions.encode(np.array([[[4, 1]]]))[:, 0, 0], [[1, 1], [1, 0]])


def test_real_numbers_are_not_labels():
    with pytest.raises(TypeError, match="integers"):
        ORGANS.encode(np.zeros((2, 2, 2)))


@pytest.mark.parametrize("labels", [ORGANS, REGIONS, LabelSet.from_json({"a": 1}, label_map={2: 1})])
def test_description_survives_json(labels):
    assert LabelSet.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels


@pytest.mark.parametrize(
    "declared",
    [
        {"background": 0},
        {},
        {"background": 0, "liver": -1},
        {"background": 0, "liver": 1.5},
        {"background": 0, "liver": True},
        {"background": 0, "liver": "one"},
        {"background": 0, "liver": []},
        {"background": 0, "liver": 70000},
        {"background": 0, "liver": 1, "ignore": 2},
        {"background": 0, "liver": None},
        {"zero": [0, 1], "one": [1, 2]},
        {"background": 0, "": 1},
    ],
)
def test_labels_that_make_no_sense_are_refused(declared):
    with pytest.raises(DataError, match=r"dataset\.json"):
        LabelSet.from_json(declared, path=Path("dataset.json"))


@pytest.mark.parametrize("label_map", [{5: 9}, {-1: 1}, {70000: 1}])
def test_a_label_map_that_leads_nowhere_is_refused(label_map):
    with pytest.raises(DataError, match="label_map"):
        LabelSet.from_json({"background": 0, "liver": 1}, label_map=label_map)


def test_structures_are_checked():
    with pytest.raises(ValueError, match="background"):
        LabelSet((Structure("liver", (1,)), Structure("kidney", (2,))))
    with pytest.raises(ValueError, match="unique"):
        LabelSet((Structure("background", (0,)), Structure("a", (1,)), Structure("a", (2,))))


def test_structures_of_mask_files_overlap_in_the_order_of_the_masks():
    labels = LabelSet.of_masks(["tumour", "liver"])
    assert labels.overlapping
    assert labels.names == ("tumour", "liver")
    masks = np.arange(16, dtype=np.uint8).reshape(2, 2, 2, 2) % 2
    np.testing.assert_array_equal(labels.encode(masks), masks)
    single = LabelSet.of_masks(["liver"])
    np.testing.assert_array_equal(single.encode(masks[:1]), masks[:1])
    with pytest.raises(DataError, match="unique names"):
        LabelSet.of_masks(["liver", "liver"])
