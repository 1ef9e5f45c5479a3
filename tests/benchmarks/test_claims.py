"""Each claim's measurement shows what it should on a constructed case, and its verdict follows from the numbers."""

import pytest
import torch
from claims.convergence import VARIANTS, better_rate, convergence_section
from claims.deletion import Deletions, blocks_of, delete_each, deleted, deletion_section, keeps_shape
from claims.depth import depth_section, make_network
from claims.initialisation import gradient_norms, gradient_section
from claims.training import Score, Trained
from claims.variance import added, block_variances, growth, make_stack, variance_section
from claims.verdicts import Outcome, every, higher, not_higher, spread

from networks import Classifier
from networks.residual import ResidualOptions
from networks.units import UnitPlan

AGREES, DISAGREES, NOT_CLEAR = Outcome.AGREES, Outcome.DISAGREES, Outcome.NOT_CLEAR


def trained(error, loss=0.5, steps=4):
    network = make_network("resnet", 8, 0.25)
    return Trained(network, [loss] * steps, [error] * steps, Score(error, loss), Score(error, loss))


def outcomes(section):
    return [verdict.outcome for verdict in section.verdicts]


def test_higher_needs_every_seed_and_more_than_chance():
    assert higher([0.3, 0.4], [0.1, 0.2]) is AGREES
    assert higher([0.1, 0.2], [0.3, 0.4]) is DISAGREES
    assert higher([0.1, 0.4], [0.2, 0.3]) is NOT_CLEAR
    assert higher([0.3, 0.4], [0.1, 0.2], 0.15) is NOT_CLEAR
    assert higher([0.3, float("nan")], [0.1, 0.2]) is NOT_CLEAR


def test_not_higher_disagrees_only_where_all_are_higher():
    assert not_higher([0.1, 0.2], [0.15, 0.25]) is AGREES
    assert not_higher([0.3, 0.4], [0.1, 0.2]) is DISAGREES
    assert not_higher([0.2, 0.3], [0.1, 0.25]) is NOT_CLEAR


def test_a_claim_of_each_seed_is_judged_by_all():
    assert [every(shown) for shown in ([True, True], [False, False], [True, False], [])] == [
        *(AGREES, DISAGREES, NOT_CLEAR, NOT_CLEAR)
    ]
    assert spread([1.0, 2.0], 1) == "1.5 (1.0 to 2.0)"


@pytest.mark.parametrize(("family", "blocks", "deletable"), [("resnet", 6, 4), ("plain", 12, 10), ("highway", 12, 10)])
def test_blocks_are_found_and_those_that_keep_the_shape_are_deleted(task, family, blocks, deletable):
    network = make_network(family, 14, 0.25)
    found = delete_each(network, task.held_out)
    assert (found.blocks, len(found.without)) == (blocks, deletable)
    assert sum(keeps_shape(level[index]) for level, index in blocks_of(network)) == deletable


@torch.no_grad()
def test_deletion_puts_an_identity_there_and_the_block_back(task):
    network = make_network("resnet", 14, 0.25).eval()
    level, index = blocks_of(network)[1]
    before, block = network(task.train.image), level[index]
    features = network.encoder.levels[0][: index + 1]
    with deleted(level, index):
        image = task.train.image
        assert torch.equal(features[:index](image), network.encoder.levels[0][: index + 1](image))
        assert not torch.equal(network(image), before)
    assert level[index] is block
    assert torch.equal(network(task.train.image), before)


def test_deleting_a_silent_residual_block_costs_nothing(task):
    network = Classifier(1, 2, encoder="cifar_resnet14", width=0.25, init="he_zero")
    found = delete_each(network, task.held_out)
    assert set(found.without.values()) == {found.intact}


