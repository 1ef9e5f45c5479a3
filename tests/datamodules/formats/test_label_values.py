from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.label_values import smallest_type, whole_numbers

PATH = Path("a.nii")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_integers_stay_as_they_are(dtype):
    array = np.array([0, 3], dtype)
    assert whole_numbers(PATH, array) is array


def test_whole_numbers_become_integers():
    found = whole_numbers(PATH, np.array([0.0, -3.0, 2.0**31 - 1]))
    assert found.dtype.kind == "i"
    assert found.tolist() == [0, -3, 2**31 - 1]


@pytest.mark.parametrize("wrong", [0.5, np.nan, -np.inf, 2.0**31])
def test_f14_other_values_are_refused_and_shown(wrong):
    with pytest.raises(DataError, match=rf"integer label values, found values such as \[{wrong}\]"):
        whole_numbers(PATH, np.array([1.0, wrong]))


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65535, np.uint16)])
def test_labels_take_the_smallest_type(highest, dtype):
    assert smallest_type(PATH, np.array([0, highest])).dtype == dtype
    assert smallest_type(PATH, np.array([], np.int64)).dtype == np.uint8


@pytest.mark.parametrize("array", [np.array([-1]), np.array([65536]), np.array([0.0])])
def test_labels_that_no_type_holds_are_refused(array):
    with pytest.raises(DataError, match="integer labels from 0 to 65535"):
        smallest_type(PATH, array)
