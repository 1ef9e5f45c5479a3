"""Folder prediction beside a plain loop over MONAI's sliding window.

    python benchmarks/prediction.py [--cases 8]

Both run the same network with the same tiles, overlap, Gaussian weights and precision over the same files, each in a
process of its own: ours as `pipeline predict` does; the peer reading with nibabel, resampling with SciPy, predicting
with `monai.inferers.SlidingWindowInferer` and writing with nibabel, one case after the other. Printed are volumes per
second and the peak of resident memory, and their ratios.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TILE, OVERLAP = (64, 64, 64), 0.5


def ours(model: Path, images: Path, output: Path) -> int:
    """Predict as the command does and return the number of volumes."""
    from pipeline.commands.predict import predict

    logging.basicConfig(level=logging.WARNING)
    if predict(str(model), images, output, device="cpu", overlap=OVERLAP, precision="bf16"):
        raise RuntimeError("prediction failed")
    return len(list(output.glob("*.nii.gz")))


def peer(model: Path, images: Path, output: Path) -> int:
    """Predict one case after the other with MONAI and return the number of volumes."""
    import nibabel as nib
    import numpy as np
    import torch
    from monai.inferers import SlidingWindowInferer
    from scipy import ndimage

    from pipeline.model_folder import load_model_folder

    loaded = load_model_folder(model)
    window = loaded.description.preprocessing["channels"][0]
    target = loaded.description.preprocessing["spacing_mm"]
    network, inferer = loaded.network.eval(), SlidingWindowInferer(TILE, 2, OVERLAP, mode="gaussian")
    output.mkdir()
    for path in sorted(images.glob("*.nii.gz")):
        file = nib.as_closest_canonical(nib.load(path))
        array = file.get_fdata(dtype=np.float32)
        spacing = nib.affines.voxel_sizes(file.affine)
        image = (np.clip(array, window["lower"], window["upper"]) - window["mean"]) / window["std"]
        image = ndimage.zoom(image, spacing / np.array(target), order=3, mode="nearest", grid_mode=True)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = inferer(torch.from_numpy(image[None, None].astype(np.float32)), network)
        whole = torch.nn.functional.interpolate(logits.float(), size=array.shape, mode="trilinear")
        labels = whole[0].argmax(0).numpy().astype(np.uint8)
        nib.save(nib.Nifti1Image(labels, file.affine), output / path.name)
    return len(list(output.glob("*.nii.gz")))


def measure(which: str, model: Path, images: Path, output: Path) -> dict[str, float]:
    """Run one side in a process of its own; the imports are not counted."""
    command = [sys.executable, __file__, "--run", which, str(model), str(images), str(output)]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))


def run(which: str, model: Path, images: Path, output: Path) -> None:
    """Print seconds per volume and peak memory of one side as JSON."""
    import monai.inferers
    import torch  # noqa: F401 -- loaded before the clock starts, for both sides

    import pipeline.inference.folder  # noqa: F401

    assert monai.inferers
    begun = time.perf_counter()
    volumes = (ours if which == "ours" else peer)(model, images, output)
    seconds = time.perf_counter() - begun
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"volumes_per_s": volumes / seconds, "peak_mib": peak_mib}))


def make_model(folder: Path) -> Path:
    """Write a model folder with the network of unet_ct.yaml and untrained weights."""
    from datamodules.intensity import ChannelIntensity
    from datamodules.labels import LabelSet
    from datamodules.preprocessing import Preprocessing
    from networks import UNet
    from pipeline.model_folder import ModelDescription, save_model_folder

    network = UNet(
        *(1, 7),
        channels=(16, 32, 64, 128, 160),
        unit=("plain", "basic", "basic", "basic", "basic"),
        units_per_level=1,
        decoder_unit="plain",
    )
    names = {
        name: value for value, name in enumerate(["background", "lungs", "spine", "ribs", "liver", "kidneys", "spleen"])
    }
    description = ModelDescription(
        task="segmentation",
        network={},
        preprocessing=Preprocessing(
            (2.5, 2.5, 2.5), "none", (ChannelIntensity("ct", -900.0, 700.0, 50.0, 300.0),)
        ).to_dict(),
        labels=LabelSet.from_json(names).to_dict(),
        patch_size=list(TILE),
        inference={},
        versions={},
        data_digest="",
        metrics={},
        training_range={},
    )
    save_model_folder(folder, network, description)
    return folder


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=8, help="volumes (default: 8)")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        which, *paths = given.run
        run(which, *(Path(path) for path in paths))
        return
    from datamodules.phantom import make_phantom

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, model = make_phantom(folder / "ct", cases=given.cases), make_model(folder / "model")
        sides = {side: measure(side, model, data / "imagesTr", folder / side) for side in ("peer", "ours")}
    print(f"{'':28}{'volumes/s':>12}{'peak MiB':>12}")
    for side, title in (("peer", "MONAI, one after the other"), ("ours", "pipeline predict")):
        print(f"{title:28}{sides[side]['volumes_per_s']:12.3f}{sides[side]['peak_mib']:12.0f}")
    ratios = [sides["ours"][key] / sides["peer"][key] for key in ("volumes_per_s", "peak_mib")]
    print(f"{'ratio':28}{ratios[0]:12.2f}{ratios[1]:12.2f}")


if __name__ == "__main__":
    main()
