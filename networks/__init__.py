"""Networks: tensors in, tensors out; torch alone."""

from networks.base import Network, build, describe
from networks.classifier import Classifier
from networks.heatmap_unet import HeatmapUNet
from networks.hourglass import Hourglass
from networks.unet import UNet

__all__ = ["Classifier", "HeatmapUNet", "Hourglass", "Network", "UNet", "build", "describe"]
