"""What drawing the heatmap targets costs as a share of a training step.

    python benchmarks/pose_targets.py [--steps 10] [--device cpu]

A step is forward, loss, backward and update of a stacked hourglass on a batch in memory, in bf16 with channels-last;
the targets are drawn from the keypoints within it, once for both stacks. They are then drawn alone. The decoding of
the last stack's maps is printed beside them: it is no part of a step, and is paid at every evaluation. The share is
what counts; 5 % is the limit that the design sets.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from datamodules.heatmaps import HeatmapCodec
from networks import Hourglass
from networks.hourglass import STEP
from pipeline.pose_losses import HeatmapLoss

LIMIT = 0.05
WARM_UP = 2  # calls that allocate memory and choose kernels
JOINTS = 14


@dataclass(frozen=True)
class Setting:
    """A network's features, the length of its input in pixels, and the images of a batch."""

    features: int
    length: int
    batch: int


SETTINGS = (Setting(128, 128, 8), Setting(256, 256, 1))


def seconds(work: Callable[[], object], calls: int, device: torch.device) -> float:
    """Return the median seconds of a call."""
    taken = []
    for _ in range(calls + WARM_UP):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[WARM_UP:])


def measure(setting: Setting, steps: int, device: torch.device) -> tuple[float, float, float]:
    """Return the median seconds of a training step, of drawing its targets, and of decoding as many maps."""
    size, cells = (setting.length, setting.length), (setting.length // STEP, setting.length // STEP)
    network = Hourglass(3, JOINTS, stacks=2, features=setting.features).to(device)
    optimizer, codec = torch.optim.AdamW(network.parameters()), HeatmapCodec()
    loss = HeatmapLoss(positive_weight=1.0, hard_joints=JOINTS // 2, sigma=codec.sigma)
    image = torch.randn(setting.batch, 3, setting.length, setting.length, device=device)
    keypoints = setting.length * torch.rand(setting.batch, JOINTS, 2, device=device)
    visibility = torch.full((setting.batch, JOINTS), 2, dtype=torch.uint8, device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            value = loss(network(image), lambda of: codec.encode(keypoints, visibility, size, of))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    step_s = seconds(step, steps, device)
    encode_s = seconds(lambda: codec.encode(keypoints, visibility, size, cells), 10 * steps, device)
    maps = codec.encode(keypoints, visibility, size, cells).maps
    return step_s, encode_s, seconds(lambda: codec.decode(maps, size), 10 * steps, device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="steps that are measured (default: 10)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    given = parser.parse_args()
    device = torch.device(given.device)
    print(f"{'features, input, batch':26} {'step':>10} {'targets':>10} {'share':>9} {'limit':>9} {'decoding':>11}")
    for setting in SETTINGS:
        step_s, encode_s, decode_s = measure(setting, given.steps, device)
        name = f"{setting.features}, {setting.length} x {setting.length}, {setting.batch}"
        print(
            f"{name:26} {1000 * step_s:7.1f} ms {1000 * encode_s:7.3f} ms {100 * encode_s / step_s:7.3f} % "
            f"{100 * LIMIT:7.1f} % {1000 * decode_s:8.3f} ms"
        )


if __name__ == "__main__":
    main()
