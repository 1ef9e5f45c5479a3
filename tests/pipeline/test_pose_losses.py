import math

import pytest
import torch

from datamodules.heatmaps import HeatmapCodec, HeatmapTargets
from pipeline.pose_losses import HeatmapLoss, all_flat, flat_joints


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make_targets(size=(24, 20), batch=3, joints=5, unlabelled=(), sigma=2.0):
    """Draw Gaussians well inside of the maps; pairs of sample and joint may be unlabelled."""
    points = torch.tensor(size) / 2 + torch.rand(batch, joints, 2)
    visibility = torch.full((batch, joints), 2)
    for place in unlabelled:
        visibility[place] = 0
    return HeatmapCodec(sigma=sigma).encode(points, visibility, size, size)


@pytest.mark.parametrize("positive_weight", [0.0, 3.0])
def test_the_loss_is_the_weighted_squared_error_over_labelled_joints(positive_weight):
    targets = make_targets(unlabelled=[(0, 1), (2, 4)])
    output = torch.randn(3, 5, 20, 24, dtype=torch.double)
    total, count = 0.0, 0
    for sample in range(3):
        for joint in range(5):
            if (sample, joint) not in [(0, 1), (2, 4)]:
                target = targets.maps[sample, joint].double()
                total += ((1 + positive_weight * target) * (output[sample, joint] - target) ** 2).sum().item()
                count += 1
    expected = total / count / (4 * math.pi * (1 + 2 / 3 * positive_weight))
    found = HeatmapLoss(positive_weight)([output.float()], targets)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("positive_weight", [0.0, 5.0])
@pytest.mark.parametrize(("size", "sigma"), [((24, 20), 2.0), ((64, 64), 2.0), ((48, 40), 3.0)])
def test_an_empty_map_costs_one_at_any_size_and_sigma(positive_weight, size, sigma):
    targets = make_targets(size, sigma=sigma)
    loss = HeatmapLoss(positive_weight, sigma=sigma)
    assert loss([torch.zeros_like(targets.maps)], targets).item() == pytest.approx(1.0, rel=0.01)
    assert loss([targets.maps.clone()], targets).item() == 0.0


def test_a_positive_weight_makes_a_missed_joint_dearer_than_as_much_error_on_the_background():
    targets = make_targets()
    missed = torch.zeros_like(targets.maps)
    beside = targets.maps + targets.maps.roll(10, -1)
    for positive_weight, ratio in ((0.0, 1.0), (3.0, 3.0)):
        loss = HeatmapLoss(positive_weight)
        assert (loss([missed], targets) / loss([beside], targets)).item() == pytest.approx(ratio, rel=0.01)


def test_unlabelled_joints_neither_count_nor_get_a_gradient():
    few, all_of_them = make_targets(unlabelled=[(0, 1), (1, 1), (2, 1), (0, 2)]), make_targets()
    output = torch.zeros_like(few.maps).requires_grad_()
    loss = HeatmapLoss(1.0)
    value = loss([output], few)
    assert value.item() == pytest.approx(loss([output], all_of_them).item(), rel=0.01)
    (gradient,) = torch.autograd.grad(value, output)
    assert not gradient[:, 1].any()
    assert not gradient[0, 2].any()
    assert gradient[1, 2].any()


@pytest.mark.parametrize("hard_joints", [None, 2])
def test_a_batch_without_labels_costs_exactly_nothing_and_has_a_gradient(hard_joints):
    targets = make_targets(unlabelled=[(slice(None), slice(None))])
    output = torch.randn(3, 5, 20, 24, requires_grad=True)
    value = HeatmapLoss(1.0, hard_joints)([output, output], targets)
    assert value.item() == 0.0
    value.backward()
    assert output.grad is not None
    assert not output.grad.any()


def test_all_outputs_count_alike_also_of_different_sizes():
    codec, asked = HeatmapCodec(), []
    points, visibility = 20 + 20 * torch.rand(2, 3, 2), torch.full((2, 3), 2)

    def target_of(size):
        asked.append(size)
        return codec.encode(points, visibility, (64, 48), size)

    outputs = [torch.randn(2, 3, 12, 16), torch.randn(2, 3, 24, 32), torch.randn(2, 3, 12, 16)]
    loss = HeatmapLoss(1.0)
    together = loss(outputs, target_of)
    assert asked == [(16, 12), (32, 24)]  # width and height, once for each size
    alone = [loss([output], target_of) for output in outputs]
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_every_stack_gets_a_gradient():
    targets = make_targets()
    outputs = [torch.zeros_like(targets.maps).requires_grad_() for _ in range(3)]
    HeatmapLoss(1.0, 2)(outputs, targets).backward()
    assert all(output.grad is not None and output.grad.any() for output in outputs)


