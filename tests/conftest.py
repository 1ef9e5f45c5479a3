import os
from pathlib import Path

import pytest
import torch

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # Tests run in several processes side by side; more threads than cores make all of them slower.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    named = os.environ.get("PIPELINE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data: set PIPELINE_SHARED_DATA or lay it at ../shared/data")
    return folder
