"""A network tried without memory: does it fit the task and the data, before any of it is read?"""

import logging
from collections.abc import Sequence

import torch

from networks.base import Network
from pipeline.config.errors import UsageError
from pipeline.tasks.base import Task

log = logging.getLogger(__name__)


def try_network(task: Task, in_channels: int, out_channels: int) -> Network:
    """Make a task's network on torch's meta device: sizes alone, no memory, and no random numbers.

    Raises:
        UsageError: It cannot be made, or is none of this application's.
    """
    try:
        with torch.device("meta"):
            network = task.make_network(in_channels, out_channels)
    except ValueError as error:
        raise UsageError(f"model.network: {error}") from error
    if not isinstance(network, Network):
        raise UsageError(f"model.network: expected a network of this application, found {type(network).__name__}")
    return network


def check_segmentation(task: Task, patch_size: Sequence[int]) -> None:
    """Refuse a network that does not label voxels or does not fit the patch.

    Raises:
        UsageError: Names the keys at fault.
    """
    network = try_network(task, 1, 2)
    if network.answers != "voxels":
        raise UsageError(
            f"model.network: expected one that labels voxels, such as UNet, found one of {network.answers}"
        )
    if encoder := network.init_args.get("encoder"):
        log.info(
            "encoder %s brings its own levels: strides, kernel_sizes and downsampling of the config are not used, "
            "channels and units are the decoder's",
            encoder,
        )
    if network.spatial_dims != len(patch_size):
        raise UsageError(
            f"data.patch_size: expected {network.spatial_dims} numbers as model.network has that many spatial_dims, "
            f"found {list(patch_size)}"
        )
    _warn_of_one_voxel(network, patch_size)
    supervised, stride = network.init_args.get("deep_supervision"), getattr(network, "total_stride", None)
    if supervised and stride and any(size % step for size, step in zip(patch_size, stride, strict=True)):
        # Labels are reduced by whole steps for the coarser heads.
        raise UsageError(f"data.patch_size: expected multiples of {list(stride)}, found {list(patch_size)}")


def _warn_of_one_voxel(network: Network, patch_size: Sequence[int]) -> None:
    """Say it when a norm over space would leave nothing of a patch's coarsest features."""
    stride = getattr(network, "total_stride", None)
    if stride is None or network.init_args.get("norm") != "instance":
        return
    if all(size <= step for size, step in zip(patch_size, stride, strict=True)):
        log.warning(
            "data.patch_size: %s leaves a single voxel at the network's coarsest level, which instance norm makes a "
            "constant; take more than %s along an axis, fewer levels or model.network.norm group",
            list(patch_size),
            list(stride),
        )


def check_heatmaps(task: Task, input_size: tuple[int, int]) -> None:
    """Refuse a network that gives no heatmaps of an input's width and height.

    Raises:
        UsageError: Names the keys at fault.
    """
    network = try_network(task, 3, 2)
    if network.answers == "classes" or network.spatial_dims != 2:
        raise UsageError(
            "model.network: expected one that gives maps of images, such as Hourglass or UNet with spatial_dims 2, "
            f"found {type(network).__name__} of {network.answers} with spatial_dims {network.spatial_dims}"
        )
    if network.init_args.get("padding") == "valid":
        raise UsageError("model.network.padding: expected same, as heatmaps must span the whole input, found valid")
    multiple = getattr(network, "multiple", 1)
    if any(size % multiple for size in input_size):
        raise UsageError(
            f"data.input_size: expected multiples of {multiple}, which the network's poolings divide evenly, "
            f"found {list(input_size)}"
        )
