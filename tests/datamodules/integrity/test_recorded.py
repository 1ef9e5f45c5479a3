import logging

from datamodules.integrity.recorded import recorded_warnings


def test_warnings_of_readers_are_kept_once_and_not_shown(caplog):
    with recorded_warnings() as kept:
        for _ in range(2):
            logging.getLogger("datamodules.formats.nifti_header").warning("%s: forms differ", "a.nii")
        logging.getLogger("datamodules.checks").warning("resampled")
        logging.getLogger("datamodules.checks").info("read")
    assert kept == [("doubtful-geometry", "a.nii: forms differ"), ("reader-warning", "resampled")]
    assert not caplog.records


def test_afterwards_warnings_are_shown_again(caplog):
    try:
        with recorded_warnings():
            raise ValueError
    except ValueError:
        logging.getLogger("datamodules.checks").warning("seen")
    assert caplog.messages == ["seen"]
    assert not logging.getLogger("datamodules").handlers
