"""The pictures of a check's page: cases with their labels as PNG, distributions as SVG."""

import base64
import html
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# Ten colours of equal weight that stay apart on grey (Tableau's palette of 2016), red, green, blue.
PALETTE = (
    (225, 87, 89),
    (78, 121, 167),
    (242, 142, 43),
    (89, 161, 79),
    (237, 201, 72),
    (176, 122, 161),
    (118, 183, 178),
    (255, 157, 167),
    (156, 117, 95),
    (186, 176, 172),
)
_OPACITY = 0.45
_WIDTH, _HEIGHT = 240, 56  # units of an SVG's own grid


def colour_of(position: int) -> str:
    """Return the colour of the structure at a position from 0 as CSS has it."""
    red, green, blue = PALETTE[position % len(PALETTE)]
    return f"rgb({red},{green},{blue})"


def picture_uri(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """Return a slice with its labels painted on it, as a PNG in a `data:` address.

    Args:
        image: Grey values [h, w].
        labels: 0, or the position of a structure from 1, [h, w].
    """
    shown = np.repeat(image[..., None], 3, axis=2).astype(np.float32)
    palette = np.array(PALETTE, dtype=np.float32)
    inside = labels > 0
    shown[inside] = (1 - _OPACITY) * shown[inside] + _OPACITY * palette[(labels[inside] - 1) % len(palette)]
    encoded, data = cv2.imencode(".png", np.ascontiguousarray(shown[..., ::-1].round().astype(np.uint8)))
    if not encoded:
        raise ValueError(f"a picture [h, w] of uint8, got {image.dtype} of shape {image.shape}")
    return f"data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}"


def histogram_svg(counts: NDArray[np.int64], low: float, high: float, title: str) -> str:
    """Draw a histogram whose bars grow with the root of their counts, so that small ones are seen beside the air.

    Args:
        counts: Of bins of equal width [n].
        low: Where the first bin begins.
        high: Where the last bin ends.
        title: What is counted; shown under the pointer and to screen readers.
    """
    heights = np.sqrt(counts / max(int(counts.max(initial=0)), 1)) * _HEIGHT
    width = _WIDTH / len(counts)
    bars = "".join(
        f'<rect x="{index * width:.1f}" y="{_HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        for index, height in enumerate(heights.tolist())
        if height > 0
    )
    return _figure(title, bars, f"{low:.4g}", f"{high:.4g}")


def strip_svg(values: Sequence[float], title: str) -> str:
    """Draw each value as a stroke on one line, darker where more of them fall together.

    Args:
        values: One or more finite numbers.
        title: What they are; shown under the pointer and to screen readers.
    """
    low, high = min(values), max(values)
    places = [(value - low) / (high - low) if high > low else 0.5 for value in values]
    counts = Counter(f"{place * (_WIDTH - 2):.1f}" for place in places)
    most = max(counts.values())
    strokes = "".join(
        f'<rect x="{place}" y="12" width="2" height="{_HEIGHT - 24}" opacity="{0.35 + 0.65 * count / most:.2f}"/>'
        for place, count in counts.items()
    )
    return _figure(title, strokes, f"{low:.4g}", f"{high:.4g}" if high > low else "the same in all")


def _figure(title: str, marks: str, left: str, right: str) -> str:
    """Return marks on a base line with the values of both ends under it."""
    return (
        f'<figure class="plot"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img">'
        f'<title>{html.escape(title)}</title>{marks}<path d="M0 {_HEIGHT}H{_WIDTH}"/></svg>'
        f"<figcaption><span>{html.escape(left)}</span><span>{html.escape(right)}</span></figcaption></figure>"
    )
