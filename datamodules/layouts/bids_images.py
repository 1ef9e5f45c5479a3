"""The images of a BIDS data set that its labels belong to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_labels import NO_IMAGE
from datamodules.layouts.bids_names import BidsFile

Fitting = tuple[tuple[int, int], BidsFile]  # an image, and how little it fits


@dataclass(frozen=True)
class Images:
    """Images by case.

    Args:
        by_case: The files of the channels of each case.
        channel_names: What they are, such as T1w.
        unlabelled: Images of the first channel that belong to no label.
        notes: What was passed over.
    """

    by_case: dict[str, tuple[Path, ...]]
    channel_names: tuple[str, ...]
    unlabelled: tuple[Path, ...]
    notes: tuple[str, ...]


def match_images(root: Path, files: Sequence[BidsFile], labels: Mapping[str, BidsFile]) -> Images:
    """Find the images of each label; what every case has becomes a channel, sorted by name.

    Args:
        root: What an error shall name.
        files: Raw images and those of derivatives.
        labels: A label file of each case.

    Raises:
        DataError: If no label has an image, a label fits several alike, or no kind of image is in every case.
    """
    images = [file for file in files if file.suffix not in NO_IMAGE]
    places: dict[tuple[str, str | None], list[BidsFile]] = defaultdict(list)
    for file in images:
        places[file.visit].append(file)
    matched = {}
    elsewhere: dict[str, list[str]] = defaultdict(list)
    for name, label in labels.items():
        fitting = [(misfit, image) for image in places[label.visit] if (misfit := label.misfit(image)) is not None]
        chosen, passed_over = _nearest(label, fitting)
        for kind in passed_over:
            elsewhere[kind].append(name)
        if chosen:
            matched[name] = _of_label(label, chosen)
    if not matched:
        raise DataError(
            root,
            expected="images of the same subject, session, space and folder as the labels",
            found=f"none for {len(labels)} label(s), such as {next(iter(labels.values())).path.name}",
            remedy="name the raw data set in `DatasetLinks` of dataset_description.json, or list the files in a CSV",
        )
    kinds = sorted({kind for found in matched.values() for kind in found})
    lacking = {kind: [name for name, found in matched.items() if kind not in found] for kind in kinds}
    channels = tuple(kind for kind in kinds if not lacking[kind])
    if not channels:
        shown = "; ".join(f"{name}: {', '.join(sorted(found))}" for name, found in list(matched.items())[:5])
        raise DataError(root, "a kind of image that every case has", shown, "add images, or list the files in a CSV")
    used = {file.path for found in matched.values() for file in found.values()}
    datatypes = {label.datatype for label in labels.values()}
    unlabelled = [
        file.path
        for file in images
        if file.suffix == channels[0] and file.is_native and file.datatype in datatypes and file.path not in used
    ]
    return Images(
        {name: tuple(found[kind].path for kind in channels) for name, found in matched.items()},
        channels,
        tuple(unlabelled),
        (
            *(
                f"{kind} of {len(cases)} case(s) is passed over, as it does not lie beside the label: "
                + ", ".join(cases[:5])
                for kind, cases in elsewhere.items()
            ),
            *(
                f"{kind} is no channel, as {len(cases)} case(s) have none: {', '.join(cases[:5])}"
                for kind, cases in lacking.items()
                if cases
            ),
        ),
    )


def _nearest(label: BidsFile, fitting: Sequence[Fitting]) -> tuple[Sequence[Fitting], list[str]]:
    """Return the images to choose from, and the kinds that are passed over.

    Images beside the label that others were made into go before all that lie elsewhere, as these may be on another
    grid: fMRIPrep's segmentation is that of its own preprocessed image.
    """
    beside = [(misfit, image) for misfit, image in fitting if image.path.parent == label.path.parent]
    kinds = {image.suffix for _, image in beside}
    elsewhere = {image.suffix for _, image in fitting} - kinds
    made = any(image.suffix in kinds and image.path.parent != label.path.parent for _, image in fitting)
    return (beside, sorted(elsewhere)) if made else (fitting, [])


def _of_label(label: BidsFile, fitting: Sequence[Fitting]) -> dict[str, BidsFile]:
    """Return the images of a label by what they are; of several the one whose entities fit best."""
    by_kind: dict[str, list[Fitting]] = defaultdict(list)
    for misfit, image in fitting:
        by_kind[image.suffix].append((misfit, image))
    found = {}
    for kind, candidates in by_kind.items():
        least = min(misfit for misfit, _ in candidates)
        best = [image for misfit, image in candidates if misfit == least]
        if len(best) > 1:
            raise DataError(
                label.path,
                expected=f"one {kind} that it belongs to",
                found=", ".join(image.path.name for image in best),
                remedy="give the label the entities of its image, such as run-1, or list the files in a CSV",
            )
        found[kind] = best[0]
    return found
