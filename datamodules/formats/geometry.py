"""Where a grid of voxels lies in the patient: its shape, and the affine from indices to millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # start and stop along X, Y and Z
Shape = tuple[int, int, int]
Affine = NDArray[np.float64]

MAXIMUM_SPACING_MM = 50.0
MAXIMUM_ORIGIN_MM = 1e6  # beyond a kilometre float32 headers cannot tell one voxel from the next
SHEAR_TOLERANCE = 1e-3  # largest cosine between two axes that count as orthogonal
_FLAT = 1e-3  # volume spanned by the axes' directions, under which they lie in one plane
# a turn of a fiftieth of a degree: which axis of a scan at 45 degrees is nearest must not be decided by rounding
_OFF_TIES = np.eye(3) + 1e-4 * np.array([[0, -3, 2], [3, 0, -1], [-2, 1, 0]])
_COUNTING_SLACK = 1e-6  # voxels; rounding errors must not add a plane


@dataclass(frozen=True, eq=False)
class Geometry:
    """Place a grid of voxels in the patient; a voxel's centre has integer indices.

    Args:
        shape: Voxels along X, Y and Z.
        affine: 4 x 4 float64 matrix from voxel indices to RAS+ millimetres; kept as a read-only copy.

    Raises:
        ValueError: The shape is not three counts of at least 1, or the affine is not 4 x 4.
    """

    shape: Shape
    affine: Affine

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise ValueError(f"an affine is 4 x 4, got shape {affine.shape}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a shape is three counts of at least 1, got {self.shape}")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Return the distance between voxel centres along each axis, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Return the position of the first voxel's centre, in RAS+ mm."""
        x, y, z = self.affine[:3, 3].tolist()
        return x, y, z

    @property
    def orientation(self) -> str:
        """Return the anatomical direction that each axis points to, such as "RAS" or "LPI"."""
        codes = ["", "", ""]
        for target, (axis, flipped) in enumerate(canonical_axes(self.affine)):
            codes[axis] = ("LPI" if flipped else "RAS")[target]
        return "".join(codes)

    @property
    def shear(self) -> float:
        """Return the largest cosine between two axes: 0 for an orthogonal grid."""
        directions = self.affine[:3, :3] / self.spacing_mm
        return float(np.abs(np.triu(directions.T @ directions, 1)).max())

    @property
    def is_sheared(self) -> bool:
        """Tell whether two axes are further from a right angle than a cosine of 1e-3."""
        return not self.shear <= SHEAR_TOLERANCE

    def canonical(self) -> Geometry:
        """Return the same voxels in the axis order and directions closest to RAS; oblique axes keep their angle."""
        to_self = np.zeros((4, 4))
        to_self[3, 3] = 1
        axes = canonical_axes(self.affine)
        for target, (axis, flipped) in enumerate(axes):
            to_self[axis, target] = -1 if flipped else 1
            to_self[axis, 3] = self.shape[axis] - 1 if flipped else 0
        x, y, z = (self.shape[axis] for axis, _ in axes)
        return Geometry((x, y, z), self.affine @ to_self)

    def cropped(self, box: Box) -> Geometry:
        """Return the grid cut down to the box."""
        x, y, z = (stop - start for start, stop in box)
        start = np.array([limits[0] for limits in box], dtype=np.float64)
        return Geometry((x, y, z), self.affine @ _scaling(np.ones(3), start))

    def resampled(self, shape: Shape) -> Geometry:
        """Return a grid with another number of voxels over the same extent, edge to edge."""
        scale = np.array(self.shape, dtype=np.float64) / np.array(shape)
        # the outer edges stay: the first new centre lies half a new voxel inside the edge at index -0.5
        return Geometry(shape, self.affine @ _scaling(scale, (scale - 1) / 2))

    def orthogonal(self) -> Geometry:
        """Return the orthogonal grid nearest to a sheared one, which covers all of its voxel centres.

        The two axes that are nearest to a right angle keep their plane, and their directions where the angle is
        right: the slices of a tilted gantry stay slices. The third axis becomes the plane's normal. Spacing is
        that of the sheared axes along the new ones.
        """
        axes = self.affine[:3, :3]
        frame = _nearest_frame(axes / self.spacing_mm, self.shape)
        spacing = (frame * axes).sum(axis=0)
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(self.shape) - 1)
        reach = corners @ axes.T @ frame  # mm from the first centre along the new axes, [8, 3]
        lowest, highest = reach.min(axis=0), reach.max(axis=0)
        x, y, z = (int(count) for count in np.ceil((highest - lowest) / spacing - _COUNTING_SLACK) + 1)
        affine = np.eye(4)
        affine[:3, :3] = frame * spacing
        affine[:3, 3] = self.affine[:3, 3] + frame @ lowest
        return Geometry((x, y, z), affine)

    def index_map(self, other: Geometry) -> Affine:
        """Return the matrix [4, 4] from the indices of this grid to the indices of the other, through mm."""
        matrix = np.eye(4)
        # origins are subtracted before the division, so that a far origin costs no digits
        offset = self.affine[:3, 3] - other.affine[:3, 3]
        right = np.column_stack([self.affine[:3, :3], offset])
        matrix[:3] = np.linalg.solve(other.affine[:3, :3], right)
        return matrix

    def differs_by(self, other: Geometry) -> float:
        """Return the largest difference between two entries of the affines; NaN where one of them has NaN."""
        return float(np.abs(self.affine - other.affine).max())


