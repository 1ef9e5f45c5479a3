"""One reading of a case: what is wrong with its files, or what is known of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
from numpy.typing import NDArray

from datamodules.cases import Case, read_image, read_label
from datamodules.checks import check_affines, check_finite, check_shapes
from datamodules.formats import nifti, read_volume
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume, stack_channels
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding, of_error
from datamodules.integrity.measurement import measure_case
from datamodules.integrity.recorded import recorded_warnings
from datamodules.labels import LabelSet

Result = TypeVar("Result")


@dataclass(frozen=True)
class Expected:
    """What every case of a data set must be like.

    Args:
        labels: What label files may hold.
        channels: Channels of every image.
        resample_labels: Whether a label with another affine is brought to the image's grid.
    """

    labels: LabelSet
    channels: int
    resample_labels: bool = False


class _Stages:
    """Try one thing after the other, and keep what fails as findings of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.findings: list[Finding] = []

    def attempt(self, code: str | Callable[[], str], work: Callable[[], Result]) -> Result | None:
        """Return what the work returns, or None with a finding where the data are to blame.

        Args:
            code: The kind of finding, or what finds it out where the work has failed.
            work: Raises DataError for what is wrong.
        """
        try:
            return work()
        except DataError as error:
            found = of_error(code if isinstance(code, str) else code(), error, [self.case.id])
            self.findings.append(replace(found, remedy=_in_a_data_set(found.remedy)))
        except OSError as error:
            self._add(
                "unreadable-image",
                f"cannot be read: {error}",
                "mend the disk or the rights of the file, or fetch it again",
            )
        except MemoryError as error:
            self._add("out-of-memory", f"out of memory: {error}", "use fewer workers, or a machine with more memory")
        return None

    def _add(self, code: str, message: str, remedy: str) -> None:
        self.findings.append(Finding(code, "error", message, remedy, (self.case.id,), str(self.case.images[0])))


def _in_a_data_set(remedy: str) -> str:
    """Return a remedy that holds for a data set, where that of a single file is an option of prediction."""
    return re.sub(r"choose one with --volume \d+ to \d+", "split the file into one file for each volume", remedy)


def read_case(case: Case, expected: Expected, content: str) -> tuple[CaseFacts | None, tuple[Finding, ...]]:
    """Read a case once, and check all of it that can be read.

    Args:
        case: With or without a label.
        expected: What it must be like.
        content: The hash of its files.

    Returns:
        Its facts, None where it cannot be used, and why not.
    """
    stages = _Stages(case)
    with recorded_warnings() as warnings:
        image = _image(stages, expected)
        stored = (
            stages.attempt(partial(_label_code, case.label_files), partial(read_label, case))
            if case.has_label
            else None
        )
        label = None if image is None or stored is None else _label(stages, image, stored, expected)
        if stages.findings or image is None:
            return None, tuple(stages.findings)
        facts = stages.attempt(
            "unreadable-image",
            lambda: measure_case(case, image, label, expected.labels, content=content, dtype=_dtype(case.images[0])),
        )
    kept = tuple(dict.fromkeys((kind, _without_places(text, case)) for kind, text in warnings))
    return facts and replace(facts, warnings=kept), tuple(stages.findings)


def _without_places(text: str, case: Case) -> str:
    """Name files by what they are for, as they may lie elsewhere when the text is shown."""
    images = {path: f"channel {index}" if len(case.images) > 1 else "image" for index, path in enumerate(case.images)}
    masks = {path: f"mask {index}" for index, path in enumerate(case.masks)}
    roles = images | masks | ({} if case.label is None else {case.label: "label"})
    for path, role in sorted(roles.items(), key=lambda item: -len(str(item[0]))):
        text = text.replace(str(path), role)
        text = text.replace(path.name, role) if path.suffix else text  # a folder may be called "1"
    return text


def _image(stages: _Stages, expected: Expected) -> Volume | None:
    """Read the channels one by one, so that each that is broken is named."""
    case = stages.case
    volumes = []
    for index, path in enumerate(case.images):
        one = case.only(index)
        code = "unreadable-image" if path.exists() else "missing-file"
        volumes.append(stages.attempt(code, partial(read_image, one)))
    present = [volume for volume in volumes if volume is not None]
    if len(present) < len(volumes):
        return None
    image = stages.attempt("channel-geometry", lambda: stack_channels(present))
    if image is not None:
        stages.attempt("channel-count", lambda: _check_count(image, expected.channels))
        stages.attempt("not-finite", lambda: check_finite(image))
    return image


def _check_count(image: Volume, channels: int) -> None:
    if len(image.array) != channels:
        remedy = "give all channels and no others, or mend `channel_names` in dataset.json"
        raise DataError(image.path, f"{channels} channel(s)", str(len(image.array)), remedy)


def _label(stages: _Stages, image: Volume, stored: Volume, expected: Expected) -> NDArray[Any] | None:
    """Check that the label fits the image, and return its class indices or masks."""
    before = len(stages.findings)
    stages.attempt("label-shape", lambda: check_shapes(image, stored))
    encoded = stages.attempt("label-undeclared", lambda: expected.labels.encode(stored.array, stored.path))
    if len(stages.findings) > before or encoded is None:
        return None
    fits = stages.attempt("label-affine", lambda: check_affines(image, stored, resample=expected.resample_labels))
    if fits is None:
        return None
    return encoded if fits is stored else expected.labels.encode(fits.array, fits.path)


def _label_code(paths: tuple[Path, ...]) -> str:
    """Name why labels cannot be read: absent, damaged, or whole files whose values are no integers."""
    if not all(path.exists() for path in paths):
        return "missing-file"
    return "label-not-integer" if _reads_as_image(paths) else "unreadable-label"


def _reads_as_image(paths: tuple[Path, ...]) -> bool:
    """Tell whether files are whole, whatever the type of their values."""
    try:
        for path in paths:
            read_volume(path, ReadOptions(all_volumes=True))
    except DataError:
        return False
    return True


def _dtype(path: Path) -> str:
    """Return the stored data type, where the header tells it in a few bytes."""
    return str(nib.load(path).get_data_dtype()) if path.name.lower().endswith(nifti.suffixes) else ""
