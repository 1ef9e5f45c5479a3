import pytest
import torch
from torch.nn import functional as F

from pipeline.losses import DiceCELoss, head_weights, nearest


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def reference_softmax(logits, label, *, batch_dice, smooth=1e-5):
    """The textbook form with a one-hot label, in double precision."""
    probability = logits.double().softmax(1)
    one_hot = F.one_hot(label[:, 0].long(), logits.shape[1]).movedim(-1, 1).double()
    axes = [0] * batch_dice + list(range(2, logits.ndim))
    intersection, total = (probability * one_hot).sum(axes), (probability + one_hot).sum(axes)
    dice = (2 * intersection + smooth) / (total + smooth)
    return 1 - dice[..., 1:].mean() + F.cross_entropy(logits.double(), label[:, 0].long())


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("size", [(6, 5), (4, 5, 6)])
def test_softmax_is_the_textbook_in_value_and_gradient(batch_dice, size):
    logits = torch.randn(2, 4, *size, dtype=torch.double, requires_grad=True)
    label = torch.randint(0, 4, (2, 1, *size), dtype=torch.uint8)
    ours = DiceCELoss(batch_dice=batch_dice)(logits, label)
    theirs = reference_softmax(logits, label, batch_dice=batch_dice)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)))


@pytest.mark.parametrize("batch_dice", [True, False])
def test_sigmoid_is_the_textbook(batch_dice):
    logits = torch.randn(2, 3, 5, 6)
    label = torch.randint(0, 2, (2, 3, 5, 6), dtype=torch.uint8)
    axes = (0, 2, 3) if batch_dice else (2, 3)
    probability = logits.sigmoid()
    dice = 2 * (probability * label).sum(axes) / (probability + label).sum(axes)
    expected = 1 - dice.mean() + F.binary_cross_entropy(probability, label.float())
    found = DiceCELoss(overlapping=True, batch_dice=batch_dice)(logits, label)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("overlapping", [True, False])
def test_the_loss_falls_to_zero_on_a_perfect_answer(overlapping):
    index = torch.randint(0, 3, (2, 1, 6, 6, 6))
    one_hot = F.one_hot(index[:, 0], 3).movedim(-1, 1)
    label = one_hot if overlapping else index
    loss = DiceCELoss(overlapping=overlapping)
    assert loss(40.0 * one_hot - 20.0, label).item() == pytest.approx(0.0, abs=1e-5)
    assert loss(20.0 - 40.0 * one_hot, label).item() > 10


def test_the_weights_and_the_background_take_part_as_told():
    logits, label = torch.randn(1, 3, 6, 6), torch.randint(0, 3, (1, 1, 6, 6))
    both = DiceCELoss()(logits, label)
    dice = DiceCELoss(ce_weight=0.0)(logits, label)
    cross_entropy = DiceCELoss(dice_weight=0.0)(logits, label)
    torch.testing.assert_close(both, dice + cross_entropy)
    torch.testing.assert_close(cross_entropy, F.cross_entropy(logits, label[:, 0]))
    assert DiceCELoss(ce_weight=0.0, include_background=True)(logits, label) != dice


def test_f16_an_empty_label_gives_a_finite_loss_and_gradient():
    for overlapping in (True, False):
        logits = torch.randn(2, 3, 8, 8, requires_grad=True)
        label = torch.zeros(2, 3 if overlapping else 1, 8, 8, dtype=torch.uint8)
        loss = DiceCELoss(overlapping=overlapping)(logits, label)
        loss.backward()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("overlapping", [True, False])
def test_half_precision_logits_are_summed_in_float32(overlapping):
    # bfloat16 counts no further than 256 by ones.
    logits = torch.randn(2, 3, 32, 32, 16).to(torch.bfloat16).requires_grad_()
    label = torch.randint(0, 2, (2, 3 if overlapping else 1, 32, 32, 16))
    loss = DiceCELoss(overlapping=overlapping)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(logits, label)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), loss(logits.double(), label), rtol=1e-5, atol=1e-5)
    found.backward()
    assert logits.grad.dtype == torch.bfloat16


def test_extreme_logits_stay_finite():
    logits = (torch.tensor([1e4, -1e4, 0.0]).reshape(1, 3, 1, 1) * torch.ones(1, 3, 4, 4)).requires_grad_()
    loss = DiceCELoss()(logits, torch.ones(1, 1, 4, 4, dtype=torch.long))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_heads_are_weighted_by_halves_that_sum_to_one():
    assert head_weights(1) == [1.0]
    assert head_weights(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    heads = [torch.randn(2, 3, size, size, requires_grad=True) for size in (8, 4, 2)]
    label = torch.randint(0, 3, (2, 1, 8, 8))
    loss = DiceCELoss()
    parts = [loss(head, nearest(label, head.shape[2:])).item() for head in heads]
    total = loss(heads, label)
    assert total.item() == pytest.approx(sum(w * p for w, p in zip(head_weights(3), parts, strict=True)))
    total.backward()
    assert all(head.grad.abs().sum() > 0 for head in heads)


def test_a_coarser_label_takes_the_voxel_at_the_centre():
    label = torch.arange(9).reshape(1, 1, 9, 1)
    assert nearest(label, (3, 1))[0, 0, :, 0].tolist() == [1, 4, 7]
    assert nearest(label, (5, 1))[0, 0, :, 0].tolist() == [0, 2, 4, 6, 8]
    assert nearest(label, (9, 1)) is label


def test_an_unpadded_output_is_compared_with_the_centre():
    label = torch.randint(0, 2, (1, 1, 12, 12))
    logits = torch.randn(1, 2, 4, 6)
    torch.testing.assert_close(DiceCELoss()(logits, label), DiceCELoss()(logits, label[:, :, 4:8, 3:9]))


@pytest.mark.parametrize(
    ("logits", "label", "message"),
    [
        ((2, 3, 4, 4), (2, 3, 4, 4), r"expected \[2, 1"),
        ((2, 3, 4, 4), (1, 1, 4, 4), r"expected \[2, 1"),
        ((2, 3, 4, 4), (2, 1, 4, 4, 4), r"expected \[2, 1"),
        ((2, 3, 4, 4), (2, 1, 3, 4), "smaller"),
        ((2, 1, 4, 4), (2, 1, 4, 4), "single channel"),
    ],
)
def test_a_label_that_does_not_fit_is_refused(logits, label, message):
    with pytest.raises(ValueError, match=message):
        DiceCELoss()(torch.zeros(logits), torch.zeros(label, dtype=torch.long))


def test_no_head_is_refused():
    with pytest.raises(ValueError, match="at least one head"):
        DiceCELoss()([], torch.zeros(1, 1, 4, 4))
