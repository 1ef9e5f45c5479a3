import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from networks.base import Network
from networks.residual import ResidualUnit


def is_identity(module: nn.Module) -> bool:
    return isinstance(module, ResidualUnit) and isinstance(module.shortcut, nn.Identity)


def stages(network: Network) -> Iterator[list[ResidualUnit]]:
    """Yield the longest rows of units that keep their input's shape."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for keeps, row in itertools.groupby(module, is_identity):
                if keeps:
                    yield list(row)


def run(network: Network, image: Tensor) -> dict[nn.Module, tuple[Tensor, Tensor]]:
    """Return the input and output of every residual unit, as they were when it ran."""
    inputs: dict[nn.Module, Tensor] = {}
    outputs: dict[nn.Module, Tensor] = {}

    def see_input(unit, arguments):
        inputs[unit] = arguments[0].clone()

    def see_output(unit, arguments, output):
        outputs[unit] = output.clone()

    for unit in network.modules():
        if isinstance(unit, ResidualUnit):
            unit.register_forward_pre_hook(see_input)
            unit.register_forward_hook(see_output)
    with torch.no_grad():
        network(image)
    return {unit: (inputs[unit], outputs[unit]) for unit in inputs}


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_at_zero_weights_units_and_stages_give_their_input_back_to_the_bit(preactivated_subject, norm):
    network = preactivated_subject.make_with(norm=norm, preactivation=True)
    image = preactivated_subject.images(network)
    with torch.no_grad():
        for unit in network.modules():
            if isinstance(unit, ResidualUnit):
                for weight in unit.branch.parameters():
                    weight.zero_()
    seen = run(network, image)
    rows = list(stages(network))
    assert {unit for row in rows for unit in row} == {unit for unit in seen if is_identity(unit)} != set()
    for row in rows:
        assert all(torch.equal(*seen[unit]) for unit in row)
        assert torch.equal(seen[row[0]][0], seen[row[-1]][1])
    assert all(seen[row[0]][0].abs().max() > 0 for row in rows)
