import json
import math

import pytest
import torch

from datamodules.cropping import transform
from datamodules.heatmaps import HeatmapCodec
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE, Skeleton

METHODS = ("argmax", "quarter", "dark", "udp", "soft_argmax")
REFINED = METHODS[2:]
# Width and height of image and maps: a quarter, the image's own size, and strides that are no integers.
SIZES = [((128, 96), (32, 24)), ((40, 56), (40, 56)), ((213, 131), (50, 37)), ((64, 64), (24, 48))]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def visible(points):
    return torch.full(points.shape[:2], VISIBLE, dtype=torch.uint8)


def in_the_image(image, count=40):
    return torch.rand(count, 10, 2) * (torch.tensor(image) - 1)


def on_its_border(image, maps):
    """Return joints on the pixels of the outermost cells, in corners and along sides."""
    points, reach = in_the_image(image), torch.tensor(image) / torch.tensor(maps)
    near = torch.rand(points.shape) * (reach - 1).clamp(min=0)
    edge = torch.where(torch.rand(points.shape) < 0.5, near, torch.tensor(image) - 1 - near)
    return torch.where(torch.rand(points.shape) < 0.7, edge, points)


def error_cells(codec, points, image, maps):
    """Return how far from a joint its map is decoded, in cells [B, K]."""
    found = codec.decode(codec.encode(points, visible(points), image, maps).maps, image).points
    return ((found - points) * torch.tensor(maps) / torch.tensor(image)).norm(dim=-1)


@pytest.mark.parametrize(("image", "maps"), SIZES)
@pytest.mark.parametrize("method", REFINED)
def test_encode_then_decode_errs_below_a_twentieth_of_a_cell_also_on_the_border(method, image, maps):
    codec = HeatmapCodec(method)
    assert error_cells(codec, in_the_image(image), image, maps).mean() < 0.01
    border = error_cells(codec, on_its_border(image, maps), image, maps)
    assert border.mean() < 0.01
    assert border.max() < 0.05


@pytest.mark.parametrize(("image", "maps"), SIZES)
def test_the_unrefined_methods_err_within_their_cell(image, maps):
    for method, limit in (("argmax", 0.5), ("quarter", 0.5)):
        worst = error_cells(HeatmapCodec(method), on_its_border(image, maps), image, maps).max()
        assert worst <= limit * math.sqrt(2) + 1e-3
    middle = in_the_image(image) * 0.8 + 0.1 * torch.tensor(image)
    assert error_cells(HeatmapCodec("quarter"), middle, image, maps).max() <= 0.25 * math.sqrt(2) + 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_where_a_cell_lies_on_the_image(method):
    codec = HeatmapCodec(method)
    bell = (-(torch.arange(16).float() ** 2) / 8).exp()
    corner = bell[:8, None] * bell
    first, last = codec.decode(torch.stack([corner, corner.flip(0, 1)])[None], (64, 32)).points[0].tolist()
    # Four pixels to a cell, 0 to 3 in the first one; with unit lengths the outermost centres meet.
    assert first == pytest.approx([0.0, 0.0] if method == "udp" else [1.5, 1.5], abs=1e-3)
    assert last == pytest.approx([63.0, 31.0] if method == "udp" else [61.5, 29.5], abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_target_is_the_gaussian_around_its_joint(method):
    codec = HeatmapCodec(method, sigma=1.5)
    maps, weight = codec.encode(torch.tensor([[[21.0, 9.0]]]), torch.tensor([[VISIBLE]]), (64, 32), (16, 8))
    x, y = (21 * 15 / 63, 9 * 7 / 31) if method == "udp" else ((21 - 1.5) / 4, (9 - 1.5) / 4)
    for row, column in ((0, 0), (2, 5), (7, 15), (3, 4)):
        expected = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 1.5**2))
        assert maps[0, 0, row, column].item() == pytest.approx(expected, rel=1e-4)
    assert (maps.dtype, maps.shape, weight.tolist()) == (torch.float32, (1, 1, 8, 16), [[1.0]])


