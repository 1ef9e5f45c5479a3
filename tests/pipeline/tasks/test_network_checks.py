import pytest
import torch
from torch import nn

from networks import UNet
from pipeline.config.errors import UsageError
from pipeline.tasks.network_checks import check_segmentation
from pipeline.tasks.segmentation import SegmentationTask


def task(**arguments):
    return SegmentationTask(lambda i, o: UNet(i, o, **({"channels": [4, 8, 8]} | arguments)))


def test_a_network_that_fits_passes_and_takes_no_random_numbers():

    torch.manual_seed(0)
    before = torch.get_rng_state()
    check_segmentation(task(), (16, 16, 16))
    assert torch.equal(torch.get_rng_state(), before)


def test_f34_arguments_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match=r"model\.network: strides"):
        check_segmentation(task(strides=[1, 2]), (16, 16, 16))


def test_f34_a_patch_of_other_dimensions_is_refused():
    with pytest.raises(UsageError, match=r"data\.patch_size: expected 3 numbers.*found \[16, 16\]"):
        check_segmentation(task(), (16, 16))


def test_f34_a_patch_that_coarser_heads_do_not_divide_is_refused():
    check_segmentation(task(), (18, 16, 16))
    with pytest.raises(UsageError, match=r"multiples of \[4, 4, 4\], found \[18, 16, 16\]"):
        check_segmentation(task(deep_supervision=True), (18, 16, 16))


def test_f34_something_that_is_no_network_is_refused():
    with pytest.raises(UsageError, match="expected a network of this application, found Conv3d"):
        check_segmentation(SegmentationTask(lambda i, o: nn.Conv3d(i, o, 3)), (16, 16, 16))
