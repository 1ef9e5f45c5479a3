"""From heatmaps to joints in cells, batched on the device: five ways to refine the largest cell."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Method = Literal["argmax", "quarter", "dark", "udp", "soft_argmax"]

REACH = 1.0  # cells that a refinement may move along an axis, so that noise cannot throw a joint away
_FLOOR = 1e-4  # part of the maximum below which the logarithm of a cell is not taken
_LEAST = 1e-9  # what a sum of weights is divided by at least


def decode_cells(heatmaps: Tensor, method: Method, sigma: float) -> tuple[Tensor, Tensor]:
    """Return where the joints are, in cells, and the maximum of their maps.

    All is computed in float32 on the maps' device, without a loop over maps and without waiting for the device.
    Of equal maxima the first in the order of rows counts. A map without a positive maximum is not refined.

    - `argmax`: the largest cell.
    - `quarter`: a quarter of a cell towards the larger neighbour, none where a neighbour is missing or both are equal
      (Newell et al. 2016, section 3.3; Xiao et al. 2018, Simple Baselines).
    - `dark` and `udp`: the map is modulated by a Gaussian as wide as that of the targets, then one Newton step is
      taken on its logarithm (Zhang et al. 2020, Distribution-Aware Coordinate Representation, section 3.2; Huang et
      al. 2020, The Devil is in the Details). The two differ in where the cells lie on the image alone.
    - `soft_argmax`: the mean place under a softmax over the cells within three sigma of the largest, less the weight of
      an empty cell. The temperature is a part of the maximum, so that the map's scale does not matter: a tenth, more
      where sigma is below two cells, as the weights would fall between the cells (after Luvizon et al. 2019).

    At the map's border the last three see the cells beyond it as the rest of the Gaussian that the cells before it
    show. A border of zeros, or one left out of the means, would push joints inwards.

    Args:
        heatmaps: [B, K, h, w].
        method: One of the above.
        sigma: Width of the targets' Gaussian in cells.

    Returns:
        x and y in cells [B, K, 2], the first cell's centre at 0, and the maxima [B, K].
    """
    maps = heatmaps.detach().float()
    score, place = maps.flatten(2).max(-1)
    y, x = place // maps.shape[3], place % maps.shape[3]
    cells = torch.stack([x, y], -1).float()
    if method == "argmax":
        return cells, score
    if method == "quarter":
        step = torch.stack([_quarter(maps, y, x, axis) for axis in (3, 2)], -1)
    else:
        window = _window(maps, y, x, score, sigma)
        step = (_soft_step if method == "soft_argmax" else _newton_step)(window, sigma)
    return cells + torch.where((score > 0)[..., None], step, 0.0).clamp(-REACH, REACH), score


def _quarter(maps: Tensor, y: Tensor, x: Tensor, axis: int) -> Tensor:
    here, last = (x if axis == 3 else y), maps.shape[axis] - 1
    sides = []
    for place in ((here - 1).clamp(min=0), (here + 1).clamp(max=last)):
        index = y * maps.shape[3] + place if axis == 3 else place * maps.shape[3] + x
        sides.append(maps.flatten(2).gather(-1, index[..., None]).squeeze(-1))
    return torch.where((here > 0) & (here < last), 0.25 * (sides[1] - sides[0]).sign(), 0.0)


def _offsets(sigma: float, device: torch.device) -> Tensor:
    """Return the cells of a window along an axis, relative to its middle: three sigma, and one to differentiate."""
    radius = math.ceil(3 * sigma) + 1
    return torch.arange(-radius, radius + 1, device=device)


def _window(maps: Tensor, y: Tensor, x: Tensor, score: Tensor, sigma: float) -> Tensor:
    """Return the cells around the largest as parts of it [B, K, n, n], those beyond the border as a Gaussian's."""
    offset = _offsets(sigma, maps.device)
    rows, columns = y[..., None] + offset, x[..., None] + offset
    inside_y, inside_x = (rows >= 0) & (rows < maps.shape[2]), (columns >= 0) & (columns < maps.shape[3])
    rows, columns = rows.clamp(0, maps.shape[2] - 1), columns.clamp(0, maps.shape[3] - 1)
    index = rows[..., :, None] * maps.shape[3] + columns[..., None, :]
    window = maps.flatten(2).gather(-1, index.flatten(2)).view(index.shape)
    # A map without a positive maximum is not refined: here it only must not divide by zero.
    window = window / torch.where(score > torch.finfo(score.dtype).tiny, score, 1.0)[..., None, None]
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    return torch.where(inside, window, _gaussian(window, inside, offset, sigma))


