import pytest
import torch
from torch import nn

from networks.convolution import Conv2d
from networks.layers import MeanPool, Style
from networks.shortcuts import PadShortcut, make_shortcut

STYLE = Style(2, "batch")
ONE, TWO = (1, 1), (2, 2)
KINDS = ("pad", "projection", "projection_everywhere", "pooled")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def kinds_of(shortcut: nn.Module) -> list[type[nn.Module]]:
    return [type(layer) for layer in shortcut]


@pytest.mark.parametrize("dims", [2, 3])
def test_a_strides_without_parameters_and_fills_new_channels_with_zeros(dims):
    shortcut = make_shortcut(Style(dims), "pad", 3, 5, (2,) * dims, norm=True)
    assert list(shortcut.parameters()) == []
    image = torch.rand(2, 3, *(5, 6, 7)[:dims])
    output = shortcut(image)
    assert output.shape == (2, 5, *(3, 3, 4)[:dims])
    assert torch.equal(output[:, :3], image[(..., *[slice(None, None, 2)] * dims)])
    assert output[:, 3:].abs().max() == 0


def test_a_steps_by_axis():
    image = torch.rand(1, 2, 4, 4, 4)
    assert torch.equal(PadShortcut(2, 2, (1, 2, 4))(image), image[:, :, :, ::2, ::4])


def test_a_that_would_lose_channels_is_refused():
    with pytest.raises(ValueError, match="'pad': expected at least 4 channels out, found 3"):
        make_shortcut(STYLE, "pad", 4, 3, ONE, norm=True)


def test_b_projects_where_shapes_differ_alone():
    assert isinstance(make_shortcut(STYLE, "projection", 4, 4, ONE, norm=True), nn.Identity)
    wider = make_shortcut(STYLE, "projection", 4, 8, ONE, norm=True)
    coarser = make_shortcut(STYLE, "projection", 4, 4, TWO, norm=True)
    assert kinds_of(wider) == kinds_of(coarser) == [Conv2d, nn.BatchNorm2d]
    assert (wider[0].kernel_size, coarser[0].stride) == (ONE, TWO)


def test_c_projects_everywhere():
    shortcut = make_shortcut(STYLE, "projection_everywhere", 4, 4, ONE, norm=True)
    assert kinds_of(shortcut) == [Conv2d, nn.BatchNorm2d]


def test_with_preactivation_a_projection_is_the_convolution_alone():
    assert kinds_of(make_shortcut(STYLE, "projection", 4, 8, TWO, norm=False)) == [Conv2d]
    assert kinds_of(make_shortcut(STYLE, "pooled", 4, 8, TWO, norm=False)) == [MeanPool, Conv2d]


def test_pooled_pools_where_it_steps_and_projects_where_channels_differ():
    kinds = {
        (4, ONE): nn.Identity,
        (4, TWO): [MeanPool],
        (8, ONE): [Conv2d, nn.BatchNorm2d],
        (8, TWO): [MeanPool, Conv2d, nn.BatchNorm2d],
    }
    for (channels, stride), expected in kinds.items():
        shortcut = make_shortcut(STYLE, "pooled", 4, channels, stride, norm=True)
        assert (type(shortcut) if isinstance(shortcut, nn.Identity) else kinds_of(shortcut)) == expected


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 2), (1, 1), (3, 1)])
def test_pooled_sees_every_voxel_and_b_every_second(size):
    seen = {}
    for kind in ("pooled", "projection"):
        image = torch.rand(1, 2, *size, requires_grad=True)
        make_shortcut(Style(2, "none"), kind, 2, 3, TWO, norm=True)(image).sum().backward()
        seen[kind] = (image.grad != 0)[0, 0]
    assert seen["pooled"].all()
    every_second = torch.zeros(size, dtype=torch.bool)
    every_second[::2, ::2] = True
    assert torch.equal(seen["projection"], every_second)


def test_pooled_takes_the_mean_of_what_is_there_at_an_odd_end():
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    output = make_shortcut(STYLE, "pooled", 1, 1, TWO, norm=True)(image)
    torch.testing.assert_close(output, torch.tensor([[[[2.0, 3.5]]]]))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sizes_are_rounded_up_and_the_input_is_left_as_it_is(dims, kind, stride):
    shortcut = make_shortcut(Style(dims), kind, 2, 4, (stride,) * dims, norm=True)
    for size in ((7, 5, 3)[:dims], (1, 2, 1)[:dims], (1,) * dims):
        image = torch.rand(2, 2, *size)
        before = image.clone()
        assert shortcut(image).shape == (2, 4, *[-(-length // stride) for length in size])
        assert torch.equal(image, before)


def test_an_unknown_kind_is_refused_also_where_shapes_agree():
    with pytest.raises(ValueError, match=r"shortcut: expected pad, .* found 'identity'"):
        make_shortcut(STYLE, "identity", 4, 4, ONE, norm=True)  # type: ignore[arg-type]
