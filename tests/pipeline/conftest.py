"""Small real model folders and inputs."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest
import torch

from datamodules.cropping import PosePreprocessing
from datamodules.formats.video_writer import VideoWriter
from datamodules.heatmaps import HeatmapCodec
from datamodules.intensity import ChannelIntensity
from datamodules.keypoints import Skeleton
from datamodules.labels import LabelSet
from datamodules.preprocessing import Preprocessing
from networks.hourglass import Hourglass
from networks.unet import UNet
from pipeline.model_folder import ModelDescription, save_model_folder


@pytest.fixture(scope="session")
def make_model():
    """Return a function that saves a tiny untrained U-Net as a model folder."""

    def make(folder, *, labels=None, channels=1, dims=3, seed=0, spacing_mm=None, crop="none", **changes):
        label_set = LabelSet.from_json(labels or {"background": 0, "organ": 1})
        torch.manual_seed(seed)
        network = UNet(channels, label_set.num_channels, spatial_dims=dims, channels=[4, 8])
        # The sign of the noise about the mean decides: both classes occur whatever the seed is.
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1.5)
        scheme = ChannelIntensity("zscore")
        description = ModelDescription(
            task="segmentation",
            network={},
            preprocessing=Preprocessing(spacing_mm, crop, (scheme,) * channels).to_dict(),
            labels=label_set.to_dict(),
            patch_size=[8] * dims,
            inference={"precision": "32-true"},
            versions={},
            data_digest="0" * 64,
            metrics={},
            training_range={},
        )
        save_model_folder(folder, network, dataclasses.replace(description, **changes))
        return folder

    return make


@pytest.fixture(scope="session")
def make_pose_model():
    """Return a function that saves a tiny untrained hourglass as a model folder."""

    def make(folder, *, names=("nose", "left_hand", "right_hand", "tail"), size=(64, 64), subject="image", **changes):
        pairs = tuple((names.index(n), names.index(n.replace("left", "right"))) for n in names if "left" in n)
        skeleton = Skeleton(names, edges=tuple((0, joint) for joint in range(1, len(names))), pairs=pairs)
        torch.manual_seed(changes.pop("seed", 0))
        network = Hourglass(3, len(names), stacks=1, features=8, depth=2)
        description = ModelDescription(
            task="pose",
            network={},
            preprocessing=PosePreprocessing(size, subject).to_dict(),
            labels=skeleton.to_dict(),
            patch_size=[size[1], size[0]],
            inference={"codec": HeatmapCodec().to_dict(), "flip_test": False, "precision": "32-true"},
            versions={},
            data_digest="0" * 64,
            metrics={},
            training_range={},
        )
        save_model_folder(folder, network, dataclasses.replace(description, **changes))
        return folder

    return make


@pytest.fixture
def write_video():
    """Return a function that encodes a small video in which a bright square wanders, and returns its path."""

    def write(path, *, frames=20, size=(60, 44), times=None):
        width, height = size
        with VideoWriter(path, width, height, fps=25) as video:
            for number in range(frames):
                image = np.random.default_rng(number).integers(0, 60, (height, width, 3), dtype=np.uint8)
                corner = 3 * number % (min(size) - 12)
                image[corner : corner + 12, corner : corner + 12] = (250, 200, 120)
                video.write(image, times[number] if times else number / 25)
        return path

    return write


@pytest.fixture
def write_scan():
    """Return a function that writes a small NIfTI image and returns its voxels."""

    def write(path, *, shape=(12, 10, 9), affine=None, seed=0, array=None):
        if array is None:
            array = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        nib.save(nib.Nifti1Image(array, np.diag([1.0, 1.2, 2.0, 1.0]) if affine is None else affine), path)
        return array

    return write