def test_the_verdict_on_deletion_follows_from_the_errors():
    little = [Deletions(0.1, {1: 0.11, 2: 0.12}, 3)] * 2
    much = [Deletions(0.1, {1: 0.5, 2: 0.4}, 3)] * 2
    nothing = [Deletions(0.49, {1: 0.5, 2: 0.5}, 3)] * 2
    judged = {
        name: outcomes(deletion_section({("resnet", 8): residual, ("plain", 8): plain}))
        for name, residual, plain in (("as", little, much), ("against", much, little), ("unlearnt", little, nothing))
    }
    assert judged == {
        "as": [AGREES, AGREES, AGREES],
        "against": [DISAGREES, DISAGREES, DISAGREES],
        "unlearnt": [AGREES, NOT_CLEAR, NOT_CLEAR],
    }


def test_the_verdict_on_depth_follows_from_the_errors():
    def judged(errors):
        nets = [(family, depth) for family in ("plain", "resnet") for depth in (20, 56)]
        runs = {net: [trained(error), trained(error + 0.01)] for net, error in zip(nets, errors, strict=True)}
        return outcomes(depth_section(runs, 2048))

    assert judged((0.1, 0.3, 0.1, 0.08)) == [AGREES, AGREES, AGREES]
    assert judged((0.3, 0.1, 0.1, 0.3)) == [DISAGREES, DISAGREES, DISAGREES]
    assert judged((0.1, 0.11, 0.1, 0.11)) == [NOT_CLEAR, NOT_CLEAR, NOT_CLEAR]


def test_the_verdict_on_a_variant_is_against_the_resnet_of_the_same_norm():
    errors = {variant.name: 0.3 for variant in VARIANTS} | {"ResNet, norm batch": 0.2, "ResNet, norm none": 0.4}
    tried = {name: {0.05: [trained(error)] * 2, 0.01: [trained(0.5)] * 2} for name, error in errors.items()}
    section = convergence_section(tried, 20)
    assert outcomes(section) == [DISAGREES] * 2 + [AGREES] * 4
    assert {better_rate(runs) for runs in tried.values()} == {0.05}


def test_a_branch_of_scale_zero_hands_the_gradient_on_as_it_is(task):
    torch.manual_seed(0)
    network = Classifier(1, 2, encoder="cifar_resnet14", norm="none", residual=ResidualOptions(branch_scale=0.0))
    norms = gradient_norms(network, task.train)
    assert len(norms) == 6
    assert norms[2] == pytest.approx(norms[3], rel=0.05)
    assert norms[4] <= norms[5]  # a ReLU hands no gradient to what is zero already


def test_the_verdict_on_gradients_follows_from_the_norms():
    flat, steep = [[1.0, 1.0, 1.0], [1.1, 1.0, 1.0]], [[1e4, 1e2, 1.0], [2e4, 1e2, 1.0]]
    found = {"plain, norm batch": steep, "residual, norm batch": flat, "plain, norm none": flat}
    section = gradient_section({**found, "residual, norm none": steep}, 20)
    assert outcomes(section) == [AGREES, AGREES, DISAGREES, DISAGREES]


def test_a_stack_whose_branch_copies_its_input_doubles_the_amplitude_exactly():
    # Convolutions that are identities and an input without negative values: each block adds its input to itself.
    encoder = make_stack("none", UnitPlan("basic", ResidualOptions(preactivation=True)), 5)
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.dirac_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    variances = block_variances(encoder, torch.rand(2, 1, 16, 16))
    assert growth(variances) == pytest.approx(4.0, rel=1e-4)


def test_variance_doubles_without_norm_and_grows_by_one_with_it():
    torch.manual_seed(0)
    image = torch.randn(8, 1, 32, 32)
    unit = UnitPlan("basic", ResidualOptions(preactivation=True))
    bare, normed = (block_variances(make_stack(norm, unit, 8), image) for norm in ("none", "batch"))
    assert growth(bare) == pytest.approx(2.0, rel=0.2)
    assert added(normed) == pytest.approx(1.0, rel=0.2)


def test_the_verdict_on_variance_follows_from_the_variances():
    def judged(bare, normed):
        return outcomes(variance_section({"residual, norm none": bare, "residual, norm batch": normed}))

    doubling, adding = [[2.0, 4.0, 8.0]] * 2, [[2.0, 3.0, 4.0]] * 2
    assert judged(doubling, adding) == [AGREES, AGREES]
    assert judged(adding, doubling) == [DISAGREES, DISAGREES]
