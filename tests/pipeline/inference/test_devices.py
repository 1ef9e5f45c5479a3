"""Devices and precisions are what was asked for, or are refused."""

import pytest
import torch

from pipeline.inference.devices import computes_bf16, is_out_of_memory, pick_autocast, pick_device

CPU = torch.device("cpu")


def test_auto_is_an_accelerator_where_there_is_one():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["toaster", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=name):
        pick_device(name)


@pytest.mark.parametrize("trained", ["bf16-mixed", "bf16"])
def test_auto_is_the_precision_of_training_where_the_device_computes_in_it(trained):
    assert pick_autocast("auto", CPU, trained) == (torch.bfloat16 if computes_bf16(CPU) else None)


@pytest.mark.parametrize("trained", ["32-true", "fp32", None, "16-mixed"])
def test_auto_is_float32_otherwise(trained):
    assert pick_autocast("auto", CPU, trained) is None


def test_what_is_asked_for_is_taken():
    assert pick_autocast("bf16", CPU, "32-true") == torch.bfloat16
    assert pick_autocast("fp32", CPU, "bf16-mixed") is None
    assert pick_autocast("fp16", torch.device("cuda"), None) == torch.float16


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_what_cannot_be_is_refused(precision):
    with pytest.raises(ValueError, match=precision):
        pick_autocast(precision, CPU, None)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("shapes do not fit"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error, memory):
    assert is_out_of_memory(error) is memory
