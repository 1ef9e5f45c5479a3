import math
import random

import pytest

from networks.unet import UNet
from pipeline.planning.topology import LEAST_EDGE, plan_topology

NEARLY = [
    ((36, 50, 35), (1, 1, 1), 1.0),
    ((120, 65, 121), (3.9, 3.9, 2.5), 0.9),
    ((512, 512, 20), (0.7, 0.7, 5.0), 0.5),
    ((1, 200, 150), (1, 1, 1), 1.0),
    ((512, 512), (1, 1), 0.7),
    ((4, 4, 4), (1, 1, 1), 1.0),
]


def test_a_hippocampus_is_seen_whole_on_four_levels():
    found = plan_topology((36, 50, 35), (1, 1, 1))
    assert found.patch == (40, 56, 40)
    assert found.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert found.kernels == ((3, 3, 3),) * 4
    assert found.coarsest == (5, 7, 5)


@pytest.mark.parametrize(("shape", "spacing", "scale"), NEARLY)
def test_the_patch_is_divisible_by_all_strides(shape, spacing, scale):
    found = plan_topology(shape, spacing, scale)
    steps = [math.prod(step) for step in zip(*found.strides, strict=True)]
    assert [size % step for size, step in zip(found.patch, steps, strict=True)] == [0] * len(shape)
    assert len(found.kernels) == found.levels >= 2


@pytest.mark.parametrize("seed", range(20))
def test_axes_are_halved_until_an_edge_would_be_under_four(seed):
    rng = random.Random(seed)
    shape = [rng.randint(8, 300) for _ in range(3)]
    found = plan_topology(shape, (1.0, 1.0, 1.0), rng.choice([1.0, 0.8, 0.5]))
    assert min(found.coarsest) < 2 * LEAST_EDGE
    assert all(edge >= LEAST_EDGE for edge, size in zip(found.coarsest, found.patch, strict=True) if size >= 8)
    assert all(edge < 2 * LEAST_EDGE for edge in found.coarsest)


def test_the_whole_shape_fits_at_scale_one():
    for seed in range(20):
        shape = [random.Random(seed).randint(1, 200) for _ in range(3)]
        found = plan_topology(shape, (1.0, 1.0, 1.0))
        assert all(mine >= theirs for mine, theirs in zip(found.patch, shape, strict=True))


def test_a_coarse_axis_waits_until_the_others_are_as_coarse():
    found = plan_topology((256, 256, 24), (0.7, 0.7, 5.0))
    assert found.strides[1:4] == ((2, 2, 1), (2, 2, 1), (2, 2, 2))
    assert found.kernels[:3] == ((3, 3, 1), (3, 3, 1), (3, 3, 3))


def test_an_axis_of_one_voxel_stays_one():
    found = plan_topology((1, 200, 150), (1, 1, 1))
    assert found.patch[0] == 1
    assert {step[0] for step in found.strides} == {kernel[0] for kernel in found.kernels} == {1}


@pytest.mark.parametrize(("shape", "spacing", "scale"), NEARLY)
def test_a_network_takes_what_is_planned(shape, spacing, scale):
    found = plan_topology(shape, spacing, scale)
    network = UNet(
        1,
        2,
        spatial_dims=len(shape),
        channels=[4] * found.levels,
        strides=found.strides,
        kernel_sizes=found.kernels,
        deep_supervision=True,
    )
    assert all(size % step == 0 for size, step in zip(found.patch, network.total_stride, strict=True))


def test_thin_axes_are_kept_while_the_others_shrink():
    for scale in (0.5, 0.375, 0.2):
        assert plan_topology((512, 512, 12), (0.7, 0.7, 5.0), scale).patch[2] >= 8
    assert plan_topology((40, 40, 5), (1, 1, 1), 0.3).patch[2] == 5


def test_a_volume_of_seven_voxels_is_padded_whatever_the_scale():
    for scale in (1.0, 0.5, 0.1, 1e-6):
        found = plan_topology((7, 7, 7), (1, 1, 1), scale)
        assert found.patch == (8, 8, 8)
        assert found.levels == 2
