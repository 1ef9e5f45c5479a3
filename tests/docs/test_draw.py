"""The drawings: each is there, and says what the modules are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"


def words(drawing):
    return re.findall(r"<text [^>]*>([^<]*)</text>", drawing.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    script = str(ROOT / "docs" / "draw.py")
    # Two processes, as the order of hashes may differ between them.
    started = [subprocess.Popen([sys.executable, script, "--output", str(to)]) for to in (folder, folder / "again")]
    assert [process.wait() for process in started] == [0, 0]
    return folder


def test_the_drawings_of_the_page_are_those_of_the_script(drawn):
    made = sorted(path.name for path in drawn.glob("*.svg"))
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    assert made == sorted(set(re.findall(r"\(pictures/(\w+\.svg)\)", page)))
    assert set(made) <= {path.name for path in PICTURES.glob("*.svg")}
    for name in made:
        # Another matplotlib may draw a line otherwise, but not say anything else.
        assert words(PICTURES / name) == words(drawn / name), f"{name}: run python docs/draw.py"


def test_the_same_drawing_gives_the_same_bytes(drawn):
    for path in drawn.glob("*.svg"):
        assert path.read_bytes() == (drawn / "again" / path.name).read_bytes()


def test_a_basic_unit_has_its_layers_in_both_orders(drawn):
    said = words(drawn / "unit_basic.svg")
    original = ["3x3 conv, 64", "batch norm", "ReLU", "3x3 conv, 64", "batch norm", "identity", "+", "ReLU"]
    preactivated = ["batch norm", "ReLU", "3x3 conv, 64", "batch norm", "ReLU", "3x3 conv, 64", "identity", "+"]
    assert said == ["original order", "64 channels", *original, "pre-activation", "64 channels", *preactivated]


def test_groups_steps_and_options_are_said(drawn):
    assert "3x3 conv, 128, 32 groups" in words(drawn / "unit_resnext.svg")
    assert "1x1 conv, 128, step 2" in words(drawn / "unit_basic_step.svg")
    options = {"squeeze-and-excitation", "learnable scale", "stochastic depth", "concatenate", "dropout of channels"}
    assert options <= set(words(drawn / "branch_extras.svg"))


def test_sizes_are_those_of_a_forward_pass(drawn):
    assert words(drawn / "hourglass_stack.svg").count("4²") == 1
    assert "512 channels, 4²" in words(drawn / "unet_encoder.svg")


def test_a_card_makes_it_readable_on_a_dark_page(drawn):
    for path in drawn.glob("*.svg"):
        assert "fill: #fcfbf8" in path.read_text(encoding="utf-8")
