import dataclasses
import math

import pytest

from networks import build
from pipeline.planning.grid_choice import GridChoice
from pipeline.planning.machine import Machine
from pipeline.planning.noted import Noted
from pipeline.planning.unet_ladder import build_ladder, rungs_of, shrinking

GPU = Machine("cuda", "cuda", "a GPU", "bf16-mixed", "", 2**34)


def grid(shape, spacing=(1.0, 1.0, 1.0), dims=3):
    return GridChoice(Noted("none", ""), Noted(list(spacing), ""), shape, spacing, dims, "")


def test_the_most_wanted_shows_the_whole_volume(cpu):
    for machine in (cpu, GPU):
        first = build_ladder(grid((36, 50, 35)), machine, 188 * 60_000)[0]
        assert first.topology.patch == (40, 56, 40)
        assert first.channels[0] == 32


def test_on_a_cpu_width_is_given_up_before_context(cpu):
    ladder = build_ladder(grid((120, 80, 96)), cpu, 10**8)
    whole = [choice for choice in ladder if choice.topology.patch == ladder[0].topology.patch]
    assert [choice.channels[0] for choice in whole] == [32, 24, 16, 12, 8]
    assert ladder[: len(whole)] == whole
    assert all(choice.batch >= 2 for choice in ladder)


def test_on_a_gpu_the_batch_shrinks_before_the_patch_and_width_stays():
    ladder = build_ladder(grid((120, 80, 96)), GPU, 10**9)
    assert [choice.batch for choice in ladder[:11]] == list(range(12, 1, -1))
    assert {choice.channels[0] for choice in ladder} == {32}
    assert max(ladder[0].channels) == 320
    assert max(build_ladder(grid((512, 512, 1), dims=2), GPU, 10**9)[0].channels) == 512


def test_small_patches_come_in_larger_batches(cpu):
    assert build_ladder(grid((36, 50, 35)), cpu, 10**8)[0].batch == 4
    assert build_ladder(grid((36, 50, 35)), cpu, 100_000)[0].batch == 2, "a batch holds 5 % of all voxels at most"


def test_the_ladder_goes_down_to_what_any_machine_can_do(cpu):
    voxels = [math.prod(c.topology.patch) * c.channels[0] for c in build_ladder(grid((500, 400, 300)), cpu, 10**9)]
    assert voxels[-1] < voxels[0] / 500
    assert len(voxels) == len(set(voxels)) or len(voxels) > 5


@pytest.mark.parametrize("machine", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("shape", "spacing", "dims"),
    [((36, 50, 35), (1.0, 1.0, 1.0), 3), ((64, 64, 12), (1.0, 1.0, 4.0), 3), ((96, 64, 1), (1.0, 1.0, 1.0), 2)],
)
def test_every_network_of_a_ladder_can_be_built(shape, spacing, dims, machine, cpu):
    chosen = cpu if machine == "cpu" else dataclasses.replace(GPU)
    choices = build_ladder(grid(shape, spacing, dims), chosen, 10**8)
    for rung in rungs_of(choices, chosen, (1, 3), overlapping=False)[:: max(1, len(choices) // 3)]:
        network = build(rung.trial.network)
        assert network.spatial_dims == dims
        assert all(size % step == 0 for size, step in zip(rung.trial.shape[2:], network.total_stride, strict=True))


def test_a_patch_that_shows_less_than_the_structures_is_for_want_of_memory_alone(cpu):
    ladder = build_ladder(grid((36, 50, 35)), cpu, 10**8, (30.0, 44.0, 30.0))
    timely = [choice for choice in ladder if not choice.for_memory]
    assert all(edge >= least for c in timely for edge, least in zip(c.topology.patch, (30, 44, 30), strict=True))
    assert min(choice.channels[0] for choice in timely) == 8
    assert ladder[-1].for_memory
    assert [choice.for_memory for choice in ladder] == sorted(choice.for_memory for choice in ladder)


def test_the_ladder_ends_at_the_least_patch_there_is():
    assert shrinking((500, 400, 300), (1, 1, 1))[-1].patch == (8, 8, 8)
    assert shrinking((512, 512, 12), (0.7, 0.7, 5.0))[-1].patch == (8, 8, 8)