def canonical_axes(affine: Affine) -> tuple[tuple[int, bool], ...]:
    """Return for each canonical axis the source axis it is made of, and whether that is flipped."""
    turned = affine.copy()
    turned[:3, :3] = _OFF_TIES @ affine[:3, :3]
    orientation = nib.orientations.io_orientation(turned)  # per source axis: canonical axis, direction
    return tuple((int(axis), bool(orientation[axis, 1] < 0)) for axis in np.argsort(orientation[:, 0]))


def check_affine(path: Path, affine: Affine) -> None:
    """Refuse an affine that no scanner makes.

    Raises:
        DataError: Numbers that are not finite, axes in one plane, spacing of 0 or over 50 mm, or an origin more
            than a kilometre away.
    """
    remedy = "mend the geometry in the header"
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or affine[3].tolist() != [0, 0, 0, 1]:
        raise DataError(path, "an invertible affine of finite numbers", f"{affine.tolist()}", remedy)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    check_spacing(path, spacing.tolist(), "affine")
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < _FLAT:
        raise DataError(path, "an invertible affine", f"{affine[:3].tolist()}", remedy)
    if np.abs(affine[:3, 3]).max() > MAXIMUM_ORIGIN_MM:
        expected = f"an origin within {MAXIMUM_ORIGIN_MM:g} mm"
        raise DataError(path, expected, f"{affine[:3, 3].tolist()}", remedy)


def check_spacing(path: Path, spacing_mm: list[float], source: str) -> None:
    """Refuse a spacing that no scanner makes; `source` says where it stands."""
    if not all(0 < size <= MAXIMUM_SPACING_MM for size in spacing_mm):
        found = f"{spacing_mm} mm in the {source}"
        raise DataError(path, f"spacing above 0 and at most {MAXIMUM_SPACING_MM:g} mm", found, "mend the spacing")


def _nearest_frame(directions: Affine, shape: Shape) -> Affine:
    """Return orthonormal columns [3, 3] near the columns of unit length, of the same handedness."""
    cosines = np.abs(directions.T @ directions)
    # a single slice has no neighbour to be sheared against: its own plane is kept
    pairs = sorted(((0, 1), (0, 2), (1, 2)), key=lambda pair: (-sum(shape[a] > 1 for a in pair), cosines[pair]))
    first, second = pairs[0]
    third = 3 - first - second
    normal = np.cross(directions[:, first], directions[:, second])
    normal *= np.sign(normal @ directions[:, third]) / np.linalg.norm(normal)
    # half of the sum and of the difference of two unit vectors are at right angles, whatever angle these enclose
    along = directions[:, first] + directions[:, second]
    across = directions[:, first] - directions[:, second]
    along, across = along / np.linalg.norm(along), across / np.linalg.norm(across)
    frame = np.empty((3, 3))
    frame[:, first] = (along + across) / np.sqrt(2)
    frame[:, second] = (along - across) / np.sqrt(2)
    frame[:, third] = normal
    return frame


def _scaling(scale: Affine, shift: Affine) -> Affine:
    """Return the 4 x 4 matrix that scales voxel indices and then shifts them."""
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = shift
    return matrix
