import dataclasses

import pytest

from networks import build
from pipeline.planning.machine import Machine
from pipeline.planning.pose_fingerprint import PosePrint
from pipeline.planning.pose_ladder import MULTIPLE, build_pose_ladder, input_sizes, pose_rungs

MOUSE = PosePrint(
    subjects=86,
    images=86,
    groups=86,
    format="deeplabcut",
    joints=("snout", "tail"),
    labelled=1.0,
    pairs=(),
    lonely=(),
    persons=False,
    subject=("image", ""),
    image_px=(640.0, 480.0),
    box_px=(640.0, 480.0),
    extent_px=200.0,
    nearest_px=20.0,
    turned_degrees=80.0,
    axis=("snout", "tail"),
)
PERSON = dataclasses.replace(MOUSE, subject=("box", ""), box_px=(90.0, 200.0), extent_px=190.0, subjects=2000)
GPU = Machine("cuda", "cuda", "a GPU", "bf16-mixed", "", 2**34)


@pytest.mark.parametrize("found", [MOUSE, PERSON])
def test_sizes_are_what_the_hourglass_takes_and_fall(found):
    sizes = input_sizes(found, 512)
    assert all(edge % MULTIPLE == 0 for size in sizes for edge in size)
    areas = [width * height for width, height in sizes]
    assert areas == sorted(areas, reverse=True)
    assert areas


def test_sizes_keep_the_aspect_of_what_is_cut_out():
    assert input_sizes(MOUSE, 512)[0] == (320, 256)
    assert input_sizes(PERSON, 512)[0] == (128, 256)


def test_halves_are_rounded_up_so_that_frames_keep_their_aspect():
    assert input_sizes(dataclasses.replace(MOUSE, extent_px=100.0), 384)[0] == (384, 320)


def test_a_small_subject_in_a_large_frame_gets_more_pixels():
    small = dataclasses.replace(MOUSE, extent_px=100.0)
    assert input_sizes(small, 640)[0][0] > input_sizes(MOUSE, 640)[0][0]
    assert input_sizes(small, 320)[0][0] == 320


def test_a_frame_is_never_blown_up():
    little = dataclasses.replace(MOUSE, image_px=(200.0, 200.0), extent_px=20.0)
    assert input_sizes(little, 512)[0] == (192, 192)


def test_a_gpu_starts_wider_and_with_more_subjects(cpu):
    first, large = build_pose_ladder(PERSON, cpu)[0], build_pose_ladder(PERSON, GPU)[0]
    assert (first.stacks, first.features, first.batch) == (4, 128, 8)
    assert (large.stacks, large.features, large.batch) == (8, 256, 32)
    assert build_pose_ladder(dataclasses.replace(MOUSE, subjects=10), GPU)[0].batch <= 8


def test_the_least_hourglass_can_be_built(cpu):
    choices = build_pose_ladder(MOUSE, cpu)
    trial = pose_rungs(choices, cpu, 5)[-1].trial
    network = build(trial.network)
    assert network.out_channels == 5
    assert all(edge % network.multiple == 0 for edge in trial.shape[2:])


def test_a_large_network_comes_first_and_is_for_those_who_have_the_time(cpu):
    stacks = [choice.stacks for choice in build_pose_ladder(PERSON, cpu)]
    assert stacks[:2] == [4, 2]
    assert min(stacks) == 1
