"""Networks: tensors in, tensors out; torch alone."""

from networks.base import Network, build, describe
from networks.unet import UNet

__all__ = ["Network", "UNet", "build", "describe"]
