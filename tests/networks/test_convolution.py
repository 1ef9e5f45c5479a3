import pytest
import torch
from torch import nn
from torch.nn import functional as F

from networks.convolution import Conv2d, Conv3d
from networks.layers import CHANNELS_LAST

# Spatial size, kernel and stride of which torch's own gradient was seen to be wrong, and of some that are right.
SHAPES = [
    ((2, 2, 2), 3, 1),
    ((2, 6, 4), 3, 1),
    ((4, 6, 1), 3, 2),
    ((1, 1, 1), 3, 2),
    ((4, 4, 4), 5, 1),
    ((6, 6, 6), 7, 1),
    ((5, 6, 7), 7, 2),
    ((8, 8, 8), 3, 1),
    ((16, 1), 3, 2),
    ((1, 1), 7, 2),
    ((9, 9), 3, 1),
]


def layer_and_image(size, kernel, stride):
    torch.manual_seed(0)
    dims = len(size)
    convolution = (Conv2d if dims == 2 else Conv3d)(16, 16, kernel, stride, kernel // 2)
    return convolution, torch.randn(2, 16, *size).contiguous(memory_format=CHANNELS_LAST[dims])


def gradients(convolution, image, precision):
    convolution.zero_grad()
    image = image.clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        output = convolution(image)
    torch.manual_seed(1)
    output.backward(torch.randn(output.shape).to(output.dtype))
    return output.detach(), convolution.weight.grad.clone(), image.grad


def by_matrix(convolution, image):
    """The same as a product of matrices in float64, which uses no convolution at all."""
    weight = convolution.weight.detach().double().requires_grad_()
    image = image.double().contiguous().requires_grad_()
    pads = [side for pad in reversed(convolution.padding) for side in (pad, pad)]
    windows = F.pad(image, pads)
    for axis, (taps, step) in enumerate(zip(convolution.kernel_size, convolution.stride, strict=True), start=2):
        windows = windows.unfold(axis, taps, step)
    dims = len(convolution.kernel_size)
    windows = windows.movedim(1, 1 + dims).flatten(1 + dims)  # [B, *S', C * taps]
    output = (windows @ weight.flatten(1).T + convolution.bias.detach().double()).movedim(-1, 1)
    torch.manual_seed(1)
    output.backward(torch.randn(output.shape).double())
    return output.detach(), weight.grad, image.grad


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("size", "kernel", "stride"), SHAPES)
def test_outputs_and_gradients_are_those_of_a_matrix_product(size, kernel, stride, precision):
    convolution, image = layer_and_image(size, kernel, stride)
    exact = by_matrix(convolution, image)
    for _ in range(4):  # what was wrong was memory that nobody had written
        output, *found = gradients(convolution, image, precision)
        assert output.dtype == precision
        for ours, theirs in zip((output, *found), exact, strict=True):
            allowed = (0.03 if precision == torch.bfloat16 else 1e-4) * theirs.abs().max().item()
            torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=allowed)


def test_without_padding_the_size_is_that_of_torch():
    image = torch.randn(1, 2, 5, 3, 7)
    ours = Conv3d(2, 2, (3, 3, 5), stride=(1, 1, 2))
    assert ours(image).shape == nn.Conv3d(2, 2, (3, 3, 5), stride=(1, 1, 2))(image).shape


def test_an_image_longer_than_the_kernel_goes_the_way_of_torch():
    ours, theirs = Conv3d(4, 4, 3, 1, 1), nn.Conv3d(4, 4, 3, 1, 1)
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(1, 4, 8, 8, 8)
    assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("size", [(2, 2), (1, 1)])
def test_an_image_that_no_kernel_fits_into_is_refused(size):
    with pytest.raises(RuntimeError, match="Kernel size"):
        Conv2d(1, 1, 3)(torch.rand(1, 1, *size))
