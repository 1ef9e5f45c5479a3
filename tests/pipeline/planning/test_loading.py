import os

from pipeline.planning.loading import loaded_step_s

CORES = len(os.sched_getaffinity(0))


def test_drawing_takes_cores_from_a_step_that_uses_them_all():
    alone = loaded_step_s(1.0, 0, 0, CORES, "cpu")
    assert alone >= 1.0
    assert loaded_step_s(1.0, 8, 10**6, CORES, "cpu") > alone + 0.5 / CORES


def test_a_gpu_waits_only_for_what_the_cores_cannot_draw_meanwhile():
    assert loaded_step_s(1.0, 2, 1000, 1, "cuda") < 1.2
    assert loaded_step_s(0.01, 1000, 10**6, 1, "cuda") > 1