@pytest.mark.parametrize(("image", "maps"), SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_the_mirror_image_has_the_mirrored_maps(method, image, maps):
    codec = HeatmapCodec(method)
    order = Skeleton(("nose", "left", "right"), pairs=((1, 2),)).mirrored
    points = in_the_image(image)[:, :3]
    seen = torch.randint(0, 3, (40, 3), dtype=torch.uint8)
    width = image[0]
    other = torch.stack([width - 1 - points[..., 0], points[..., 1]], -1)[:, list(order)]
    targets, theirs = codec.encode(points, seen, image, maps), codec.encode(other, seen[:, list(order)], image, maps)
    torch.testing.assert_close(codec.mirror(targets.maps, order), theirs.maps, rtol=0, atol=1e-4)
    assert torch.equal(codec.mirror(codec.mirror(targets.maps, order), order), targets.maps)
    # What the test of the flip does: the mirror image's maps, mirrored, say where the joints are.
    found, score = codec.decode(codec.mirror(theirs.maps, order), image)
    straight, its_score = codec.decode(targets.maps, image)
    torch.testing.assert_close(found, straight, rtol=0, atol=2e-3)
    torch.testing.assert_close(score, its_score, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_shift_by_whole_cells_shifts_maps_and_joints(method):
    codec, image, maps = HeatmapCodec(method), (128, 96), (32, 24)
    points = 40 + 20 * torch.rand(20, 10, 2)
    cell = torch.tensor([127 / 31, 95 / 23]) if method == "udp" else torch.tensor([4.0, 4.0])
    here = codec.encode(points, visible(points), image, maps).maps
    there = codec.encode(points + cell * torch.tensor([2, -3]), visible(points), image, maps).maps
    torch.testing.assert_close(there[..., :-3, 2:], here[..., 3:, :-2], rtol=0, atol=1e-5)
    moved = codec.decode(here.roll((-3, 2), (2, 3)), image).points - codec.decode(here, image).points
    torch.testing.assert_close(moved, (cell * torch.tensor([2, -3])).expand_as(moved), rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_scaling_the_image_scales_the_joints(method):
    codec, maps = HeatmapCodec(method), (32, 24)
    heat = torch.rand(4, 3, 24, 32)
    small, large = codec.decode(heat, (64, 48)).points, codec.decode(heat, (192, 144)).points
    # Pixels grow about the image's edge, which lies half a pixel before the first centre; unit lengths about that.
    expected = small * torch.tensor([191 / 63, 143 / 47]) if method == "udp" else 3 * (small + 0.5) - 0.5
    torch.testing.assert_close(large, expected, rtol=0, atol=1e-3)
    points = torch.tensor([[[20.0, 30.0]]])
    larger = points * torch.tensor([191 / 63, 143 / 47]) if method == "udp" else 3 * (points + 0.5) - 0.5
    first, second = (
        codec.encode(p, visible(p), size, maps).maps for p, size in ((points, (64, 48)), (larger, (192, 144)))
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


def test_an_affine_brings_decoded_joints_back_to_the_original():
    codec, image = HeatmapCodec("dark"), (128, 128)
    to_original = torch.tensor([[1.7, 0.3, -20.0], [-0.3, 1.7, 11.0]]).numpy()
    points = in_the_image(image, 1)
    found = codec.decode(codec.encode(points, visible(points), image, (32, 32)).maps, image).points
    expected, got = (transform(to_original, p[0].double().numpy()) for p in (points, found))
    assert abs(expected - got).max() < 0.05


def test_an_unlabelled_joint_has_no_target_and_no_weight():
    points = torch.tensor([[[10.0, 10.0], [math.nan, 10.0], [10.0, 10.0]]])
    seen = torch.tensor([[VISIBLE, UNLABELLED, OCCLUDED]], dtype=torch.uint8)
    targets = HeatmapCodec().encode(points, seen, (32, 32), (16, 16))
    assert targets.weight.tolist() == [[1.0, 0.0, 1.0]]
    assert not targets.maps[0, 1].any()
    assert torch.equal(targets.maps[0, 0], targets.maps[0, 2])


def test_an_occluded_joint_is_masked_where_this_is_chosen():
    points, seen = torch.full((1, 3, 2), 9.0), torch.tensor([[VISIBLE, UNLABELLED, OCCLUDED]])
    targets = HeatmapCodec(occluded="masked").encode(points, seen, (32, 32), (16, 16))
    assert targets.weight.tolist() == [[1.0, 0.0, 0.0]]
    assert not targets.maps[0, 1:].any()


@pytest.mark.parametrize("method", METHODS)
def test_a_joint_out_of_the_image_keeps_its_weight_and_what_reaches_the_map(method):
    points = torch.tensor([[[-1e4, 20.0], [-10.0, 20.0], [20.0, 20.0], [65.0, 20.0]]])
    targets = HeatmapCodec(method).encode(points, visible(points), (64, 64), (16, 16))
    assert targets.weight.tolist() == [[1.0, 1.0, 1.0, 1.0]]
    assert not targets.maps[0, 0].any()
    assert 0.3 < targets.maps[0, 1].max() < 0.6
    assert targets.in_view.tolist() == [[0.0, 0.0, 1.0, 1.0]]
    decoded = HeatmapCodec(method).decode(targets.maps, (64, 64))
    assert decoded.score[0, 0] == 0
    assert decoded.points.isfinite().all()
    assert decoded.points[0, 3, 0] == pytest.approx(65.0, abs=4.0)


@pytest.mark.parametrize("method", METHODS)
def test_maps_of_a_single_cell_point_to_the_middle(method):
    points = torch.tensor([[[15.5, 7.5]]])
    codec = HeatmapCodec(method)
    targets = codec.encode(points, visible(points), (32, 16), (1, 1))
    assert targets.maps.item() == 1.0
    assert codec.decode(targets.maps, (32, 16)).points.flatten().tolist() == pytest.approx([15.5, 7.5], abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_all_is_done_where_the_keypoints_are(method):
    # A tensor on `meta` has no values: reading one, as waiting for a device does, raises.
    codec = HeatmapCodec(method)
    points, seen = torch.zeros(2, 3, 2, device="meta"), torch.ones(2, 3, dtype=torch.uint8, device="meta")
    maps, weight = codec.encode(points, seen, (64, 48), (16, 12))
    decoded = codec.decode(codec.mirror(maps, [0, 2, 1]), (64, 48))
    assert {t.device.type for t in (maps, weight, *decoded)} == {"meta"}
    assert (maps.shape, weight.shape, decoded.points.shape) == ((2, 3, 12, 16), (2, 3), (2, 3, 2))


def test_autocast_and_double_keypoints_leave_targets_in_float32():
    points = in_the_image((64, 48), 2)
    expected = HeatmapCodec().encode(points, visible(points), (64, 48), (16, 12)).maps
    with torch.autocast("cpu", torch.bfloat16):
        found = HeatmapCodec().encode(points.double(), visible(points), (64, 48), (16, 12)).maps
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_codec_goes_through_json():
    codec = HeatmapCodec("udp", 1.5, "masked")
    assert HeatmapCodec.from_dict(json.loads(json.dumps(codec.to_dict()))) == codec


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "darkest"}, "one of argmax, quarter, dark, udp, soft_argmax, found 'darkest'"),
        ({"occluded": "zeros"}, "one of as_visible, masked, found 'zeros'"),
        ({"sigma": 0.5}, "at least 1.0 cells, found 0.5"),
        ({"sigma": math.nan}, "found nan"),
    ],
)
def test_wrong_choices_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        HeatmapCodec(**wrong)


def test_a_mirror_needs_a_place_for_every_joint():
    with pytest.raises(ValueError, match="expected 3 joints, one per map, found 2"):
        HeatmapCodec().mirror(torch.zeros(1, 3, 4, 4), [1, 0])


@pytest.mark.parametrize(("image", "maps"), SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_cells_lie_where_their_joints_are_decoded(method, image, maps):
    codec = HeatmapCodec(method)
    (step_x, first_x), (step_y, first_y) = codec.cell_to_pixel(image, maps)
    cell = (maps[0] // 2, maps[1] // 2)
    pixel = torch.tensor([[[step_x * cell[0] + first_x, step_y * cell[1] + first_y]]])
    target = codec.encode(pixel, visible(pixel), image, maps).maps
    assert target[0, 0, cell[1], cell[0]].item() == pytest.approx(1.0, abs=1e-6)
    alone = torch.zeros_like(target)
    alone[0, 0, cell[1], cell[0]] = 1
    torch.testing.assert_close(codec.decode(alone, image).points, pixel, rtol=0, atol=2e-3)
    if method == "udp":
        assert (first_x, first_y) == (0, 0)
        assert (step_x * (maps[0] - 1), step_y * (maps[1] - 1)) == pytest.approx((image[0] - 1, image[1] - 1))
    else:
        assert (step_x, step_y) == (image[0] / maps[0], image[1] / maps[1])
        assert (first_x, first_y) == ((step_x - 1) / 2, (step_y - 1) / 2)
