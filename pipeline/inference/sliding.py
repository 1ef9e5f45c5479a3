"""A network over a whole volume, tile by tile."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from pipeline.inference.tiles import Tile, TileGrid

Network = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]


def sliding_window(
    network: Network,
    image: Tensor,
    tile: Sequence[int],
    *,
    overlap: float = 0.5,
    tile_batch: int = 2,
    mirror_axes: Sequence[int] = (),
    device: torch.device | str = "cpu",
    autocast: torch.dtype | None = None,
    margin: Sequence[int] = (),
    progress: Progress | None = None,
) -> Tensor:
    """Return the blended logits [K, X, Y, Z] of an image [C, X, Y, Z], float32 on the CPU.

    A tile of two axes is for a 2-D network: every slice along Z is tiled by itself. Volumes smaller than
    the tile are padded with zeros and the result is cropped. The caller puts the network into eval mode.

    Args:
        network: Maps [B, C, *tile] to logits [B, K, *tile], or for an unpadded network to smaller ones.
        image: The prepared image.
        tile: Voxels that the network sees at once, three axes or two.
        overlap: Share of a tile common with its neighbour, in [0, 1).
        tile_batch: Tiles per call of the network.
        mirror_axes: Spatial axes along which mirrored copies are averaged, in every combination.
        device: Where the network is.
        autocast: The type that autocast computes in, or None for the network's own.
        margin: Voxels that the network's output lacks on each side, for unpadded convolutions.
        progress: Called with the finished and all tiles after every call of the network.

    Raises:
        ValueError: If the network's output has not the size of a tile less its margin.
    """
    device = torch.device(device)
    rim = (*margin, *(0,) * (3 - len(margin)))
    outer = (*tile, *(1,) * (3 - len(tile)))
    inner = tuple(length - 2 * side for length, side in zip(outer, rim, strict=True))
    shape = tuple(max(size, length) for size, length in zip(image.shape[1:], inner, strict=True))
    before = tuple((wide - size) // 2 for wide, size in zip(shape, image.shape[1:], strict=True))
    source = _pad(image, shape, before, rim)
    grid = TileGrid(shape, inner, overlap)
    buffer: Tensor | None = None
    done = 0
    with torch.inference_mode(), _autocast(device, autocast):
        for tiles in _batches(grid, tile_batch):
            batch = torch.stack([source[_widened(part, rim)] for part in tiles]).to(device)
            logits = _mirrored(network, batch, mirror_axes, flat=len(tile) == 2)
            if logits.shape[2:] != torch.Size(inner):
                raise ValueError(f"{tuple(logits.shape[2:])} logits for tiles of {outer}, margin {rim}")
            buffer = _allocate((logits.shape[1], *shape), device) if buffer is None else buffer
            _blend(buffer, tiles, logits)
            done += len(tiles)
            if progress is not None:
                progress(done, len(grid))
    assert buffer is not None  # a grid has one tile at least
    crop = tuple(slice(low, low + size) for low, size in zip(before, image.shape[1:], strict=True))
    return buffer[(slice(None), *crop)].contiguous().cpu()


def output_margin(
    network: Network, channels: int, tile: Sequence[int], device: torch.device | str = "cpu"
) -> tuple[int, ...]:
    """Return the voxels that the network's output lacks on each side of a tile, found by one run on zeros.

    Raises:
        ValueError: If the output is larger than the tile or cannot lie in its middle.
    """
    with torch.inference_mode():
        output = network(torch.zeros(1, channels, *tile, device=device))
    lacking = [length - found for length, found in zip(tile, output.shape[2:], strict=True)]
    if any(lack < 0 or lack % 2 for lack in lacking):
        raise ValueError(f"an output of {tuple(output.shape[2:])} has no middle place in a tile of {tuple(tile)}")
    return tuple(lack // 2 for lack in lacking)


def _batches(grid: Iterable[Tile], size: int) -> Iterator[list[Tile]]:
    """Yield the tiles in lists of at most `size`."""
    tiles = iter(grid)
    while batch := list(itertools.islice(tiles, size)):
        yield batch


def _autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Return one autocast region for all tiles, since the cast weights are kept only while it is open."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def _pad(image: Tensor, shape: Sequence[int], before: Sequence[int], rim: Sequence[int]) -> Tensor:
    """Pad an image [C, X, Y, Z] with zeros to `shape`, then with a mirrored rim (Ronneberger et al. 2015)."""
    if tuple(image.shape[1:]) != tuple(shape):
        padded = image.new_zeros((image.shape[0], *shape))
        place = tuple(slice(low, low + size) for low, size in zip(before, image.shape[1:], strict=True))
        padded[(slice(None), *place)] = image
        image = padded
    for axis, side in enumerate(rim):
        if side:
            index = np.pad(np.arange(shape[axis]), side, mode="reflect")
            image = image.index_select(axis + 1, torch.from_numpy(index).to(image.device))
    return image


def _widened(tile: Tile, rim: Sequence[int]) -> tuple[slice, ...]:
    """Return the index of a tile with its rim in the padded image, which begins a rim before the volume."""
    places = (slice(place.start, place.stop + 2 * side) for place, side in zip(tile.slices, rim, strict=True))
    return (slice(None), *places)


def _mirrored(network: Network, batch: Tensor, axes: Sequence[int], *, flat: bool) -> Tensor:
    """Return float32 logits [B, K, *tile] averaged over all mirrored copies of a batch [B, C, *tile]."""
    batch = batch.squeeze(-1) if flat else batch
    flips = [[axis + 2 for axis in flip] for n in range(len(axes) + 1) for flip in itertools.combinations(axes, n)]
    total = torch.zeros((), device=batch.device)
    for flip in flips:
        # Not in place: the network may have handed out its input or a buffer of its own.
        total = total + (network(batch.flip(flip)).flip(flip) if flip else network(batch)).float()
    mean = total / len(flips) if len(flips) > 1 else total
    return mean.unsqueeze(-1) if flat else mean


def _allocate(shape: Sequence[int], device: torch.device) -> Tensor:
    """Return zeros on the device if twice their size is free there, else on the CPU."""
    if device.type == "cuda" and 2 * 4 * int(np.prod(shape)) > torch.cuda.mem_get_info(device)[0]:
        device = torch.device("cpu")
    # A tensor born in inference mode could not be changed in place by the caller.
    with torch.inference_mode(False):
        return torch.zeros(tuple(shape), dtype=torch.float32, device=device)


def _blend(buffer: Tensor, tiles: Sequence[Tile], logits: Tensor) -> None:
    """Add the weighted logits [B, K, *tile] to the buffer [K, X, Y, Z]."""
    for tile, scores in zip(tiles, logits.to(buffer.device), strict=True):
        x, y, z = (torch.from_numpy(weights).to(buffer.device) for weights in tile.weights)
        weights = x[:, None, None] * y[:, None] * z
        buffer[(slice(None), *tile.slices)].addcmul_(scores, weights)
