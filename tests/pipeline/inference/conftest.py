"""A tiny pose model for the tests of a file."""

import pytest
import torch

from pipeline.inference.pose_predictor import PosePredictor, PoseSettings
from pipeline.model_folder import load_model_folder


@pytest.fixture(scope="module")
def pose_model(tmp_path_factory, make_pose_model):
    return make_pose_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def make_predictor(pose_model):
    """Return a function that loads the model with some settings."""

    def make(folder=None, **settings):
        loaded = load_model_folder(folder or pose_model)
        return PosePredictor(loaded, torch.device("cpu"), PoseSettings(**{"batch_size": 4, **settings}))

    return make
