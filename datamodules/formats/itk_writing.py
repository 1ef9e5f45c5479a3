"""Writing NRRD and MetaImage with SimpleITK, read back before the file takes its name."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.formats.errors import DataError
from datamodules.formats.itk_geometry import LPS_TO_RAS

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813 - its name everywhere in the field

_COMPRESSION = 1  # labels shrink a hundredfold at any level; the higher levels cost only time


def write(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None, writer: str
) -> None:
    """Write [X, Y, Z] in its own type, or [K, X, Y, Z] as K components of each voxel, atomically and compressed.

    Args:
        path: A `.nrrd` or `.mha` file in a folder that exists.
        array: The voxels.
        affine: 4 x 4 matrix to RAS+ mm; shear is kept.
        shape: The stored shape of the image that they belong to: a plane is written as one, where that loses nothing.
        writer: SimpleITK's name of the writer.

    Raises:
        DataError: The name asks for a header apart from its voxels, or is not in lower case, or the folder's name is
            not UTF-8.
        OSError: The file cannot be written; what was there before stays.
    """
    import SimpleITK as sitk  # noqa: N813

    if path.suffix not in (".nrrd", ".mha"):
        one = ".nrrd" if path.suffix.lower() in (".nrrd", ".nhdr") else ".mha"
        found = f"{path.suffix}: a header apart from its voxels, or capitals, which ITK does not know"
        raise DataError(path, f"a name that ends in {one}", found, f"write to a {one} file")
    if os.fsencode(path.parent).decode("utf-8", "ignore") != str(path.parent):  # SimpleITK crashes on such a name
        raise DataError(path, "a folder with a name in UTF-8", repr(str(path.parent)), "rename the folder")
    image = _image(array, affine, flat=_is_flat(array, affine, shape))
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), True, _COMPRESSION, imageIO=writer)
            back = sitk.ReadImage(str(temporary), imageIO=writer)
        except RuntimeError as error:
            raise _not_written(path, array, str(error)) from error
        # ITK does not look whether the last bytes reached the disk; NaN is to be as it was, so bytes are compared
        if sitk.GetArrayViewFromImage(back).tobytes() != sitk.GetArrayViewFromImage(image).tobytes():
            raise _not_written(path, array, "the file does not read back")


def _not_written(path: Path, array: NDArray[Any], reason: str) -> OSError:
    message = f"{reason.strip()}; up to {array.nbytes} bytes are needed, nothing was changed; free some space"
    return OSError(errno.EIO, message, str(path))


def _is_flat(array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None) -> bool:
    """Tell whether a plane in the patient's axial plane at height 0 is to be written, which two axes describe."""
    alone = affine.copy()
    alone[:2, :2], alone[:2, 3] = np.eye(2), 0
    return shape is not None and len(shape) == 2 and array.shape == (*shape, 1) and np.array_equal(alone, np.eye(4))


def _image(array: NDArray[Any], affine: NDArray[np.float64], *, flat: bool) -> sitk.Image:
    """Return SimpleITK's image, which has its array's axes in reverse and LPS for RAS."""
    import SimpleITK as sitk  # noqa: N813

    voxels = array[..., 0] if flat else array
    if array.ndim == 4:
        voxels = array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)
        image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.swapaxes(0, 2)), isVector=len(array) > 1)
    else:
        image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T), isVector=False)
    dimensions = 2 if flat else 3
    lps = LPS_TO_RAS @ affine
    steps = lps[:dimensions, :dimensions]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(lps[:dimensions, 3].tolist())
    return image
