"""Convolutions whose gradients are right on a CPU, also for features smaller than the kernel."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.sizes import crop_end


class _RightGradients(nn.Module):
    """Widen what is not longer than the kernel by zeros, and cut the answer, before a gradient is computed on a CPU.

    With PyTorch 2.13 the gradient of a convolution's weights holds arbitrary numbers, and memory beside it is written
    over, for some inputs of which an axis is not longer than the kernel: in bf16 a kernel of 3 on a depth of 2, or
    with a step of 2 on a width of 1; in float32 a kernel of 7 with a step of 2 on 5 to 7 voxels. Of 700 random shapes
    in bf16, 56 were wrong, all of this class.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """Convolve [B, C, *S]."""
        size, kernel = input.shape[2:], self.kernel_size
        if input.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(input)  # type: ignore[no-any-return]
        sides = zip(size, kernel, cast("tuple[int, ...]", self.padding), self.stride, strict=True)
        lengths = [(length + 2 * pad - taps) // step + 1 for length, taps, pad, step in sides]
        missing = [max(0, taps + 1 - length) if taps > 1 else 0 for length, taps in zip(size, kernel, strict=True)]
        if not any(missing) or min(lengths) < 1:  # torch says what is wrong with the latter
            return super().forward(input)  # type: ignore[no-any-return]
        # What lies outside counts as zero anyway, so that nothing changes within the cut.
        wider: Tensor = super().forward(F.pad(input, [side for amount in reversed(missing) for side in (0, amount)]))
        return crop_end(wider, lengths)


class Conv2d(_RightGradients, nn.Conv2d):
    """Convolution of images [B, C, X, Y]."""


class Conv3d(_RightGradients, nn.Conv3d):
    """Convolution of volumes [B, C, X, Y, Z]."""