def test_only_the_hardest_labelled_joints_of_each_sample_count_on_the_last_output():
    targets = make_targets(batch=2, joints=4, unlabelled=[(1, 3)])
    # Each map is the target times a factor: its loss is the square of what is missing.
    missing = torch.tensor([[0.1, 0.5, 0.3, 0.2], [0.4, 0.1, 0.2, 9.0]])
    output = targets.maps * (1 - missing)[..., None, None]
    output[1, 3] = 9.0  # the worst of all, unlabelled
    expected = torch.tensor([0.5, 0.3, 0.4, 0.2]).square().mean().item()
    found = HeatmapLoss(0.0, hard_joints=2)([output], targets).item()
    assert found == pytest.approx(expected, rel=0.02)
    everything = HeatmapLoss(0.0)([output], targets).item()
    both = HeatmapLoss(0.0, hard_joints=2)([output, output], targets).item()
    assert both == pytest.approx((everything + found) / 2)


def test_of_fewer_labelled_joints_than_are_mined_all_count():
    targets = make_targets(batch=2, joints=4, unlabelled=[(0, 0), (0, 1), (0, 2)])
    output = torch.randn(2, 4, 20, 24)
    plain = HeatmapLoss(1.0)([output], targets)
    torch.testing.assert_close(HeatmapLoss(1.0, hard_joints=9)([output], targets), plain)
    each = HeatmapLoss(1.0).of_joints(output, targets)
    expected = (each[0, 3] + each[1].topk(3).values.sum()) / 4
    torch.testing.assert_close(HeatmapLoss(1.0, hard_joints=3)([output], targets), expected)


def test_under_autocast_half_precision_outputs_are_compared_in_float32():
    targets = make_targets()
    output = torch.randn(3, 5, 20, 24).bfloat16()
    expected = HeatmapLoss(1.0, 2)([output.float()], targets)
    with torch.autocast("cpu", torch.bfloat16):
        found = HeatmapLoss(1.0, 2)([output], targets)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_a_value_that_is_not_finite_shows_in_the_loss():
    targets = make_targets()
    output = torch.zeros_like(targets.maps)
    output[0, 0, 0, 0] = math.nan
    assert HeatmapLoss(1.0, 2)([output], targets).isnan()


def test_no_value_is_read_from_the_device():
    maps = torch.zeros(2, 5, 8, 8, device="meta")
    targets = HeatmapTargets(maps, torch.ones(2, 5, device="meta"))
    assert HeatmapLoss(1.0, 2)([maps, maps], targets).device.type == "meta"
    assert all_flat(maps, targets.weight).device.type == "meta"


def test_training_with_a_positive_weight_brings_maps_up_from_zero():
    targets = make_targets(batch=1, joints=2)
    maps = torch.zeros_like(targets.maps).requires_grad_()
    optimizer = torch.optim.SGD([maps], lr=5.0)
    loss = HeatmapLoss(2.0)
    for _ in range(60):
        optimizer.zero_grad()
        loss([maps], targets).backward()
        optimizer.step()
    assert loss([maps], targets) < 1e-3
    assert not flat_joints(maps, targets.weight).any()


def test_flat_maps_are_told_by_joint():
    targets = make_targets(batch=2, joints=4, unlabelled=[(0, 2), (0, 3), (1, 3)])
    maps = 0.8 * targets.maps
    assert flat_joints(maps, targets.weight).tolist() == [False] * 4
    maps[:, 0] = 0.4  # high, and flat
    maps[0, 1] = 0.0  # flat on one sample of two
    maps[1, 2] = 0.05 * maps[1, 2]  # flat on the only one that counts
    assert flat_joints(maps, targets.weight).tolist() == [True, False, True, False]
    assert flat_joints(maps, targets.weight, least=1.0).tolist() == [True, True, True, False]
    assert not all_flat(maps, targets.weight)
    assert all_flat(0.05 * maps, targets.weight)
    assert not all_flat(0.05 * maps, 0 * targets.weight)  # nothing counts: nothing can be said


def test_a_joint_out_of_view_is_no_flat_one():
    points, visibility = torch.tensor([[[-500.0, 10.0], [12.0, 10.0]]]), torch.full((1, 2), 2)
    targets = HeatmapCodec().encode(points, visibility, (24, 20), (24, 20))
    assert flat_joints(targets.maps, targets.weight).tolist() == [True, False]
    assert flat_joints(targets.maps, targets.in_view).tolist() == [False, False]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"positive_weight": -1.0}, "positive_weight: expected a number from 0 on, found -1.0"),
        ({"positive_weight": math.nan}, "found nan"),
        ({"hard_joints": 0}, "hard_joints: expected at least 1, or null for all joints, found 0"),
        ({"sigma": 0.0}, "sigma: expected a number of cells above 0, found 0.0"),
    ],
)
def test_wrong_choices_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        HeatmapLoss(**wrong)


def test_outputs_and_targets_that_do_not_fit_are_refused():
    targets = make_targets()
    with pytest.raises(ValueError, match="found none"):
        HeatmapLoss()([], targets)
    with pytest.raises(ValueError, match=r"expected maps \[3, 4, 20, 24\].*found \[3, 5, 20, 24\]"):
        HeatmapLoss()([torch.zeros(3, 4, 20, 24)], targets)
