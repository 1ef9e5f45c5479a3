import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from networks import Classifier, Hourglass, UNet
from networks.sizes import centre_crop, check_axes, crop_end, pad_to_multiple


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.lists(st.integers(1, 4), min_size=3, max_size=3))
def test_padding_is_undone_by_cropping(size, multiple):
    image = torch.rand(1, 2, *size)
    steps = multiple[: len(size)]
    padded = pad_to_multiple(image, steps)
    assert all(n % step == 0 for n, step in zip(padded.shape[2:], steps, strict=True))
    assert torch.equal(crop_end(padded, size), image)
    assert padded.sum().item() == image.sum().item() or torch.isclose(padded.sum(), image.sum())


def test_what_fits_is_not_copied():
    image = torch.rand(1, 1, 4, 6)
    assert pad_to_multiple(image, (2, 3)) is image
    assert centre_crop(image, (4, 6)) is image


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 4, 4, 4, 4), (4, 4)])
def test_an_image_of_another_number_of_axes_is_refused(shape):
    with pytest.raises(ValueError, match=r"image: expected \[B, C\] and 2 spatial axes, found \["):
        check_axes(torch.rand(shape), 2)


@pytest.mark.parametrize(
    "network",
    [
        UNet(1, 1, spatial_dims=2, channels=[2, 2]),
        Hourglass(1, 1, features=8),
        Classifier(1, 1, encoder="cifar_plain8"),
    ],
    ids=lambda network: type(network).__name__,
)
def test_every_network_refuses_them(network):
    with pytest.raises(ValueError, match="2 spatial axes"):
        network(torch.rand(1, 1, 64, 64, 64))


def test_a_centre_crop_is_in_the_centre():
    image = torch.arange(7.0).reshape(1, 1, 7, 1).expand(1, 1, 7, 5)
    assert centre_crop(image, (3, 5))[0, 0, :, 0].tolist() == [2.0, 3.0, 4.0]
