import cv2
import numpy as np
import pytest

from datamodules.formats.errors import DataError
from pipeline.planning.fingerprint import is_directed
from pipeline.planning.label_values import list_cases, name_values


@pytest.fixture
def make_pictures(tmp_path):
    def make(values, folder="pictures"):
        root = tmp_path / folder
        for name in ("images", "masks"):
            (root / name).mkdir(parents=True)
        for number, value in enumerate(values):
            mask = np.zeros((16, 20), np.uint8)
            mask[4:8, 4:8] = value
            cv2.imwrite(str(root / "images" / f"s{number}.png"), mask + 7)
            cv2.imwrite(str(root / "masks" / f"s{number}.png"), mask)
        return root

    return make


def test_values_without_names_are_found_in_the_masks(make_pictures):
    listing, declared = list_cases(make_pictures([255, 0, 255]), None, None, None, 0)
    assert declared == {"background": 0, "foreground": 255}
    assert listing.labels.names == ("foreground",)
    assert listing.labels.declared_values == (0, 255)
    _, several = list_cases(make_pictures([3, 0, 9], "more"), None, None, None, 0)
    assert several == {"background": 0, "value_3": 3, "value_9": 9}


def test_names_that_the_user_gives_hold(make_pictures):
    listing, declared = list_cases(make_pictures([1, 2]), {"a": 1, "b": 2}, None, None, 0)
    assert declared == {"a": 1, "b": 2}
    assert listing.labels.names == ("a", "b")


def test_names_of_the_data_set_need_not_be_said_again(write_volumes, tmp_path):
    listing, declared = list_cases(write_volumes(tmp_path / "ct"), None, None, None, 0)
    assert declared is None
    assert listing.labels.names == ("left lung", "right lung")


def test_a_stack_of_pictures_tells_no_directions(tmp_path):
    root = tmp_path / "stacks"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
        pages = [np.full((16, 20), page % 2, np.uint8) for page in range(4)]
        cv2.imwritemulti(str(root / name / "a.tif"), pages)
    listing, declared = list_cases(root, None, None, (0.5, 0.5, 2.0), 0)
    assert declared == {"background": 0, "foreground": 1}
    assert not is_directed(listing)


def test_masks_of_many_values_are_no_structures(tmp_path):
    with pytest.raises(DataError, match="100 values besides 0"):
        name_values(tmp_path, tuple(range(101)))
    with pytest.raises(DataError, match="nothing but 0"):
        name_values(tmp_path, (0,))
