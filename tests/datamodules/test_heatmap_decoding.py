import math

import pytest
import torch

from datamodules.heatmap_decoding import REACH, decode_cells
from datamodules.heatmaps import HeatmapCodec

REFINED = ("dark", "udp", "soft_argmax")
METHODS = ("argmax", "quarter", *REFINED)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def gaussians(cells, size, sigma=2.0):
    """Draw the textbook's two-dimensional Gaussian for each joint [B, K, 2], in double precision."""
    y, x = torch.meshgrid(torch.arange(size[1]), torch.arange(size[0]), indexing="ij")
    apart = (x - cells[..., 0, None, None].double()) ** 2 + (y - cells[..., 1, None, None].double()) ** 2
    return (-apart / (2 * sigma**2)).exp().float()


def anywhere(size, count=400, low=-0.5):
    return low + torch.rand(count // 10, 10, 2) * (torch.tensor(size) - 1 - 2 * low)


def on_the_border(size):
    """Return joints in the outermost cells of every side, the corners among them."""
    cells = anywhere(size)
    edge = torch.rand(cells.shape) - 0.5 + torch.randint(0, 2, cells.shape) * (torch.tensor(size) - 1)
    one_axis = torch.rand(cells.shape[:2]) < 0.5
    which = torch.stack([one_axis, ~one_axis], -1) | (torch.rand(cells.shape[:2]) < 0.3)[..., None]
    return torch.where(which, edge, cells)


def error(cells, found):
    return (found - cells).norm(dim=-1)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("place", [anywhere, on_the_border])
@pytest.mark.parametrize("method", REFINED)
def test_a_gaussian_is_found_to_a_hundredth_of_a_cell_also_on_the_border(method, place, sigma):
    cells = place((32, 24))
    found, score = decode_cells(gaussians(cells, (32, 24), sigma), method, sigma)
    assert error(cells, found).max() < 0.015
    assert (found - cells).mean((0, 1)).abs().max() < 2e-3  # no bias
    assert ((score > 0.6) & (score <= 1)).all()


@pytest.mark.parametrize("method", ["dark", "udp"])
def test_every_corner_is_as_exact_as_the_middle(method):
    size = (20, 12)
    corners = torch.tensor([[-0.5, -0.4], [19.45, -0.5], [-0.3, 11.4], [19.4, 11.49], [0.0, 0.0], [19.0, 11.0]])[None]
    assert error(corners, decode_cells(gaussians(corners, size), method, 2.0)[0]).max() < 1e-3


def test_the_largest_cell_errs_by_half_a_cell_at_most():
    cells = on_the_border((32, 24))
    found, _ = decode_cells(gaussians(cells, (32, 24)), "argmax", 2.0)
    assert (found - cells).abs().max() <= 0.5 + 1e-4
    assert torch.equal(found, found.round())


def test_a_quarter_of_a_cell_halves_the_error_off_the_border():
    cells = anywhere((32, 24), low=1.0)
    found, _ = decode_cells(gaussians(cells, (32, 24)), "quarter", 2.0)
    assert (found - cells).abs().max() <= 0.25 + 1e-4
    one = torch.zeros(1, 1, 1, 5)
    one[..., 0] = 1.0  # no cell to the left: no offset
    assert decode_cells(one, "quarter", 2.0)[0].flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("method", REFINED)
def test_noise_of_both_signs_is_borne_also_on_the_border(method):
    for place, limit in ((anywhere, 0.08), (on_the_border, 0.12)):
        cells = place((32, 24))
        maps = gaussians(cells, (32, 24))
        maps = maps + 0.03 * torch.randn_like(maps)
        assert maps.min() < -0.05
        assert error(cells, decode_cells(maps, method, 2.0)[0]).mean() < limit


@pytest.mark.parametrize("method", REFINED)
def test_a_wider_or_narrower_gaussian_than_the_targets_is_found(method):
    cells = anywhere((32, 24), low=7.0)
    for sigma in (1.5, 2.7):
        assert error(cells, decode_cells(gaussians(cells, (32, 24), sigma), method, 2.0)[0]).mean() < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_mirroring_shifting_and_scaling_the_map_moves_the_joint_alike(method):
    cells = anywhere((24, 20), low=8.0)
    maps = gaussians(cells, (24, 20)) + 0.02 * torch.rand(40, 10, 20, 24)
    found, score = decode_cells(maps, method, 2.0)
    mirrored, _ = decode_cells(maps.flip(-1), method, 2.0)
    torch.testing.assert_close(23 - mirrored[..., 0], found[..., 0], rtol=0, atol=1e-4)
    upside_down, _ = decode_cells(maps.flip(-2), method, 2.0)
    torch.testing.assert_close(19 - upside_down[..., 1], found[..., 1], rtol=0, atol=1e-4)
    shifted, _ = decode_cells(maps.roll((1, -1), (2, 3)), method, 2.0)
    torch.testing.assert_close(shifted, found + torch.tensor([-1.0, 1.0]), rtol=0, atol=1e-4)
    for factor in (1e-3, 7.0):
        scaled, high = decode_cells(factor * maps, method, 2.0)
        torch.testing.assert_close(scaled, found, rtol=0, atol=1e-4)
        torch.testing.assert_close(high, factor * score)


@pytest.mark.parametrize("method", METHODS)
def test_x_and_y_are_treated_alike(method):
    cells = on_the_border((24, 24))
    maps = gaussians(cells, (24, 24))
    found, turned = decode_cells(maps, method, 2.0)[0], decode_cells(maps.mT, method, 2.0)[0]
    torch.testing.assert_close(turned.flip(-1), found, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (9, 1), (1, 9), (2, 2), (3, 2), (2, 9)])
