from pipeline.planning.reserve import Reserve

MIB = 2**20


def test_a_large_case_in_validation_takes_what_was_seen_of_one():
    # 512 x 512 x 300 voxels with two outputs held 4325 MiB in the main process
    found = Reserve(0, 512 * 512 * 300, 1, 2)
    assert 4000 * MIB < found.bytes < 5500 * MIB
    assert "78.6 million voxels, 1 channel, 2 outputs" in found.words


def test_more_channels_outputs_and_workers_take_more():
    few = Reserve(0, 10**6, 1, 2).bytes
    assert all(Reserve(*more).bytes > few for more in ((2, 10**6, 1, 2), (0, 10**6, 2, 2), (0, 10**6, 1, 9)))


def test_on_a_gpu_whole_cases_are_in_the_main_memory():
    assert Reserve(8, 10**9, 1, 2, on_gpu=True).bytes == 2**30
