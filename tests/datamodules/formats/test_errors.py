import pickle
from pathlib import Path

import pytest

from datamodules.formats.errors import DataError


def test_message_names_file_expectation_finding_and_remedy():
    error = DataError(Path("case.nii"), "one volume", "three", "choose one with --volume")
    assert str(error) == "case.nii: expected one volume, found three; choose one with --volume"
    assert (error.path, error.expected, error.found) == (Path("case.nii"), "one volume", "three")


def test_survives_the_way_between_processes():
    error = DataError("case.nii", "a", "b", "c")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made on the line itself
    assert str(copy) == str(error)
    assert copy.remedy == "c"
    with pytest.raises(DataError, match=r"case\.nii"):
        raise copy
