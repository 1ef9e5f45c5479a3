import logging
import os
import warnings

import pytest

from pipeline.logs import quiet_environment, set_up_logging


@pytest.fixture(autouse=True)
def _same_root_logger():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def test_information_is_the_message_alone(capsys):
    set_up_logging()
    logging.getLogger("pipeline.training").info("44 cases")
    logging.getLogger("pipeline.training").warning("no mask")
    logging.getLogger("pipeline.training").debug("hidden")
    assert capsys.readouterr().err == "44 cases\nwarning: no mask\n"


def test_third_parties_are_heard_from_warnings_on(capsys):
    set_up_logging()
    noisy = logging.getLogger("absl.flags")
    noisy.setLevel(logging.INFO)
    noisy.info("GPU available: False")
    noisy.warning("slow")
    assert capsys.readouterr().err == "warning: slow\n"


def test_debug_shows_everything(capsys):
    set_up_logging(debug=True)
    logging.getLogger("absl.flags").info("context")
    logging.getLogger("pipeline").debug("detail")
    assert capsys.readouterr().err == "context\ndebug: detail\n"


def test_setting_up_twice_writes_once(capsys):
    set_up_logging()
    set_up_logging()
    logging.getLogger("pipeline").info("once")
    assert capsys.readouterr().err == "once\n"


def test_warnings_are_one_line(capsys):
    with warnings.catch_warnings():
        set_up_logging()
        warnings.simplefilter("always", UserWarning)
        warnings.warn("two\n  lines", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: two lines\n"


def test_environment_keeps_what_the_user_set(monkeypatch):
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE", raising=False)
    quiet_environment()
    assert os.environ["MLFLOW_LOGGING_LEVEL"] == "DEBUG"
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
