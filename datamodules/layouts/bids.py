"""BIDS: raw images by subject, and their labels in a data set of derivatives."""

from pathlib import Path

from datamodules.cases import Case
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.bids_images import match_images
from datamodules.layouts.bids_labels import Labels, find_labels
from datamodules.layouts.bids_names import has_subjects, list_files
from datamodules.layouts.bids_sources import derivatives_of, is_derivative, raw_source
from datamodules.layouts.bids_table import read_label_tables
from datamodules.layouts.masks import complete_masks

NAME = "bids"
EXAMPLE = """\
sub-01/anat/sub-01_T1w.nii.gz                         (or sub-01/ses-1/anat/...)
derivatives/PIPELINE/sub-01/anat/sub-01_dseg.nii.gz   (or sub-01_label-NAME_mask.nii.gz for each structure)
derivatives/PIPELINE/dseg.tsv                         (columns index and name)"""


def claims(root: Path) -> bool:
    """Tell whether there are folders of subjects, with derivatives or as a data set of derivatives."""
    return has_subjects(root) and (is_derivative(root) or bool(derivatives_of(root)))


def cases(root: Path, stated: Stated) -> Found:
    """List the labels of all derivatives with the images that they belong to; the subject is the group.

    Images without a label are listed and not refused, as parts of such data sets are often labelled alone.

    Raises:
        DataError: If there are no labels, a case has two, or a label fits several images alike.
    """
    raw, derivatives = (raw_source(root), [root]) if is_derivative(root) else (root, derivatives_of(root))
    derived = [file for folder in derivatives for file in list_files(folder)]
    labels = find_labels(root, derived)
    files = [*(list_files(raw) if raw else ()), *derived]
    images = match_images(root, files, {name: found[0] for name, found in labels.by_case.items()})
    masks = _masks(labels) if labels.masks else {}
    structures: tuple[str, ...] = ()
    if labels.masks:
        structures = complete_masks(root, {name: masks[name] for name in images.by_case}, stated.labels)
    tables = None
    if not labels.masks and not stated.labels:
        every = [file for found in labels.by_case.values() for file in found]
        tables = read_label_tables([*derivatives, *((raw,) if raw else ())], every)
    return Found(
        [
            Case(
                id=name,
                group=f"sub-{labels.by_case[name][0].entities['sub']}",
                images=paths,
                label=None if labels.masks else labels.by_case[name][0].path,
                masks=tuple(masks[name][structure] for structure in structures),
                spacing_mm=stated.spacing_mm,
            )
            for name, paths in images.by_case.items()
        ],
        channel_names=images.channel_names,
        labels=tables,
        structures=structures,
        grouped=True,
        unlabelled=images.unlabelled,
        unused=tuple(
            file.path for name, found in labels.by_case.items() for file in found if name not in images.by_case
        ),
        notes=(*labels.notes, *images.notes),
    )


def _masks(labels: Labels) -> dict[str, dict[str, Path]]:
    """Return the mask file of each structure by case."""
    return {name: {file.entities["label"]: file.path for file in found} for name, found in labels.by_case.items()}
