import torch
from hypothesis import given
from hypothesis import strategies as st

from networks.sizes import centre_crop, crop_end, pad_to_multiple


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.lists(st.integers(1, 4), min_size=3, max_size=3))
def test_padding_is_undone_by_cropping(size, multiple):
    image = torch.rand(1, 2, *size)
    padded = pad_to_multiple(image, multiple[: len(size)])
    assert all(n % step == 0 for n, step in zip(padded.shape[2:], multiple, strict=False))
    assert torch.equal(crop_end(padded, size), image)
    assert padded.sum().item() == image.sum().item() or torch.isclose(padded.sum(), image.sum())


def test_what_fits_is_not_copied():
    image = torch.rand(1, 1, 4, 6)
    assert pad_to_multiple(image, (2, 3)) is image
    assert centre_crop(image, (4, 6)) is image


def test_a_centre_crop_is_in_the_centre():
    image = torch.arange(7.0).reshape(1, 1, 7, 1).expand(1, 1, 7, 5)
    assert centre_crop(image, (3, 5))[0, 0, :, 0].tolist() == [2.0, 3.0, 4.0]
