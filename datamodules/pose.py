"""The data module of pose estimation: annotated images to batches of cut-out subjects with their joints."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.base import DataModule
from datamodules.cache import cache_folder
from datamodules.cropping import PosePreprocessing
from datamodules.formats.errors import DataError
from datamodules.image_store import open_store
from datamodules.keypoints import PoseListing, PoseSample, Skeleton
from datamodules.pose_augmentation import PoseAugmentation
from datamodules.pose_dataset import PoseBatch, PoseSampleArrays, TrainingSubjects, ValidationSubjects, collate
from datamodules.pose_subjects import sides_without_partner
from datamodules.prepared_poses import PreparedPoses, prepare_poses
from datamodules.sampling import CaseSampler, EpochSampler
from datamodules.splits import Split, SplitChoice

__all__ = ["PoseBatch", "PoseData"]

log = logging.getLogger(__name__)

EMBEDDED_ROOT = Path("data") / "figures"


class PoseData(DataModule):
    """Annotated subjects of images, cut out and changed at random for training, cut out plainly for validation.

    The folder may hold COCO keypoints, a DeepLabCut project, LSP's or MPII's annotations. Joints are taken to be
    annotated on the images as stored: an orientation in their EXIF is not applied.

    Args:
        root: Folder of the data set, or its annotation file. Without it, `embedded` says what to train on.
        embedded: Data made from a seed under `data/` when `root` is not given.
        format: Format of the annotations; "auto" finds out.
        input_size: Width and height of the network's input in pixels.
        batch_size: Subjects of an optimiser step on one device.
        subject: "box" cuts out each subject's box, "image" takes whole images; "auto" takes boxes where there are
            any, an image shows several subjects, or the format is one of persons.
        padding: A box is this many times as large when it is cut out.
        edges: Limbs as pairs of joint names, where the annotations have none.
        pairs: Left and right joints as pairs of names, where neither the annotations nor the names tell.
        split: Which groups of subjects validate.
        augmentation: Random changes to training images; null for none.
        steps_per_epoch: Optimiser steps of an epoch.
        workers: Processes that cut out subjects, and threads that decode; 0 does both in the main process.
        cache_dir: Where decoded images are kept; by default `.cache/segpose-pipeline` in the home folder.
        cache_mib: Largest size of the decoded images on disk; those beyond it are decoded at each use.
    """

    def __init__(
        self,
        root: Path | None = None,
        embedded: Literal["figures"] | None = None,
        format: Literal["auto", "coco", "deeplabcut", "lsp", "mpii"] = "auto",
        input_size: tuple[int, int] = (256, 256),
        batch_size: int = 8,
        subject: Literal["auto", "box", "image"] = "auto",
        padding: float = 1.25,
        edges: list[tuple[str, str]] | None = None,
        pairs: list[tuple[str, str]] | None = None,
        split: SplitChoice = SplitChoice(),  # noqa: B008 -- never changed
        augmentation: PoseAugmentation | None = PoseAugmentation(),  # noqa: B008 -- never changed
        steps_per_epoch: int = 100,
        workers: int = 1,
        cache_dir: Path | None = None,
        cache_mib: int = 2048,
    ) -> None:
        super().__init__()
        if root is None and embedded is None:
            raise DataError("data.root", "a folder of annotated images", "nothing", "name one with --data.root DIR")
        if root is not None and not root.exists():
            raise DataError(root, "a folder of annotated images", "none", "check --data.root")
        if min(batch_size, steps_per_epoch, *input_size) < 1 or not padding >= 1.0 or min(workers, cache_mib) < 0:
            raise ValueError(
                "data: expected batch_size, steps_per_epoch, input_size and padding of 1 or more, workers and "
                f"cache_mib of 0 or more, found {batch_size}, {steps_per_epoch}, {list(input_size)}, {padding}, "
                f"{workers} and {cache_mib}"
            )
        self.root, self.embedded = root or EMBEDDED_ROOT, root is None
        self.format, self.edges, self.pairs = format, edges, pairs
        self.input_size, self.batch_size = input_size, batch_size
        self.subject, self.padding = subject, padding
        self.split_choice, self.augmentation = split, augmentation
        self.steps_per_epoch, self.workers = steps_per_epoch, workers
        self.cache_dir = cache_folder(cache_dir)
        self.cache_mib = cache_mib
        self.prepared: PreparedPoses | None = None

    def prepare_data(self) -> None:
        """Make the embedded data if it is absent, then decode what is not in the cache.

        Raises:
            DataError: If the embedded data is of another version, or data cannot be used.
        """
        if self.embedded:
            from datamodules.figures import check_figures, make_figures

            if self.root.exists():
                check_figures(self.root)
            else:
                make_figures(self.root, seed=0, workers=self.workers)
        self.prepared = self.prepared or self._prepare()

    def setup(self, stage: str) -> None:
        """Open what `prepare_data` left in the cache."""
        if self.prepared is None:
            self.prepared = self._prepare()

    def _prepare(self) -> PreparedPoses:
        from datamodules.annotations import find_poses

        listing = find_poses(
            self.root, self.format, edges=self.edges, pairs=self.pairs, group_pattern=self.split_choice.group_pattern
        )
        for origin in listing.origins:
            log.info("%s", origin)
        files = [sample.image for sample in listing.samples]
        images = open_store(files, self.cache_dir, cache_mib=self.cache_mib, workers=self.workers)
        return prepare_poses(
            self.root,
            listing,
            images,
            self.split_choice,
            input_size=self.input_size,
            subject=self.subject,
            padding=self.padding,
        )

    @property
    def ready(self) -> PreparedPoses:
        """Return the prepared data; `setup` must have run."""
        if self.prepared is None:
            raise RuntimeError("the data module is not set up: call prepare_data and setup first")
        return self.prepared

    @property
    def listing(self) -> PoseListing:
        """Return what the annotations hold."""
        return self.ready.listing

    @property
    def skeleton(self) -> Skeleton:
        """Return the joints."""
        return self.ready.listing.skeleton

    @property
    def preprocessing(self) -> PosePreprocessing:
        """Return how subjects are cut out."""
        return self.ready.preprocessing

    @property
    def split(self) -> Split:
        """Return which subjects train and which validate."""
        return self.ready.split

    @property
    def samples(self) -> dict[str, PoseSample]:
        """Return the subjects by id."""
        return self.ready.samples

    @property
    def training_samples(self) -> list[PoseSample]:
        """Return the subjects that train."""
        return [self.samples[id_] for id_ in self.split.train]

    @property
    def validation_samples(self) -> list[PoseSample]:
        """Return the subjects that validate."""
        return [self.samples[id_] for id_ in self.split.validation]

    @property
    def training_range(self) -> dict[str, Any]:
        """Return what the training images span, for the model folder."""
        return self.ready.training_range

    @property
    def in_channels(self) -> int:
        """Return the channels of the images, R, G and B."""
        return 3

    @property
    def out_channels(self) -> int:
        """Return the number of joints."""
        return len(self.skeleton.names)

    @property
    def digest(self) -> str:
        """Return a SHA-256 over all images and annotations."""
        return self.ready.digest

    def on_after_batch_transfer(self, batch: PoseBatch, dataloader_idx: int) -> PoseBatch:
        """Normalise the images of a batch on its device."""
        return batch._replace(image=self.preprocessing.normalise(batch.image))

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of subjects changed at random."""
        ready = self.ready
        dataset = TrainingSubjects(
            ready.subjects(ready.split.train),
            ready.images,
            ready.preprocessing,
            augmentation=flip_if_safe(self.augmentation, self.skeleton),
            mirrored=self.skeleton.mirrored,
            seed=self.seed,
        )
        ranks = max(1, self.trainer.world_size if self.trainer else 1)
        length = self.steps_per_epoch * self.batch_size * ranks
        return self._loader(dataset, EpochSampler(length, self.batch_size))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of validation subjects, each once."""
        ready = self.ready
        dataset = ValidationSubjects(ready.subjects(ready.split.validation), ready.images, ready.preprocessing)
        return self._loader(dataset, CaseSampler(dataset))

    def _loader(self, dataset: Dataset[PoseSampleArrays], sampler: Sampler[int]) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=collate,
            persistent_workers=self.workers > 0,
            prefetch_factor=4 if self.workers else None,
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
            worker_init_fn=_quiet_worker,
        )


def flip_if_safe(augmentation: PoseAugmentation | None, skeleton: Skeleton) -> PoseAugmentation | None:
    """Return the augmentation, without mirror images where a joint with a side has no partner to change with."""
    lonely = sides_without_partner(skeleton)
    if augmentation is None or augmentation.flip_p == 0 or not lonely:
        return augmentation
    log.warning(
        "No mirror images are trained on, as joints have a side by their name but no partner: %s; name the pairs in "
        "data.pairs, or set data.augmentation.flip_p to 0",
        ", ".join(lonely),
    )
    return replace(augmentation, flip_p=0.0)


def _quiet_worker(worker: int) -> None:
    # Each worker cuts out whole subjects by itself: more threads would only take cores from the network.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
