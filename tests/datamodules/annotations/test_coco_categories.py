from pathlib import Path

import pytest

from datamodules.annotations.coco_categories import category_edges, category_pairs
from datamodules.formats.errors import DataError

FILE, NAMES = Path("labels.json"), ("nose", "ear", "tail")


@pytest.mark.parametrize("skeleton", [None, [], [[]], [None, []]])
def test_an_empty_skeleton_has_no_limbs(skeleton):
    assert category_edges(FILE, {"skeleton": skeleton}, NAMES) == ()
    assert category_edges(FILE, {}, NAMES) == ()


@pytest.mark.parametrize("skeleton", [[[1, 2], [3, 1]], [[0, 1], [2, 0]], [["nose", "ear"], ["tail", "nose"]]])
def test_limbs_count_from_1_or_0_or_are_names(skeleton):
    assert category_edges(FILE, {"skeleton": skeleton}, NAMES) == (("nose", "ear"), ("tail", "nose"))


@pytest.mark.parametrize("skeleton", [5, 0, True, False, 1.5, "nose", "", {"nose": "ear"}, {}])
def test_a_skeleton_that_is_no_list_is_refused(skeleton):
    with pytest.raises(DataError, match=r"labels\.json: expected a list of pairs of joints as skeleton"):
        category_edges(FILE, {"skeleton": skeleton}, NAMES)


@pytest.mark.parametrize(
    "entry", [[True, 2], [False, True], [1.0, 2], [1, None], [1, 2, 3], 5, 0, "ne", {"1": 2}, [[1], [2]], [1, "ear"]]
)
def test_limbs_that_are_no_pairs_of_joints_are_refused(entry):
    with pytest.raises(DataError, match="expected pairs of joints as skeleton"):
        category_edges(FILE, {"skeleton": [[1, 2], entry]}, NAMES)


@pytest.mark.parametrize("skeleton", [[[1, 4]], [[-1, 2]], [[0, 3]]])
def test_limbs_to_no_joint_are_refused(skeleton):
    with pytest.raises(DataError, match="in skeleton, found"):
        category_edges(FILE, {"skeleton": skeleton}, NAMES)


def test_a_flip_map_of_names_is_taken():
    assert category_pairs({"keypoint_flip_map": [["nose", "ear"]]}) == (("nose", "ear"),)
    assert category_pairs({}) is None
