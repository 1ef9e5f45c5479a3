"""The costs of the networks, and the page that they are written into."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from networks import UNet, build, describe
from networks.encoders import ENCODERS
from networks.members import MEMBERS
from networks.residual import ResidualOptions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "networks.md"


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


network_costs, one_network = load("network_costs"), load("one_network")
TINY = {"in_channels": 1, "out_channels": 2, "encoder": "cifar_resnet20", "encoder_width": 0.25}


def test_a_network_is_measured_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    arguments = TINY | {"residual": ResidualOptions(survival=0.9)}
    found = network_costs.cost(UNet, arguments, [1, 1, 16, 16, 16], "bf16")
    assert found["parameters"] == sum(parameter.numel() for parameter in UNet(**TINY).parameters())
    assert found["multiply_adds"] > 0
    assert 0 < found["forward_ms"] < found["step_ms"]
    assert 0 < found["forward_mib"] <= found["step_mib"]


def test_a_network_that_fails_is_named():
    with pytest.raises(RuntimeError, match=r"(?s)UNet.*nonsense"):
        network_costs.cost(UNet, TINY | {"encoder": "nonsense"}, [1, 1, 16, 16, 16], "fp32")


def test_multiply_adds_are_those_that_can_be_counted_by_hand():
    network = {"class_path": "networks.unet.UNet", "init_args": {"in_channels": 1, "out_channels": 3}}
    network["init_args"] |= {"spatial_dims": 2, "channels": [2, 4], "units_per_level": 1}
    # Two levels of one 3x3 convolution, up by 2x2, one 3x3 on both joined, and the 1x1 head.
    pixels = 8 * 8
    by_hand = pixels * 9 * 2 + pixels // 4 * 9 * 2 * 4 + pixels * 4 * 2 + pixels * 9 * 4 * 2 + pixels * 2 * 3
    parameters, counted = one_network.count(network, [5, 1, 8, 8])
    assert counted == by_hand
    assert parameters == sum(parameter.numel() for parameter in build(network).parameters())


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="fp32 or bf16"):
        one_network.measure(describe(UNet(**TINY)), [1, 1, 8, 8, 8], "fp8")


def test_the_peak_of_memory_is_that_of_the_process_alone():
    code = """
import one_network, torch
before = one_network.peak_mib()
filled = torch.ones(2**26)
print(one_network.peak_mib() - before)
"""
    own = torch.ones(2**27)  # a parent of 512 MiB more
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=True)
    assert own[-1] == 1
    assert 250 < float(done.stdout) < 270


def test_the_command_prints_a_row_for_each_network_that_is_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for setting, small in (("PRECISIONS", ("bf16",)), ("WIDTHS", (0.25,)), ("SIDE_3D", 16), ("BATCH", 2)):
        monkeypatch.setattr(network_costs, setting, small)
    network_costs.main(["--only", "cifar_resnet20"])
    said = capsys.readouterr()
    member, unet = re.findall(r"^\| `cifar_resnet20` \| (.*) \|$", said.out, re.M)
    assert re.search(r"\| 269,722 \| 0\.04 \| 2 x 32² \| \d+ \| \d+ \| \d+ \| \d+$", member)
    assert re.search(r"padded shortcuts \(A\) \| 0\.14 \| \d+ \| \d+$", unet)
    assert f"PyTorch {torch.__version__}" in said.out
    assert "U-Net around  `cifar_resnet20`" in said.err


def test_a_part_of_the_table_is_not_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        network_costs.main(["--only", "resnet18", "--write", str(tmp_path / "page.md")])
    assert stop.value.code == 2
    assert "leave --only out" in capsys.readouterr().err


def test_the_tables_go_between_the_markers_and_leave_the_rest(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{network_costs.BEGIN}\nold\n{network_costs.END}\nbelow\n")
    for text in ("first", "second"):
        network_costs.write(page, text)
        assert page.read_text() == f"above\n{network_costs.BEGIN}\n\n{text}\n\n{network_costs.END}\nbelow\n"


def test_every_kind_of_unit_has_an_encoder_in_the_second_table():
    chosen = network_costs.families()
    assert {ENCODERS[name].switches for name in chosen} == {encoder.switches for encoder in ENCODERS.values()}
    assert len({ENCODERS[name].switches for name in chosen}) == len(chosen)


@pytest.mark.parametrize("text", ["no marker", "{1} {0}", "{0} {0} {1}"])
def test_a_page_without_its_markers_is_refused_before_anything_is_measured(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text.format(network_costs.BEGIN, network_costs.END))
    with pytest.raises(ValueError, match="put them in"):
        network_costs.main(["--write", str(page)])


def first_table():
    """The rows of the page's first table by their networks' names."""
    before, after = network_costs.around(PAGE)
    tables = PAGE.read_text(encoding="utf-8")[len(before) : -len(after)]
    return dict(re.findall(r"^\| `(\w+)` \|(.*)$", tables.split("`encoder_width`")[0], re.M))


def test_the_page_has_a_row_for_every_member():
    assert list(first_table()) == list(MEMBERS)


def test_the_page_says_the_parameters_that_the_members_have():
    rows = first_table()
    for name, member in MEMBERS.items():
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in member.make().parameters())
        assert rows[name].startswith(f" {member.paper} | {member.switches} | {parameters:,} |"), name


def test_the_python_of_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 1
    done = subprocess.run([sys.executable, "-c", blocks[0]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_page_shows_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text())
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
