"""Blending tiles gives what the network gives on the whole, wherever that is defined."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pipeline.inference.sliding import output_margin, sliding_window

sizes = st.lists(st.integers(1, 12), min_size=3, max_size=3)


def pointwise(batch):
    """Three logits of each voxel from its two channels alone."""
    return torch.stack([batch[:, 0], batch[:, 1] * 2 - 1, (batch[:, 0] * batch[:, 1]).tanh()], dim=1)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, st.floats(0.0, 0.9), st.integers(1, 5), st.integers(0, 1000))
def test_tiled_equals_whole_for_a_pointwise_network(shape, tile, overlap, tile_batch, seed):
    tile = [max(length, 3) for length in tile]  # tiles of one voxel make thousands of calls
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed))
    logits = sliding_window(pointwise, image, tile, overlap=overlap, tile_batch=tile_batch)
    assert logits.dtype == torch.float32
    assert logits.device.type == "cpu"
    torch.testing.assert_close(logits, pointwise(image[None])[0], rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(sizes, st.lists(st.integers(2, 9), min_size=2, max_size=2), st.floats(0.0, 0.9))
def test_two_axis_tiles_equal_slice_by_slice(shape, tile, overlap):
    torch.manual_seed(0)
    network = nn.Conv2d(2, 3, 3, padding=1)
    image = torch.randn(2, *shape)
    logits = sliding_window(network, image, tile, overlap=overlap, tile_batch=3)
    slices = [sliding_window(network, image[..., z : z + 1], tile, overlap=overlap) for z in range(shape[2])]
    torch.testing.assert_close(logits, torch.cat(slices, dim=-1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_mirrored_logits_are_averaged_over_every_combination(axes):
    torch.manual_seed(0)
    network = nn.Conv3d(1, 2, 3, padding=1)
    image = torch.randn(1, 6, 5, 4)
    got = sliding_window(network, image, (6, 5, 4), mirror_axes=axes)
    expected, count = torch.zeros(2, 6, 5, 4), 0
    for mask in range(8):
        flip = [axis for axis in range(3) if mask >> axis & 1]
        if set(flip) <= set(axes):
            dims = [axis + 1 for axis in flip]
            expected += network(image.flip(dims)[None])[0].flip(dims)
            count += 1
    assert count == 2 ** len(axes)
    torch.testing.assert_close(got, expected.detach() / count)


def test_a_network_that_hands_out_its_input_is_mirrored_right():
    image = torch.randn(1, 6, 6, 6)
    before = image.clone()
    got = sliding_window(lambda batch: batch, image, (6, 6, 6), mirror_axes=(0, 1, 2))
    torch.testing.assert_close(got, before)
    torch.testing.assert_close(image, before)


def test_a_small_volume_is_padded_with_zeros_and_cropped():
    network = nn.AvgPool3d(3, stride=1, padding=1)
    logits = sliding_window(network, torch.ones(1, 1, 1, 1), (5, 5, 5))
    assert logits.shape == (1, 1, 1, 1)
    assert logits.item() == pytest.approx(1 / 27)


def test_an_unpadded_network_is_fed_with_a_mirrored_rim():
    network = nn.AvgPool2d(5, stride=1)
    assert output_margin(network, 1, (12, 9)) == (2, 2)
    image = torch.randn(1, 20, 17, 2)
    got = sliding_window(network, image, (12, 9), margin=(2, 2))
    mirrored = nn.functional.pad(image.movedim(-1, 0), (2, 2, 2, 2), mode="reflect")
    torch.testing.assert_close(got, network(mirrored).movedim(0, -1), rtol=1e-4, atol=1e-5)


def test_a_wrong_margin_is_refused():
    with pytest.raises(ValueError, match="margin"):
        sliding_window(nn.AvgPool3d(3, stride=1), torch.zeros(1, 8, 8, 8), (8, 8, 8))
    with pytest.raises(ValueError, match="middle"):
        output_margin(nn.AvgPool2d(2, stride=1), 1, (8, 8))


def test_bf16_is_blended_in_float32_and_close():
    torch.manual_seed(0)
    network = nn.Conv3d(1, 4, 3, padding=1).eval()
    image = torch.randn(1, 12, 12, 12)
    exact = sliding_window(network, image, (8, 8, 8))
    half = sliding_window(network, image, (8, 8, 8), autocast=torch.bfloat16)
    assert half.dtype == torch.float32
    assert 0 < (half - exact).abs().max() < 0.05


def test_the_result_can_be_changed_in_place_outside_inference_mode():
    logits = sliding_window(pointwise, torch.zeros(2, 4, 4, 4), (4, 4, 4))
    logits += 1
    assert not logits.is_inference()


def test_progress_counts_all_tiles():
    seen: list[tuple[int, int]] = []
    sliding_window(
        pointwise, torch.zeros(2, 8, 4, 4), (4, 4, 4), tile_batch=2, progress=lambda *step: seen.append(step)
    )
    assert seen == [(2, 3), (3, 3)]
