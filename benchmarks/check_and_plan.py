"""What reading, checking and planning a data set take, against reading it plainly and against a limit.

    python benchmarks/check_and_plan.py [DATA]

DATA is a folder or table that `pipeline check` takes; without it, 44 cases of the embedded CT phantom are made first.
The peer is a loop that opens each image and label with nibabel (SimpleITK where nibabel has no reader) and looks at
every voxel once, in one process. `pipeline check` and `pipeline plan` run as a user starts them, with an empty cache,
one after the other; the limit is a minute for both, for 44 CTs on 2 cores.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

from datamodules.layouts import find_cases
from datamodules.phantom import make_phantom

LIMIT_S = 60.0
CASES = 44


def plain_reading_s(data: Path) -> float:
    """Return the seconds of opening every file of the cases and summing its voxels."""
    files = [path for case in find_cases(data).cases for path in case.all_files]
    begun = time.perf_counter()
    for path in files:
        if path.name.endswith((".nii", ".nii.gz")):
            voxels = np.asarray(nibabel.load(path).dataobj)
        else:
            voxels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        voxels.sum()
    return time.perf_counter() - begun


def command_s(*words: str) -> float:
    """Return the seconds of a command, from its start to its end.

    Raises:
        SystemExit: It failed; what it said is shown.
    """
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pipeline {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="a data set; by default a phantom is made")
    parser.add_argument("--device", default="cpu", help="that the plan is for (default: cpu)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = arguments.data or make_phantom(work / "phantom", cases=CASES, seed=0)
        cache = ("--cache-dir", str(work / "cache"))
        plain_reading_s(data)  # brings the files into the system's memory, for all that follow alike
        plain = plain_reading_s(data)
        check = command_s("check", str(data), "--output", str(work / "check"), *cache)
        plan = command_s("plan", str(data), "--output", str(work / "my.yaml"), "--device", arguments.device, *cache)
    print(f"{'':28}{'seconds':>9}{'of plain reading':>18}{'of the limit':>14}")
    for name, taken in (
        ("plain reading, one process", plain),
        ("pipeline check", check),
        ("pipeline plan after it", plan),
        ("check and plan", check + plan),
    ):
        print(f"{name:28}{taken:9.1f}{taken / plain:18.2f}{taken / LIMIT_S:14.2f}")
    print(f"limit of {LIMIT_S:.0f} s: {'met' if check + plan <= LIMIT_S else 'NOT MET'}")


if __name__ == "__main__":
    main()
