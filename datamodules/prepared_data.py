"""A data set once its cases were read: split, preprocessing and prepared cases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.cache import PreparedCase, prepare_cases
from datamodules.cases import CaseList
from datamodules.fingerprint import data_digest
from datamodules.integrity.training_check import inspect_for_training
from datamodules.preprocessing import Preprocessing
from datamodules.preprocessing_choice import PreprocessingChoice, median_spacing
from datamodules.splits import Split
from datamodules.training_range import training_range


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
    """Check the cases, and preprocess what is not in the cache.

    Args:
        listing: The cases.
        split: Which train; they alone decide on spacing and intensities.
        choice: What the user said of preprocessing.
        cache_dir: Where results are kept.
        workers: Processes; 0 works in this one.
        resample_labels: As for `checks.check_affines`.

    Raises:
        DataError: If cases cannot be used; all are named.
    """
    facts = inspect_for_training(
        listing, split, cache_dir, workers, resample_labels=resample_labels, sheared=choice.sheared == "resample"
    )
    training = [facts[case] for case in split.train]
    preprocessing = choice.resolve(training, len(listing.channel_names))
    hashes = {case_id: case.content for case_id, case in facts.items()}
    cases = prepare_cases(listing, preprocessing, cache_dir, workers, resample_labels=resample_labels, hashes=hashes)
    return PreparedData(
        listing=listing,
        split=split,
        preprocessing=preprocessing,
        cases=cases,
        training_range=training_range(training),
        digest=data_digest(facts.values()),
        spacing_mm=preprocessing.spacing_mm or median_spacing(training),
    )
