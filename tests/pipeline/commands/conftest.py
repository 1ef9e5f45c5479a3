"""One model folder for the tests of a file."""

import pytest


@pytest.fixture(scope="module")
def model(tmp_path_factory, make_model):
    return str(make_model(tmp_path_factory.mktemp("models") / "model"))