def test_maps_of_a_row_or_two_are_decoded(method, size):
    cells = anywhere(size)
    flat = torch.tensor(size) == 1
    cells[..., flat] = 0.0  # a single cell cannot tell
    found, _ = decode_cells(gaussians(cells, size, 1.5), method, 1.5)
    limit = {"argmax": 0.5, "quarter": 0.5, "dark": 0.01, "udp": 0.01, "soft_argmax": 0.01}[method]
    assert (found - cells).abs().max() <= limit + 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_maps_without_a_maximum_give_a_cell_and_its_value(method):
    plateau, nothing = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    below = gaussians(torch.tensor([[[3.3, 2.2]]]), (8, 8)) - 2.0
    for maps, expected in ((nothing, [0.0, 0.0]), (below, [3.0, 2.0])):
        found, score = decode_cells(maps, method, 2.0)
        assert found.isfinite().all()
        assert score.item() == maps.max().item()
        if method != "quarter":
            assert found.flatten().tolist() == expected
    found, score = decode_cells(plateau, method, 2.0)
    assert found.abs().max() <= REACH
    assert score.item() == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_no_noise_throws_a_joint_further_than_a_cell(method):
    for maps in (torch.randn(20, 10, 9, 7), torch.randn(20, 10, 9, 7).exp(), 1e-30 * torch.rand(20, 10, 9, 7)):
        largest, _ = decode_cells(maps, "argmax", 2.0)
        found, _ = decode_cells(maps, method, 2.0)
        assert (found - largest).abs().max() <= REACH


