"""What the DICOM libraries say of values stays out of the log."""

import logging
import threading
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.valuerep import validate_value

from datamodules.formats.dicom.headers import read_header
from datamodules.formats.dicom.privacy import keep_values_quiet


def speak():
    """Let both libraries say something of a value."""
    validate_value("CS", "meierhuber", pydicom.config.WARN)
    logging.getLogger("highdicom.base").warning("meierhuber")


@pytest.fixture
def heard(caplog):
    """Return a function that speaks in a thread and returns what there was to hear."""

    def listen():
        caplog.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            keep_values_quiet()
            keep_values_quiet()
            thread = threading.Thread(target=speak)
            thread.start()
            thread.join()
            warnings.warn("of another", stacklevel=1)
        return [str(warning.message) for warning in caught], caplog.text

    return listen


def test_values_are_quoted_by_neither_log_nor_warnings_in_any_thread(heard):
    assert heard() == (["of another"], "")


def test_filters_that_were_reset_are_set_again(heard):
    for _ in range(2):
        assert heard() == (["of another"], "")


def test_reading_a_header_of_invalid_values_quotes_none_of_them(tmp_path, dicoms, caplog):
    dataset = dicoms.slice(np.zeros((4, 5), np.int16))
    with pydicom.config.disable_value_validation():
        dataset.PatientSex, dataset.PatientBirthDate = "meierhuber", "meierhuber"
        dataset.save_as(tmp_path / "a.dcm")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = read_header(tmp_path / "a.dcm")
        assert header.PatientBirthDate == "meierhuber"
        assert header.PatientSex == "meierhuber"
    assert not caught
    assert "meierhuber" not in caplog.text