def _gaussian(window: Tensor, inside: Tensor, offset: Tensor, sigma: float) -> Tensor:
    """Return the Gaussian [B, K, n, n] of known width that fits the cells inside best; 1 in the middle cell.

    With the parabola of its width added, a Gaussian's logarithm is a plane, whose slope tells the centre. A cell
    weighs by its third power, as noise moves the logarithm of a small one most. Such weights have no covariance over
    a rectangle, so that each axis has a regression of its own.

    Source: after Guo 2011, A Simple Algorithm for Fitting a Gaussian Function, who weighs by the square.
    """
    parabola = offset.square() / (2 * sigma**2)
    weight = torch.where(inside, window.clamp(min=0.0) ** 3, 0.0)
    plane = window.clamp(min=_FLOOR).log() + parabola[:, None] + parabola
    bells = []
    for place in (offset[:, None], offset):
        total = weight.sum((2, 3), keepdim=True).clamp(min=_LEAST)
        aside = place - (weight * place).sum((2, 3), keepdim=True) / total
        spread = (weight * aside.square()).sum((2, 3)).clamp(min=_LEAST)
        slope = (weight * aside * plane).sum((2, 3)) / spread
        centre = (sigma**2 * slope).clamp(-REACH, REACH)[..., None]
        bells.append(((centre.square() - (offset - centre).square()) / (2 * sigma**2)).exp())
    return bells[0][..., :, None] * bells[1][..., None, :]


def _newton_step(window: Tensor, sigma: float) -> Tensor:
    """Return the step [B, K, 2] in x and y to the maximum of the modulated window's logarithm."""
    middle = torch.arange(-1, 2, device=window.device)
    distance = (_offsets(sigma, window.device) - middle[:, None]).abs()
    # Each of the three cells has as many neighbours to either side, or the modulation itself would be a slope.
    kernel = torch.where(distance < window.shape[-1] // 2, (-distance.square() / (2 * sigma**2)).exp(), 0.0)
    kernel = (kernel / kernel.sum(1, keepdim=True)).unsqueeze(1)
    # Products and sums, as matrix products would be in half precision under autocast.
    along_x = (window.unsqueeze(-3) * kernel).sum(-1)
    modulated = (along_x.unsqueeze(-3) * kernel).sum(-1)
    f = modulated.clamp(min=_FLOOR).log()
    dx, dy = (f[..., 1, 2] - f[..., 1, 0]) / 2, (f[..., 2, 1] - f[..., 0, 1]) / 2
    dxx = f[..., 1, 2] - 2 * f[..., 1, 1] + f[..., 1, 0]
    dyy = f[..., 2, 1] - 2 * f[..., 1, 1] + f[..., 0, 1]
    dxy = (f[..., 2, 2] - f[..., 2, 0] - f[..., 0, 2] + f[..., 0, 0]) / 4
    determinant = dxx * dyy - dxy.square()
    # A plateau has no maximum: a tenth of the curvature of a target is asked for.
    peaked = (determinant > (0.1 / (2 * sigma**2)) ** 2) & (dxx < 0)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1)
    return torch.where(peaked[..., None], step / torch.where(peaked, determinant, 1.0)[..., None], 0.0)


def _soft_step(window: Tensor, sigma: float) -> Tensor:
    """Return the mean place [B, K, 2] in x and y under a softmax over the window."""
    # The weights are about sigma times the temperature's root wide, and 0.6 cells at least.
    temperature = max(0.1, 0.4 / sigma**2)
    weight = (window.clamp(min=0.0) / temperature).expm1()
    offset = _offsets(sigma, window.device)
    total = weight.sum((2, 3)).clamp(min=_LEAST)
    return torch.stack([(weight.sum(axis) * offset).sum(-1) / total for axis in (2, 3)], -1)
