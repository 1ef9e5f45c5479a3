"""Parameter counts: published ones, and sums over the layers that the papers name, made without the networks."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from networks.members import MEMBERS

# 1000 classes for ImageNet, 10 for CIFAR, 2 for a U-Net, 16 landmarks for an hourglass; the dimensions of the paper.
# Published to the unit, but for pre-activation and highway networks and hourglasses, which are the sums below.
REFERENCE = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "preresnet18": 11_687_720,
    "preresnet34": 21_795_880,
    "preresnet50": 25_549_352,
    "preresnet101": 44_541_480,
    "preresnet152": 60_185_128,
    "resnet200": 64_666_152,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "densenet121": 7_978_856,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "cifar_resnet20": 269_722,
    "cifar_resnet56": 853_018,
    "cifar_resnet110": 1_727_962,
    "cifar_plain20": 269_722,
    "cifar_plain56": 853_018,
    "cifar_highway20": 537_658,
    "cifar_highway56": 1_702_906,
    "unet_2015": 31_030_658,
    "unet_plain": 31_190_954,
    "unet_residual": 102_335_914,
    "hourglass_1": 3_586_960,
    "hourglass_2": 6_730_912,
    "hourglass_4": 13_018_816,
    "hourglass_8": 25_594_624,
}
PUBLISHED_MILLIONS = {
    "resnet200": 64.67,
    "hourglass_1": 3.59,
    "hourglass_2": 6.73,
    "hourglass_4": 13.02,
    "hourglass_8": 25.59,
}


class Sum:
    """Parameters of the layers of a paper, in a number of dimensions."""

    def __init__(self, dims: int) -> None:
        self.dims = dims

    def conv(self, kernel: int, incoming: int, outgoing: int, *, groups: int = 1, bias: bool = False) -> int:
        return kernel**self.dims * (incoming // groups) * outgoing + (outgoing if bias else 0)

    @staticmethod
    def norm(channels: int) -> int:
        return 2 * channels

    def conv_norm(self, kernel: int, incoming: int, outgoing: int, groups: int = 1) -> int:
        return self.conv(kernel, incoming, outgoing, groups=groups) + self.norm(outgoing)

    def resnet(self, units: tuple[int, ...], inner: float | None = None, groups: int = 1, pre: bool = False) -> int:
        """Sum table 1 of He et al. 2016: without `inner` two convolutions per unit, with it a bottleneck."""
        total, incoming = self.conv_norm(7, 3, 64), 64
        for stage, count in enumerate(units):
            width = 64 * 2**stage * (1 if inner is None else 4)
            for unit in range(count):
                middle = width if inner is None else int(width * inner)
                if inner is None:
                    total += self.conv_norm(3, incoming, middle) + self.conv(3, middle, width)
                else:
                    total += self.conv_norm(1, incoming, middle) + self.conv_norm(3, middle, middle, groups)
                    total += self.conv(1, middle, width)
                # In pre-activation the third norm is before the unit, but for the first, whose input is the stem's.
                before = 0 if stage == unit == 0 else self.norm(incoming)
                total += before if pre else self.norm(width)
                if incoming != width:
                    total += self.conv(1, incoming, width) + (0 if pre else self.norm(width))
                incoming = width
        return total + (self.norm(incoming) if pre else 0) + incoming * 1000 + 1000

    def densenet(self, layers: tuple[int, ...]) -> int:
        """Sum table 1 of Huang et al. 2017 for growth 32, bottlenecks of 128 channels and compression 0.5."""
        total, channels = self.conv_norm(7, 3, 64), 64
        for block, count in enumerate(layers):
            if block:
                total += self.norm(channels) + self.conv(1, channels, channels // 2)
                channels //= 2
            for _ in range(count):
                total += self.norm(channels) + self.conv_norm(1, channels, 128) + self.conv(3, 128, 32)
                channels += 32
        return total + self.norm(channels) + channels * 1000 + 1000

    def cifar(self, depth: int, *, gates: bool = False) -> int:
        """Sum section 4.2 of He et al. 2016: 6n + 1 convolutions, shortcuts without parameters, 10 classes."""
        total, incoming = self.conv_norm(3, 3, 16), 16
        for width in (16, 32, 64):
            for _ in range((depth - 2) // 3):
                total += self.conv_norm(3, incoming, width)
                total += self.conv(3, incoming, width, bias=True) if gates else 0
                incoming = width
        return total + incoming * 10 + 10

    def unet_2015(self) -> int:
        """Sum figure 1 of Ronneberger et al. 2015: biases and no norms."""

        def conv(kernel: int, incoming: int, outgoing: int) -> int:
            return self.conv(kernel, incoming, outgoing, bias=True)

        widths = (64, 128, 256, 512, 1024)
        total = sum(conv(3, a, b) + conv(3, b, b) for a, b in zip((1, *widths), widths, strict=False))
        total += sum(conv(2, 2 * w, w) + conv(3, 2 * w, w) + conv(3, w, w) for w in widths[:-1])
        return total + conv(1, 64, 2)

    def nnunet(self, *, residual: bool) -> int:
        """Sum nnU-Net's six levels with a head on each level of the decoder."""
        widths = (32, 64, 128, 256, 320, 320)
        units = (1, 3, 4, 6, 6, 6) if residual else (1,) * 6  # two convolutions each
        total, incoming = (self.conv_norm(3, 1, 32), 32) if residual else (0, 1)
        for width, count in zip(widths, units, strict=True):
            total += self.conv_norm(1, incoming, width) if residual and incoming != width else 0
            total += self.conv_norm(3, incoming, width) + (2 * count - 1) * self.conv_norm(3, width, width)
            incoming = width
        for below, width in zip(widths[1:], widths[:-1], strict=True):
            total += self.conv(2, below, width) + self.conv_norm(3, 2 * width, width)
            total += self.conv(1, width, 2, bias=True) + (0 if residual else self.conv_norm(3, width, width))
        return total

    def hourglass(self, stacks: int) -> int:
        """Sum sections 3.1 to 3.3 of Newell et al. 2016: a unit at each of 14 places of a stack of depth 4."""

        def unit(incoming: int, outgoing: int) -> int:
            half = outgoing // 2
            total = self.norm(incoming) + self.conv(1, incoming, half, bias=True) + self.norm(half)
            total += self.conv(3, half, half, bias=True) + self.norm(half) + self.conv(1, half, outgoing, bias=True)
            return total + (self.conv(1, incoming, outgoing, bias=True) if incoming != outgoing else 0)

        stem = self.conv(7, 3, 64, bias=True) + self.norm(64) + unit(64, 128) + unit(128, 256) + unit(256, 256)
        linear = self.conv(1, 256, 256, bias=True)
        stack = 14 * unit(256, 256) + linear + self.norm(256) + self.conv(1, 256, 16, bias=True)
        return stem + stacks * stack + (stacks - 1) * (linear + self.conv(1, 16, 256, bias=True))


STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
SUMS: dict[str, Callable[[Sum], int]] = {
    **{f"resnet{n}": lambda s, n=n: s.resnet(STAGES[n], 0.25 if n > 34 else None) for n in STAGES},
    **{f"preresnet{n}": lambda s, n=n: s.resnet(STAGES[n], 0.25 if n > 34 else None, pre=True) for n in STAGES},
    "resnet200": lambda s: s.resnet((3, 24, 36, 3), 0.25, pre=True),
    "resnext50_32x4d": lambda s: s.resnet(STAGES[50], 0.5, 32),
    "resnext101_32x8d": lambda s: s.resnet(STAGES[101], 1.0, 32),
    "densenet121": lambda s: s.densenet((6, 12, 24, 16)),
    "densenet169": lambda s: s.densenet((6, 12, 32, 32)),
    "densenet201": lambda s: s.densenet((6, 12, 48, 32)),
    **{f"cifar_resnet{n}": lambda s, n=n: s.cifar(n) for n in (20, 56, 110)},
    **{f"cifar_plain{n}": lambda s, n=n: s.cifar(n) for n in (20, 56)},
    **{f"cifar_highway{n}": lambda s, n=n: s.cifar(n, gates=True) for n in (20, 56)},
    "unet_2015": Sum.unet_2015,
    "unet_plain": lambda s: s.nnunet(residual=False),
    "unet_residual": lambda s: s.nnunet(residual=True),
    **{f"hourglass_{n}": lambda s, n=n: s.hourglass(n) for n in (1, 2, 4, 8)},
}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_no_member_lacks_a_reference_count():
    assert set(MEMBERS) - set(REFERENCE) == set()
    assert set(SUMS) == set(REFERENCE)


@pytest.mark.parametrize("name", REFERENCE)
def test_a_member_has_as_many_parameters_as_the_table_says(name):
    with torch.device("meta"):
        assert parameters(MEMBERS[name].make()) == REFERENCE[name]


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_has_as_many_parameters_as_the_layers_of_its_paper(name, spatial_dims):
    with torch.device("meta"):
        assert parameters(MEMBERS[name].make(spatial_dims=spatial_dims)) == SUMS[name](Sum(spatial_dims))


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_counts_that_are_published_in_millions(name):
    assert round(REFERENCE[name] / 1e6, 2) == PUBLISHED_MILLIONS[name]
