import pytest
import torch
from torch import nn

from networks.hourglass_stack import HourglassStack


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def stack_of(depth: int, dims: int = 2) -> HourglassStack:
    return HourglassStack(nn.Identity, dims, depth)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_there_are_units_on_every_way(depth):
    made: list[nn.Module] = []

    def make_units() -> nn.Module:
        made.append(nn.Identity())
        return made[-1]

    stack = HourglassStack(make_units, 2, depth)
    assert len(made) == 3 * depth + 1
    assert (len(stack.across), len(stack.down), len(stack.up)) == (depth,) * 3


@pytest.mark.parametrize("dims", [2, 3])
def test_identities_add_up_what_was_pooled_at_each_resolution(dims):
    image = torch.rand(2, 3, *(8, 4, 4)[:dims])
    expected = image.clone()
    for window in (2, 4):
        pool = nn.MaxPool2d if dims == 2 else nn.MaxPool3d
        expected += nn.functional.interpolate(pool(window)(image), scale_factor=float(window), mode="nearest")
    # The coarsest features also go through the bottom: pooled twice, they come back once.
    torch.testing.assert_close(stack_of(2, dims)(image), expected)


def test_every_unit_works_at_its_own_resolution():
    stack = HourglassStack(lambda: nn.Conv2d(2, 2, 1), 2, 2)
    sizes = {}
    for name, module in stack.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, out, name=name: sizes.update({name: out.shape[-1]}))
    output = stack(torch.rand(1, 2, 8, 8))
    assert sizes == {
        "across.0": 8,
        "across.1": 4,
        "down.0": 4,
        "down.1": 2,
        "bottom": 2,
        "up.0": 2,
        "up.1": 4,
    }
    (output * torch.randn_like(output)).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in stack.parameters())


def test_the_input_is_left_as_it_is():
    image = torch.rand(1, 2, 4, 4)
    before = image.clone()
    HourglassStack(lambda: nn.Conv2d(2, 2, 1), 2, 1)(image)
    assert torch.equal(image, before)
