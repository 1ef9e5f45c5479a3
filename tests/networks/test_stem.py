import pytest
import torch
from torch import nn

from networks.layers import Style
from networks.stem import stem_levels


@pytest.mark.parametrize("dims", [2, 3])
def test_the_stem_of_imagenet_steps_twice(dims):
    first, second = stem_levels(Style(dims, "batch"), "imagenet", 3, 8)
    assert (first.step, second.step) == ((2,) * dims, (2,) * dims)
    assert (first.channels, first.finished, second.finished) == (8, True, True)
    convolution = first.layers[0][0]
    assert (convolution.in_channels, convolution.kernel_size, convolution.stride) == (3, (7,) * dims, (2,) * dims)
    image = torch.rand(2, 3, *(9, 16, 5)[:dims])
    half = first.layers[0](image)
    assert half.shape == (2, 8, *(5, 8, 3)[:dims])
    assert second.layers[0](half).shape == (2, 8, *(3, 4, 2)[:dims])


def test_its_pooling_has_windows_of_three():
    pool = stem_levels(Style(2, "batch"), "imagenet", 3, 8)[1].layers[0]
    assert isinstance(pool, nn.MaxPool2d)
    assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_stem_of_one_convolution_keeps_the_size(dims):
    (level,) = stem_levels(Style(dims, "batch"), "convolution", 1, 4)
    assert (level.step, level.channels) == ((1,) * dims, 4)
    image = torch.rand(2, 1, *(5, 6, 7)[:dims])
    assert level.layers[0](image).shape == (2, 4, *(5, 6, 7)[:dims])


def test_an_unknown_stem_is_refused():
    with pytest.raises(ValueError, match="stem: expected imagenet or convolution, found 'patch'"):
        stem_levels(Style(2), "patch", 1, 4)  # type: ignore[arg-type]
