import os

import pytest
import torch

from pipeline.planning.machine import Machine, describe_machine, free_memory


def test_the_cpu_is_described_with_the_memory_that_is_free():
    found = describe_machine("cpu")
    assert (found.kind, found.device, found.accelerator, found.devices) == ("cpu", "cpu", "cpu", 1)
    assert found.precision in ("bf16-mixed", "32-true")
    assert str(torch.get_num_threads()) in found.name
    assert 2**20 < found.free_bytes < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def fall_of_free_memory():
    before = free_memory()
    taken = torch.ones(2**27)  # 512 MiB
    after = free_memory()
    assert taken.numel()
    return before - after


def test_memory_that_is_taken_is_free_no_more():
    # what other programs give back meanwhile hides the fall, now and then
    assert any(fall_of_free_memory() > 2**28 for _ in range(5))


@pytest.mark.parametrize("name", ["meta", "quantum", "cuda:99"])
def test_a_device_that_cannot_be_measured_on_is_refused(name):
    with pytest.raises(ValueError, match="device"):
        describe_machine(name)


def test_one_gpu_of_several_is_named_to_the_trainer():
    gpu = Machine("cuda", "cuda:1", "a GPU", "bf16-mixed", "", 2**34)
    assert (gpu.accelerator, gpu.devices) == ("gpu", [1])
