"""From heatmaps to joints in cells, batched on the device: five ways to refine the largest cell."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Method = Literal["argmax", "quarter", "dark", "udp", "soft_argmax"]

REACH = 1.0  # cells that a refinement may move along an axis, so that noise cannot throw a joint away
_FLOOR = 1e-4  # part of the maximum below which the logarithm of a cell is not trusted
_TEMPERATURE = 0.1  # of the softmax, as a part of the maximum; the weights of a Gaussian are then sqrt(0.1) as wide


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
    - `soft_argmax`: the mean place under a softmax over the cells within three sigma of the largest, at a temperature
      of a tenth of the maximum, so that it does not depend on the map's scale (after Luvizon et al. 2019).

    At the map's border the last two see the cells beyond it as the rest of the Gaussian that the largest cell and
    its neighbours show. A border of zeros, or one left out of the means, would push joints inwards.

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
        window = _completed_window(maps, y, x, score, sigma, math.ceil(3 * sigma) + 1)
        relative = window / _positive(score)[..., None, None]
        step = _soft_step(relative) if method == "soft_argmax" else _newton_step(relative, sigma)
    return cells + torch.where((score > 0)[..., None], step, 0.0).clamp(-REACH, REACH), score


def _positive(score: Tensor) -> Tensor:
    """Return the maxima where they can be divided by, 1 elsewhere."""
    return torch.where(score > torch.finfo(score.dtype).tiny, score, 1.0)


def _at(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the values [B, K, ...] of maps at cells [B, K, ...]."""
    index = (y * maps.shape[3] + x).flatten(2) if y.ndim > 2 else (y * maps.shape[3] + x).unsqueeze(-1)
    return maps.flatten(2).gather(-1, index).view(y.shape)


def _along(maps: Tensor, y: Tensor, x: Tensor, axis: int, place: Tensor) -> Tensor:
    """Return the values [B, K] where one coordinate of the cells is replaced."""
    return _at(maps, y, place) if axis == 3 else _at(maps, place, x)


def _quarter(maps: Tensor, y: Tensor, x: Tensor, axis: int) -> Tensor:
    here, last = (x if axis == 3 else y), maps.shape[axis] - 1
    before = _along(maps, y, x, axis, (here - 1).clamp(min=0))
    after = _along(maps, y, x, axis, (here + 1).clamp(max=last))
    return torch.where((here > 0) & (here < last), 0.25 * (after - before).sign(), 0.0)


def _completed_window(maps: Tensor, y: Tensor, x: Tensor, score: Tensor, sigma: float, radius: int) -> Tensor:
    """Return the cells around the largest [B, K, 2r + 1, 2r + 1], those beyond the border as a Gaussian has them."""
    offset = torch.arange(-radius, radius + 1, device=maps.device)
    places, inside, bells = [], [], []
    for axis, here in ((2, y), (3, x)):
        last = maps.shape[axis] - 1
        place = here[..., None] + offset
        places.append(place.clamp(0, last))
        inside.append((place >= 0) & (place <= last))
        centre = _rough_step(maps, y, x, axis, score, sigma)[..., None]
        # One at the largest cell, so that the product with its value is the Gaussian.
        bells.append(((centre.square() - (offset - centre).square()) / (2 * sigma**2)).exp())
    index = (places[0][..., :, None] * maps.shape[3] + places[1][..., None, :]).flatten(2)
    window = maps.flatten(2).gather(-1, index).view(*index.shape[:2], len(offset), len(offset))
    known = inside[0][..., :, None] & inside[1][..., None, :]
    return torch.where(known, window, score[..., None, None] * bells[0][..., :, None] * bells[1][..., None, :])


def _rough_step(maps: Tensor, y: Tensor, x: Tensor, axis: int, score: Tensor, sigma: float) -> Tensor:
    """Return how far from the largest cell a Gaussian of known width lies along an axis [B, K], from two cells."""
    here, last = (x if axis == 3 else y), maps.shape[axis] - 1
    after = (here + 1).clamp(min=min(2, last), max=last)
    before = (after - 2).clamp(min=0)
    floor = _FLOOR * _positive(score)
    slope = [_along(maps, y, x, axis, place).clamp(min=floor).log() for place in (before, after)]
    # The logarithm of a Gaussian is a parabola: its slope between two cells is that in their middle.
    step = (after + before) / 2 - here + sigma**2 * (slope[1] - slope[0]) / (after - before).clamp(min=1)
    return step.clamp(-REACH, REACH)


def _newton_step(window: Tensor, sigma: float) -> Tensor:
    """Return the step [B, K, 2] in x and y to the maximum of the modulated window's logarithm."""
    size = window.shape[-1]
    grid = torch.arange(size, device=window.device, dtype=window.dtype) - size // 2
    centres = torch.arange(-1, 2, device=window.device, dtype=window.dtype)
    distance = (grid - centres[:, None]).abs()
    # Each of the three cells has as many neighbours to either side, or the modulation itself would be a slope.
    kernel = torch.where(distance < size // 2, (-distance.square() / (2 * sigma**2)).exp(), 0.0)
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
    peaked = (determinant > 1e-6) & (dxx < 0)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1)
    return torch.where(peaked[..., None], step / torch.where(peaked, determinant, 1.0)[..., None], 0.0)


def _soft_step(window: Tensor) -> Tensor:
    """Return the mean place [B, K, 2] in x and y under a softmax over the window."""
    size = window.shape[-1]
    weight = (window / _TEMPERATURE).flatten(2).softmax(-1).view(window.shape)
    offset = torch.arange(size, device=window.device, dtype=window.dtype) - size // 2
    return torch.stack([(weight.sum(-2) * offset).sum(-1), (weight.sum(-1) * offset).sum(-1)], -1)
