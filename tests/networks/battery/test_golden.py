"""Golden logits: all are written anew by `python -m pytest tests/networks/battery/test_golden.py --regenerate-golden`.

That is needed for a new member, and where a network is meant to give other numbers than before.
"""

import json
from pathlib import Path

import pytest
import torch

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 1e-6  # of the largest number; all is drawn and computed in float64, as depth enlarges rounding


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def golden(request):
    """What is stored, by network and dimensions; with `--regenerate-golden` it is filled and written."""
    regenerate = request.config.getoption("--regenerate-golden", default=False)
    stored = {} if regenerate else json.loads(GOLDEN.read_text())
    yield stored, regenerate
    if regenerate:
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(stored[key])}" for key in sorted(stored))
        GOLDEN.write_text(f"{{\n{lines}\n}}\n")


def numbers_of(subject, helpers) -> list[float]:
    """Return the first, middle and last logit, their mean and their deviation."""
    network, image = subject.settled(helpers.small_sizes)
    with torch.no_grad():
        logits = torch.cat([output.flatten() for output in helpers.as_list(network(image))])
    assert logits.dtype == torch.float64
    found = [logits[0], logits[len(logits) // 2], logits[-1], logits.mean(), logits.std()]
    return [float(f"{number.item():.9g}") for number in found]


def test_golden_logits(subject, helpers, golden):
    stored, regenerate = golden
    found = numbers_of(subject, helpers)
    if regenerate:
        stored[str(subject)] = found
    assert str(subject) in stored, "no golden logits are stored for this network: write them as said above"
    scale = max(abs(number) for number in stored[str(subject)])
    assert found == pytest.approx(stored[str(subject)], rel=0.0, abs=TOLERANCE * scale)
