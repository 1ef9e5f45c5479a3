"""Pictures of a case with its structures drawn on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path

_PLANES = ("sagittal", "coronal", "axial")  # by the axis that the plane is normal to, in RAS
_OPACITY = 0.35
_HEIGHT_INCHES = 4.5
_SHOWN_NAMES = 12  # a longer legend would outgrow the picture


@dataclass(frozen=True)
class _Slice:
    """One plane: image [U, V] or [U, V, 3], masks [K, U, V], reference masks or None, pixel spacing in mm."""

    title: str
    image: NDArray[Any]
    masks: NDArray[np.bool_]
    reference: NDArray[np.bool_] | None
    spacing_mm: tuple[float, float]


def overlay_png(
    image: NDArray[Any],
    label: NDArray[Any],
    path: Path,
    names: Sequence[str],
    reference: NDArray[Any] | None = None,
    *,
    guide: NDArray[Any] | None = None,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    title: str = "",
) -> None:
    """Draw a case as PNG: filled structures, and the outlines of a reference where there is one.

    A volume is cut along its three axes where the most foreground lies, of the reference if there is one; an image
    is shown whole.

    Args:
        image: Voxels [C, X, Y, Z] in RAS orientation; the first channel is shown, or colours where Z is 1
            and there are three.
        label: Class indices [X, Y, Z] where index i is `names[i - 1]`, or masks [K, X, Y, Z].
        path: Where the picture goes; the folder exists.
        names: Names of the foreground structures.
        reference: As `label`.
        guide: Voxels [X, Y, Z] that the cuts are to show instead, such as the errors.
        spacing_mm: Voxel spacing, for the proportions.
        title: A line above the picture.
    """
    masks = _masks(label, len(names))
    expected = None if reference is None else _masks(reference, len(names))
    shown = (masks if expected is None else expected).any(axis=0) if guide is None else np.asarray(guide != 0)
    slices = list(_slices(image, masks, expected, np.asarray(shown), spacing_mm))
    colours = colormaps["tab10" if len(names) <= 10 else "tab20"].resampled(max(len(names), 10))
    palette = [tuple(colours(index % colours.N)[:3]) for index in range(len(names))]
    extents = [[n * mm for n, mm in zip(part.image.shape, part.spacing_mm, strict=False)] for part in slices]
    widths = [min(max(wide / high, 0.2), 3.0) for wide, high in extents]  # slabs would be endless
    figure = Figure(figsize=(_HEIGHT_INCHES * sum(widths) + 0.5, _HEIGHT_INCHES + 1.2), layout="constrained")
    axes = figure.subplots(1, len(slices), width_ratios=widths, squeeze=False)[0]
    for axis, part in zip(axes, slices, strict=True):
        _draw(axis, part, palette, upright=image.shape[-1] > 1)
    if title:
        figure.suptitle(title, fontsize=10, parse_math=False)
    _legend(figure, names, palette, [bool(mask.any()) for mask in masks], expected is not None)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _masks(label: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Return masks [K, X, Y, Z] of labels in either form."""
    if label.ndim == 4:
        return np.asarray(label != 0)
    return np.stack([label == index + 1 for index in range(count)])


def _slices(
    image: NDArray[Any],
    masks: NDArray[np.bool_],
    reference: NDArray[np.bool_] | None,
    guide: NDArray[np.bool_],
    spacing_mm: Sequence[float],
) -> Iterator[_Slice]:
    """Yield the planes that hold most of the guide [X, Y, Z]."""
    flat = image.shape[-1] == 1
    colour = flat and image.shape[0] == 3
    window = _window(image if colour else image[:1])
    for normal in (2,) if flat else (2, 1, 0):
        others = tuple(axis for axis in range(3) if axis != normal)
        counts = guide.sum(axis=others)
        index = int(counts.argmax()) if counts.any() else guide.shape[normal] // 2
        plane = np.clip((np.take(image, index, axis=normal + 1) - window[0]) / (window[1] - window[0]), 0, 1)
        yield _Slice(
            title="" if flat else f"{_PLANES[normal]} {index}",
            image=np.moveaxis(plane, 0, -1) if colour else plane[0],
            masks=np.take(masks, index, axis=normal + 1),
            reference=None if reference is None else np.take(reference, index, axis=normal + 1),
            spacing_mm=(spacing_mm[others[0]], spacing_mm[others[1]]),
        )


def _window(image: NDArray[Any]) -> tuple[float, float]:
    """Return the grey values shown as black and white: percentiles of what is not at the bottom."""
    sample = image.reshape(-1)[:: max(1, image.size // 200_000)]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    above = sample[sample > np.percentile(sample, 1)]  # air fills most of many a volume
    low, high = np.percentile(above if above.size else sample, [1, 99.5])
    if high <= low:  # two grey values, or one
        low = sample.min()
    return float(low), float(max(high, low + 1e-6))


def _draw(axis: Axes, part: _Slice, palette: Sequence[tuple[float, ...]], *, upright: bool) -> None:
    """Draw a plane; volumes as radiology shows them, head or front up and the patient's right on the left."""
    origin = "lower" if upright else "upper"
    shown = part.image.swapaxes(0, 1)
    rgb = np.repeat(shown[..., None], 3, axis=-1) if shown.ndim == 2 else shown.copy()
    for mask, colour in zip(part.masks, palette, strict=True):
        inside = mask.T
        rgb[inside] = (1 - _OPACITY) * rgb[inside] + _OPACITY * np.array(colour)
    axis.imshow(rgb, origin=origin, aspect=part.spacing_mm[1] / part.spacing_mm[0], interpolation="nearest")  # type: ignore[arg-type]
    for masks, width, style in ((part.masks, 0.8, "solid"), (part.reference, 1.2, "dashed")):
        for mask, colour in zip(masks if masks is not None else (), palette, strict=False):
            if mask.any() and min(mask.shape) > 1:  # a contour needs two pixels each way
                axis.contour(mask.T, levels=[0.5], colors=[colour], linewidths=width, linestyles=style)
    if upright and part.title.split()[0] != _PLANES[0]:
        axis.invert_xaxis()
    axis.set_title(part.title, fontsize=9)
    axis.set_axis_off()


def _legend(
    figure: Figure, names: Sequence[str], palette: Sequence[Any], present: Sequence[bool], compared: bool
) -> None:
    """Name the structures that occur, and say which lines are the reference's."""
    entries = [(name, colour) for name, colour, here in zip(names, palette, present, strict=True) if here]
    lines = [Line2D([], [], color=colour, linewidth=4, label=name) for name, colour in entries[:_SHOWN_NAMES]]
    if len(entries) > _SHOWN_NAMES:
        lines.append(Line2D([], [], linestyle="none", label=f"and {len(entries) - _SHOWN_NAMES} more"))
    if compared:
        lines.append(Line2D([], [], color="black", linestyle="dashed", label="reference"))
    if lines:
        legend = figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 4), fontsize=8)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a name may hold dollar signs
