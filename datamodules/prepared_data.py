"""A data set once its cases were read: split, preprocessing and prepared cases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules import fingerprint
from datamodules.cache import PreparedCase, prepare_cases
from datamodules.cases import CaseList
from datamodules.checks import warn_missing_classes
from datamodules.preprocessing import Preprocessing
from datamodules.preprocessing_choice import PreprocessingChoice, median_spacing
from datamodules.splits import Split


@dataclass(frozen=True)
class PreparedData:
    """Everything that is known once the cases were read.

    Args:
        listing: The cases and their files.
        split: Which train and which validate.
        preprocessing: What was done to them.
        cases: Where they lie prepared, by id.
        training_range: Intensities and spacing of the training cases.
        digest: SHA-256 over the content of all cases.
        spacing_mm: Spacing of a typical prepared voxel.
    """

    listing: CaseList
    split: Split
    preprocessing: Preprocessing
    cases: dict[str, PreparedCase]
    training_range: dict[str, Any]
    digest: str
    spacing_mm: tuple[float, float, float]


def prepare_data_set(
    listing: CaseList,
    split: Split,
    choice: PreprocessingChoice,
    cache_dir: Path,
    workers: int,
    *,
    resample_labels: bool = False,
) -> PreparedData:
    """Read and preprocess what is not in the cache.

    Args:
        listing: The cases.
        split: Which train; they alone decide on spacing and intensities.
        choice: What the user said of preprocessing.
        cache_dir: Where results are kept.
        workers: Processes; 0 works in this one.
        resample_labels: As for `checks.check_pair`.

    Raises:
        DataError: If cases cannot be used; all are named.
    """
    summaries = fingerprint.read_summaries(listing, cache_dir, workers, resample_labels=resample_labels)
    counts = {case: summary.voxel_counts for case, summary in summaries.items()}
    warn_missing_classes(counts, split, listing.labels)
    training = [summaries[case] for case in split.train]
    preprocessing = choice.resolve(training, len(listing.channel_names))
    hashes = {case: summary.content for case, summary in summaries.items()}
    cases = prepare_cases(listing, preprocessing, cache_dir, workers, resample_labels=resample_labels, hashes=hashes)
    return PreparedData(
        listing=listing,
        split=split,
        preprocessing=preprocessing,
        cases=cases,
        training_range=fingerprint.training_range(training),
        digest=fingerprint.data_digest(summaries.values()),
        spacing_mm=preprocessing.spacing_mm or median_spacing(training),
    )
