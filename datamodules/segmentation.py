"""The data module of segmentation: a folder of cases to batches of patches."""

from pathlib import Path
from typing import Any, Literal

import torch
from monai.data import set_track_meta
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.augmentation import Augmentation
from datamodules.base import DataModule
from datamodules.cache import cache_folder
from datamodules.cases import Case
from datamodules.checks import refuse_mirrored_sides
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from datamodules.layouts import find_cases
from datamodules.patches import CaseDataset, PatchDataset, collate
from datamodules.phantom import make_phantom
from datamodules.prepared_data import PreparedData, prepare_data_set
from datamodules.preprocessing_choice import PreprocessingChoice
from datamodules.sampling import CaseSampler, EpochSampler
from datamodules.splits import Split, SplitChoice, split_cases

EMBEDDED_ROOT = Path("data") / "ct_phantom"
EMBEDDED_CASES = 30


class SegmentationData(DataModule):
    """Cases of a folder, preprocessed once, as patches for training and whole volumes for validation.

    The data set may be in any of the layouts of `datamodules.layouts`, which is found out: that of nnU-Net, of the
    Medical Segmentation Decathlon, BIDS, pairs of images and labels, mask files by structure, or a table of paths.

    Args:
        root: Folder of the data set, or a CSV table of paths. Without it, `embedded` says what to train on.
        embedded: Data made from a seed under `data/` when `root` is not given.
        patch_size: Extent of a patch in voxels of the target spacing; two numbers train on 2-D slices.
        batch_size: Patches of an optimiser step on one device.
        preprocessing: Target spacing, intensities and crop.
        split: Which cases validate.
        labels: Values of the label images by name, where the data set does not give them; structures with several
            values, or that share them, may overlap. Where structures have a mask file each, the names choose them.
        label_map: Stored label values to be read as other ones.
        spacing_mm: Spacing along X, Y, Z of stacks of images and folders of slices, which store none.
        resample_labels: Bring labels whose affine differs from the image's to its grid by nearest neighbour.
        steps_per_epoch: Optimiser steps of an epoch.
        foreground_share: Part of each batch that is centred on a voxel of a class drawn at random.
        augmentation: Random changes to patches; null for none.
        workers: Processes that preprocess and that draw patches; 0 does both in the main process.
        cache_dir: Where preprocessed cases are kept; by default `.cache/segpose-pipeline` in the home folder.
    """

    def __init__(
        self,
        root: Path | None = None,
        embedded: Literal["ct_phantom"] | None = None,
        patch_size: tuple[int, int] | tuple[int, int, int] = (64, 64, 64),
        batch_size: int = 2,
        preprocessing: PreprocessingChoice = PreprocessingChoice(),  # noqa: B008 -- frozen
        split: SplitChoice = SplitChoice(),  # noqa: B008 -- never changed
        labels: dict[str, int | list[int]] | None = None,
        label_map: dict[int, int] | None = None,
        spacing_mm: tuple[float, float, float] | None = None,
        resample_labels: bool = False,
        steps_per_epoch: int = 100,
        foreground_share: float = 0.34,
        augmentation: Augmentation | None = Augmentation(),  # noqa: B008 -- never changed
        workers: int = 2,
        cache_dir: Path | None = None,
    ) -> None:
        super().__init__()
        if root is None and embedded is None:
            raise DataError("data.root", "a folder of cases", "nothing", "name one with --data.root DIR")
        if root is not None and not root.exists():
            raise DataError(root, "a folder of cases, or a table of paths", "none", "check --data.root")
        if min(batch_size, steps_per_epoch, *patch_size) < 1 or not 0.0 <= foreground_share <= 1.0 or workers < 0:
            raise ValueError(
                "data: expected batch_size, steps_per_epoch and patch_size of 1 or more, foreground_share from 0 to 1 "
                f"and workers of 0 or more, found {batch_size}, {steps_per_epoch}, {list(patch_size)}, "
                f"{foreground_share} and {workers}"
            )
        self.root, self.embedded = root or EMBEDDED_ROOT, root is None
        self.patch_size, self.batch_size = patch_size, batch_size
        self.choice, self.split_choice = preprocessing, split
        self.declared, self.label_map, self.resample_labels = labels, label_map, resample_labels
        self.stated_spacing_mm = spacing_mm
        self.steps_per_epoch, self.foreground_share = steps_per_epoch, foreground_share
        self.augmentation = augmentation
        self.workers = workers
        self.cache_dir = cache_folder(cache_dir)
        self.prepared: PreparedData | None = None

    def prepare_data(self) -> None:
        """Make the embedded data if it is absent, then preprocess what is not in the cache."""
        if self.embedded and not self.root.exists():
            make_phantom(self.root, cases=EMBEDDED_CASES, seed=0, workers=self.workers)
        self.prepared = self.prepared or self._prepare()

    def setup(self, stage: str) -> None:
        """Load what `prepare_data` left in the cache."""
        if self.prepared is None:
            self.prepared = self._prepare()

    def _prepare(self) -> PreparedData:
        choice = self.split_choice
        listing = find_cases(
            self.root,
            labels=self.declared,
            label_map=self.label_map,
            group_pattern=choice.group_pattern,
            spacing_mm=self.stated_spacing_mm,
            fold=choice.fold,
        )
        if self.augmentation:
            refuse_mirrored_sides(listing.labels.names, self.augmentation.mirror_axes)
        split = listing.split or split_cases(listing.cases, fold=choice.fold, folds=choice.folds, seed=choice.seed)
        return prepare_data_set(
            listing, split, self.choice, self.cache_dir, self.workers, resample_labels=self.resample_labels
        )

    @property
    def ready(self) -> PreparedData:
        """Return the prepared data; `setup` must have run."""
        if self.prepared is None:
            raise RuntimeError("the data module is not set up: call prepare_data and setup first")
        return self.prepared

    @property
    def labels(self) -> LabelSet:
        """Return the structures that are segmented."""
        return self.ready.listing.labels

    @property
    def in_channels(self) -> int:
        """Return the channels of the images."""
        return len(self.ready.preprocessing.channels)

    @property
    def out_channels(self) -> int:
        """Return the channels of the logits."""
        return self.labels.num_channels

    @property
    def digest(self) -> str:
        """Return a SHA-256 over the content of all cases."""
        return self.ready.digest

    @property
    def split(self) -> Split:
        """Return which cases train and which validate."""
        return self.ready.split

    @property
    def validation_cases(self) -> list[Case]:
        """Return the files of the cases that validate."""
        chosen = set(self.ready.split.validation)
        return [case for case in self.ready.listing.cases if case.id in chosen]

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of training patches."""
        ready = self.ready
        dataset = PatchDataset(
            {case: ready.cases[case] for case in ready.split.train},
            self.patch_size,
            self.batch_size,
            foreground_share=self.foreground_share,
            augmentation=self.augmentation,
            spacing_mm=ready.spacing_mm,
            seed=self.seed,
        )
        ranks = max(1, self.trainer.world_size if self.trainer else 1)
        length = self.steps_per_epoch * self.batch_size * ranks
        return self._loader(dataset, EpochSampler(length, self.batch_size), self.batch_size)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of whole validation cases, one at a time."""
        ready = self.ready
        dataset = CaseDataset({case: ready.cases[case] for case in ready.split.validation})
        return self._loader(dataset, CaseSampler(dataset), 1, workers=0)

    def _loader(
        self,
        dataset: Dataset[tuple[Tensor, Tensor, str]],
        sampler: Sampler[int],
        batch_size: int,
        workers: int | None = None,
    ) -> DataLoader[Any]:
        workers = self.workers if workers is None else workers
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
            worker_init_fn=_quiet_worker,
        )


def _quiet_worker(worker: int) -> None:
    # Each worker draws whole patches by itself: more threads would only take cores from the network.
    torch.set_num_threads(1)
    set_track_meta(False)  # a worker that was not forked has not heard of it
