"""Networks: tensors in, tensors out; torch alone."""

from networks.base import Network, build, describe
from networks.classifier import Classifier
from networks.hourglass import Hourglass
from networks.unet import UNet

__all__ = ["Classifier", "Hourglass", "Network", "UNet", "build", "describe"]
