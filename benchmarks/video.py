"""Joints on a video: `pipeline pose` beside a plain loop, and beside what decoding and the network take alone.

    python benchmarks/video.py [--model FOLDER] [--video FILE] [--repeats 3] [--device auto]

Without a model an untrained hourglass of 2 stacks of 128 features with 14 joints is made, for 128 x 128 pixels in
bf16. All sides use the same weights, precision and all cores, and no flip test; imports and loading are not counted.
Printed are frames per second, the best of the repeats, which alternate:

- decode alone: the video to RGB frames in order;
- network alone: normalise, network and decoding of heatmaps on ready batches, one call after the other;
- the same on as many batches at once as `pipeline pose` computes;
- end to end: what `pipeline pose` does from the file to all tables;
- plain loop: OpenCV reads, the network and the decoding take one frame at a time, rows go to a list;
- overlay: the video decoded, drawn on and encoded, which `--overlay` adds after the tables.

End to end is compared with decoding or the network alone, whichever is slower: with batches one after the other, and
with several at once, which is faster and so the stricter measure. The stricter one is judged.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.logs import quiet_environment

quiet_environment()  # before torch is imported: its threads read it

import cv2  # noqa: E402
import torch  # noqa: E402

from datamodules.cropping import PosePreprocessing, whole_image  # noqa: E402
from datamodules.formats.frames import open_frames  # noqa: E402
from datamodules.heatmaps import HeatmapCodec  # noqa: E402
from datamodules.keypoints import Skeleton  # noqa: E402
from networks import Hourglass  # noqa: E402
from pipeline.inference.devices import pick_device  # noqa: E402
from pipeline.inference.pose_inputs import VideoInput  # noqa: E402
from pipeline.inference.pose_outputs import STEM, write_overlay  # noqa: E402
from pipeline.inference.pose_predictor import PosePredictor, PoseSettings  # noqa: E402
from pipeline.inference.pose_run import PoseRun  # noqa: E402
from pipeline.inference.pose_video import PoseOptions  # noqa: E402
from pipeline.inference.video_stages import staged, workers_for  # noqa: E402
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder  # noqa: E402

VIDEO = Path(__file__).parents[2] / "shared" / "data" / "videos" / "person_dancing.mp4"
SHARE, FACTOR = 0.9, 2.0  # the limits: of the slower part alone, and of the plain loop


def make_model(folder: Path) -> Path:
    """Write a model folder with untrained weights."""
    torch.manual_seed(0)
    description = ModelDescription(
        task="pose",
        network={},
        preprocessing=PosePreprocessing((128, 128), "image").to_dict(),
        labels=Skeleton(tuple(f"joint{number}" for number in range(14))).to_dict(),
        patch_size=[128, 128],
        inference={"codec": HeatmapCodec().to_dict(), "flip_test": False, "precision": "bf16-mixed"},
        versions={},
        data_digest="",
        metrics={},
        training_range={},
    )
    save_model_folder(folder, Hourglass(3, 14, stacks=2, features=128), description)
    return folder


class Sides:
    """What is measured; each method returns the number of frames that it worked through.

    Args:
        model: A model folder.
        video: A video.
        device: As on the command line.
    """

    def __init__(self, model: Path, video: Path, device: str) -> None:
        self.video, self.device = video, pick_device(device)
        self.predictor = PosePredictor(load_model_folder(model), self.device, PoseSettings(flip_test=False))
        plain = load_model_folder(model)  # its own weights, in the usual layout
        self.plain_network = plain.network.to(self.device).eval()
        width, height = self.predictor.preprocessing.input_size
        self.crops = torch.randint(0, 255, (self.predictor.batch_size, height, width, 3), dtype=torch.uint8)
        self.affine = torch.eye(2, 3, dtype=torch.float64).expand(len(self.crops), 2, 3)
        self.frames = self.decode()
        self._folder = tempfile.TemporaryDirectory()  # removes itself
        self._table: Path | None = None

    def decode(self) -> int:
        """Decode the video."""
        with open_frames(self.video) as source:
            return sum(frame.image is not None for frame in source)

    def network(self) -> int:
        """Compute as many batches as the video fills, one after the other."""
        batches = max(1, self.frames // len(self.crops))
        for _ in range(batches):
            self.predictor.predict(self.crops, self.affine)
        return batches * len(self.crops)

    def networks(self) -> int:
        """Compute as many batches, several at once."""
        batches = max(1, self.frames // len(self.crops))
        workers = workers_for(self.device)
        for _ in staged(
            range(batches), lambda _: self.crops, lambda c: self.predictor.predict(c, self.affine), id, workers
        ):
            pass
        return batches * len(self.crops)

    def end_to_end(self) -> int:
        """Do as `pipeline pose` does."""
        with tempfile.TemporaryDirectory() as folder:
            self._run(Path(folder))
        return self.frames

    def _run(self, folder: Path) -> Path:
        """Write all tables into a folder, and return the one in Parquet."""
        report = PoseRun(self.predictor, folder, PoseOptions()).run([VideoInput("video", self.video)])
        if report.exit_code:
            raise RuntimeError(f"pipeline pose failed: {report.cases}")
        return folder / "video" / f"{STEM}.parquet"

    def overlay(self) -> int:
        """Write the video with the joints drawn in; their table is made once."""
        if self._table is None:
            self._table = self._run(Path(self._folder.name))
        path = self._table.with_name(f"{STEM}_overlay.mp4")
        write_overlay(path, self.video, self._table, self.predictor.skeleton, lambda _: None)
        return self.frames

    def plain(self) -> int:
        """Read, compute and decode frame by frame."""
        predictor, rows = self.predictor, list[tuple[object, object]]()
        video = cv2.VideoCapture(str(self.video))
        while True:
            there, frame = video.read()
            if not there:
                return len(rows)
            image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            crop, to_original = predictor.cut(image, whole_image(image.shape[1], image.shape[0]))
            pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].contiguous().to(self.device)
            precision = predictor.autocast
            with torch.inference_mode(), torch.autocast(self.device.type, precision, enabled=precision is not None):
                answer = self.plain_network(predictor.preprocessing.normalise(pixels))
                maps = (answer[-1] if isinstance(answer, list) else answer).float()
                found = predictor.codec.decode(maps, predictor.preprocessing.input_size)
            points = found.points[0].double().cpu().numpy() @ to_original[:, :2].T + to_original[:, 2]
            rows.append((points, found.score[0].cpu().numpy()))


def best_rates(sides: dict[str, Callable[[], int]], repeats: int) -> dict[str, float]:
    """Return the best frames per second of each side; repeats alternate, so that a busy machine hits all alike."""
    rates = dict.fromkeys(sides, 0.0)
    for repeat in range(repeats + 1):  # the first warms up
        for name, side in sides.items():
            begun = time.perf_counter()
            frames = side()
            rate = frames / (time.perf_counter() - begun)
            rates[name] = max(rates[name], rate if repeat else 0.0)
    return rates


DECODE, ONE, END, PLAIN, OVERLAY = "decode alone", "network alone", "end to end", "plain loop", "overlay"


def verdict(rates: dict[str, float], several: str) -> list[str]:
    """Return what the rates come to, line by line.

    Args:
        rates: Frames per second by name.
        several: The name of the network with several batches at once.
    """
    best = max(rates[ONE], rates[several])
    ratios = {
        f"{END} / slower of decode, network one by one": rates[END] / min(rates[DECODE], rates[ONE]),
        f"{END} / slower of decode, network at its best": rates[END] / min(rates[DECODE], best),
    }
    lines = [f"{name:52}{ratio:10.2f}" for name, ratio in ratios.items()]
    judged = {
        f"judged: the stricter of the two, limit {SHARE}": (min(ratios.values()), SHARE),
        f"judged: {END} / {PLAIN}, limit {FACTOR}": (rates[END] / rates[PLAIN], FACTOR),
    }
    for name, (ratio, limit) in judged.items():
        lines.append(f"{name:52}{ratio:10.2f}  {'met' if ratio >= limit else 'NOT MET'}")
    return lines


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model folder (default: an untrained hourglass)")
    parser.add_argument("--video", type=Path, default=VIDEO, help="(default: the shared data's person_dancing.mp4)")
    parser.add_argument("--repeats", type=int, default=3, help="(default: 3)")
    parser.add_argument("--device", default="auto", help="(default: auto)")
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        model = given.model or make_model(Path(name) / "model")
        sides = Sides(model, given.video, given.device)
        several = f"{ONE}, {workers_for(sides.device)} at once"
        names = {
            DECODE: sides.decode,
            ONE: sides.network,
            several: sides.networks,
            END: sides.end_to_end,
            PLAIN: sides.plain,
            OVERLAY: sides.overlay,
        }
        rates = best_rates(names, given.repeats)
    print(f"{given.video.name}: {sides.frames} frames, {sides.predictor.precision} on {sides.device}")
    for title, rate in rates.items():
        print(f"{title:52}{rate:10.1f} frames/s")
    print("\n".join(verdict(rates, several)))


if __name__ == "__main__":
    main()