@pytest.mark.parametrize("method", METHODS)
def test_of_two_equal_maxima_the_first_is_refined(method):
    first, second = torch.tensor([[[5.0, 4.0]]]), torch.tensor([[[25.0, 20.0]]])
    maps = torch.maximum(gaussians(first, (32, 24)), gaussians(second, (32, 24)))
    torch.testing.assert_close(decode_cells(maps, method, 2.0)[0], first, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_floating_type_is_decoded_in_float32(method, dtype):
    cells = anywhere((32, 24))
    maps = gaussians(cells, (32, 24)).to(dtype).requires_grad_()
    found, score = decode_cells(maps, method, 2.0)
    assert found.dtype == score.dtype == torch.float32
    assert not found.requires_grad
    expected, _ = decode_cells(maps.detach().float(), method, 2.0)
    assert torch.equal(found, expected)
    if method in REFINED:
        assert error(cells, found).mean() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_autocast_changes_nothing(method):
    maps = gaussians(on_the_border((32, 24)), (32, 24))
    expected, _ = decode_cells(maps, method, 2.0)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = decode_cells(maps, method, 2.0)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_decoded_alike_alone_and_in_a_batch_in_any_layout(method):
    maps = gaussians(on_the_border((32, 24)), (32, 24))
    found, score = decode_cells(maps.contiguous(memory_format=torch.channels_last), method, 2.0)
    alone, its_score = decode_cells(maps[7:8, 3:4], method, 2.0)
    torch.testing.assert_close(found[7:8, 3:4], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(score[7:8, 3:4], its_score)
    assert decode_cells(maps[:0], method, 2.0)[0].shape == (0, 10, 2)


@pytest.mark.parametrize("method", METHODS)
def test_no_value_is_read_from_the_device(method):
    # A tensor on `meta` has no values: reading one, as waiting for a device does, raises.
    found, score = decode_cells(torch.zeros(2, 3, 16, 12, device="meta"), method, 2.0)
    assert (found.device.type, found.shape, score.shape) == ("meta", (2, 3, 2), (2, 3))


def test_dark_is_the_newton_step_of_the_modulated_map():
    # The paper's form on a map large enough to have no border: a full convolution, its logarithm, and derivatives.
    maps = gaussians(torch.tensor([[[20.3, 21.4]]]), (41, 43)) + 0.5 * gaussians(
        torch.tensor([[[22.0, 18.0]]]), (41, 43)
    )
    reach = torch.arange(-6, 7).float()
    kernel = (-(reach[:, None] ** 2 + reach**2) / 8).exp()
    smooth = torch.nn.functional.conv2d(maps, (kernel / kernel.sum())[None, None], padding=6)[0, 0].log()
    top = maps[0, 0].argmax().item()
    y, x = divmod(top, 41)
    gradient = torch.stack([smooth[y, x + 1] - smooth[y, x - 1], smooth[y + 1, x] - smooth[y - 1, x]]) / 2
    across = (smooth[y + 1, x + 1] - smooth[y + 1, x - 1] - smooth[y - 1, x + 1] + smooth[y - 1, x - 1]) / 4
    xx = smooth[y, x + 1] - 2 * smooth[y, x] + smooth[y, x - 1]
    yy = smooth[y + 1, x] - 2 * smooth[y, x] + smooth[y - 1, x]
    hessian = torch.stack([torch.stack([xx, across]), torch.stack([across, yy])])
    expected = torch.tensor([x, y]) - torch.linalg.solve(hessian, gradient)
    assert math.dist(expected.tolist(), (x, y)) > 0.2
    found, _ = decode_cells(maps, "dark", 2.0)
    torch.testing.assert_close(found[0, 0], expected, rtol=0, atol=1e-3)


def test_a_border_of_zeros_would_push_joints_inwards():
    # What the completed window is for: the same maps with empty cells around them.
    cells = torch.tensor([[[0.0, 8.3]]])
    padded = torch.nn.functional.pad(gaussians(cells, (24, 20)), (8, 0))
    naive, _ = decode_cells(padded, "dark", 2.0)
    assert naive[0, 0, 0] - 8 > 0.2
    assert error(cells, decode_cells(gaussians(cells, (24, 20)), "dark", 2.0)[0]).item() < 1e-3


def test_the_method_of_the_codec_is_used():
    maps = gaussians(torch.tensor([[[7.4, 5.0]]]), (16, 12))
    places = [HeatmapCodec(method).decode(maps, (16, 12)).points[0, 0, 0].item() for method in METHODS[:3]]
    assert places == pytest.approx([7.0, 7.25, 7.4], abs=1e-3)
