"""What the stored numbers of a series mean, where headers leave doubt: told by log, or refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from datamodules.formats.dicom.frames import MALFORMED, Slice
from datamodules.formats.errors import DataError

logger = logging.getLogger(__name__)


def check_numbers(path: Path, slices: Sequence[Slice], modality: str) -> None:
    """Look at the photometric interpretation, padding and rescaling of the slices of one volume.

    MONOCHROME1 asks a screen to show low numbers white; slope and intercept hold all the same, so that HU stay HU
    and nothing is inverted. Pixels with the PixelPaddingValue, outside the field of view of a CT, keep their
    number, as in other readers.

    Args:
        path: The folder or file, for messages.
        slices: All slices of the volume.
        modality: Such as "CT".

    Raises:
        DataError: Some slices are rescaled or inverted on screens, and others are not.
    """
    rescaled = {one.is_rescaled for one in slices}
    if len(rescaled) > 1:
        bare = next(one for one in slices if not one.is_rescaled)
        found = f"none in {bare.path.name}, frame {bare.frame + 1}"
        raise DataError(bare.path, "a RescaleSlope in every slice of a volume that has them", found, MALFORMED)
    kinds = sorted({one.photometric for one in slices})
    if len(kinds) > 1:
        raise DataError(path, "one photometric interpretation in a volume", " and ".join(kinds), MALFORMED)
    if kinds == ["MONOCHROME1"]:
        logger.warning("%s: MONOCHROME1, shown with low numbers white: the numbers are taken as they are", path)
    padding = sorted({one.padding for one in slices if one.padding is not None})
    if padding:
        logger.info("%s: pixels of the stored number %s are padding; they keep their number", path, padding)
    if modality == "CT" and rescaled == {False}:
        logger.warning("%s: a CT without RescaleSlope and RescaleIntercept: stored numbers are taken as HU", path)
    if len({(one.slope, one.intercept) for one in slices}) > 1:
        logger.info("%s: slope and intercept change from slice to slice; each slice has its own applied", path)
