"""Mutated NIfTI files: every outcome is a refusal by name, or what an independent reading of the same bytes gives."""

import gzip
import json
import logging
import math
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np

from datamodules.formats import DataError, ReadOptions, read_labels, read_volume

SECONDS = 20.0
SECONDS_A_READ = 5.0  # of wall time; a read takes about a millisecond
SPARE_BYTES = 64 << 20  # of address space that a process may take beyond what it has after its imports

TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
# name: place and NumPy type of one number, and how many there are, by the standards of NIfTI-1 and NIfTI-2
FIELDS_1 = {
    "sizeof_hdr": (0, "i4", 1), "dim": (40, "i2", 8), "datatype": (70, "i2", 1), "bitpix": (72, "i2", 1),
    "pixdim": (76, "f4", 8), "vox_offset": (108, "f4", 1), "slope": (112, "f4", 1), "inter": (116, "f4", 1),
    "units": (123, "u1", 1), "qform": (252, "i2", 1), "sform": (254, "i2", 1), "quaternion": (256, "f4", 6),
    "rows": (280, "f4", 12), "magic": (344, "u1", 4),
}  # fmt: skip
FIELDS_2 = {
    "sizeof_hdr": (0, "i4", 1), "magic": (4, "u1", 8), "datatype": (12, "i2", 1), "bitpix": (14, "i2", 1),
    "dim": (16, "i8", 8), "pixdim": (104, "f8", 8), "vox_offset": (168, "i8", 1), "slope": (176, "f8", 1),
    "inter": (184, "f8", 1), "qform": (344, "i4", 1), "sform": (348, "i4", 1), "quaternion": (352, "f8", 6),
    "rows": (400, "f8", 12), "units": (500, "i4", 1),
}  # fmt: skip


class Claims:
    """Read the numbers of a header by their places alone."""

    fields = FIELDS_1

    def __init__(self, data):
        self.data = data
        self.order = next((o for o in "<>" if struct.unpack_from(f"{o}i", data)[0] in (348, 540)), "<")
        if self["sizeof_hdr"][0] == 540:
            self.fields = FIELDS_2

    def __getitem__(self, name):
        place, kind, count = self.fields[name]
        return np.frombuffer(self.data, self.order + kind, count, place).tolist()


def truth(data):
    """Return stored voxels [X, Y, Z, ...], slope and intercept, and the affine; None for what is no such file."""
    if len(data) < 348:
        return None
    head = Claims(data)
    size = head["sizeof_hdr"][0]
    if size not in (348, 540) or len(data) < size or bytes(head["magic"][:3]) != (b"n+1" if size == 348 else b"n+2"):
        return None
    axes, *dims = head["dim"]
    offset = head["vox_offset"][0]
    if not 1 <= axes <= 7 or min(dims[:axes]) < 1 or head["datatype"][0] not in TYPES:
        return None
    kind = np.dtype(head.order + TYPES[head["datatype"][0]])
    shape = dims[:axes] + [1] * (3 - axes)
    if not math.isfinite(offset) or offset < size or offset + math.prod(shape) * kind.itemsize > len(data):
        return None
    stored = np.frombuffer(data, kind, math.prod(shape), int(offset)).reshape(shape, order="F")
    slope, inter = head["slope"][0], head["inter"][0]
    scaled = slope != 0 and math.isfinite(slope)
    return stored, (slope, inter) if scaled else (1, 0), affine(head, shape)


def affine(head, shape):
    """Return the matrix that the standard defines: by sform, else by qform; without both, as Analyze files lie."""
    matrix = np.eye(4)
    qfac, *spacing = head["pixdim"]
    spacing = [1 if size == 0 and axis >= head["dim"][0] else size for axis, size in enumerate(spacing[:3])]
    with np.errstate(all="ignore"):
        if head["sform"][0] > 0:
            matrix[:3] = np.reshape(head["rows"], (3, 4))
        elif head["qform"][0] > 0:
            b, c, d, *matrix[:3, 3] = head["quaternion"]
            a = np.sqrt(max(0, 1 - b * b - c * c - d * d))
            turn = [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
            matrix[:3, :3] = np.array(turn) * spacing * [1, 1, -1 if qfac < 0 else 1]
        else:
            spacing = [size if axis < head["dim"][0] else 1 for axis, size in enumerate(spacing)]  # of a plane
            matrix[:3, :3] = np.diag(spacing) * [-1, 1, 1]
            matrix[:3, 3] = -matrix[:3, :3] @ (np.array(shape[:3]) - 1) / 2
    return matrix


def same(volume, stored, scaling, matrix):
    """Tell whether a result is the truth: shape, voxels, and the places of its corners."""
    expected = np.moveaxis(stored.reshape((*stored.shape[:3], -1), order="F"), -1, 0)
    if volume.array.shape != expected.shape:
        return False
    corners = np.array(np.meshgrid(*([0, size - 1] for size in volume.shape), [1])).reshape(4, -1)
    places = [(matrix @ corners)[:3] for matrix in (volume.affine, matrix)]
    reach = 1 + np.ptp(places[1], axis=1).max()
    if not np.abs(places[0] - places[1]).max() <= 2e-3 * reach:  # float32 quaternions near half turns
        return False
    if volume.array.dtype.kind in "iu" and scaling == (1, 0):
        return np.array_equal(volume.array, expected)
    with np.errstate(all="ignore"):
        numbers = expected.astype(np.float64) * scaling[0] + scaling[1]
    # float32 holds 24 bits, and fewer of the numbers near 0
    return np.allclose(volume.array.astype(np.float64), numbers, rtol=2e-7, atol=1e-44, equal_nan=True)


def seeds():
    """Return small files of many kinds as nibabel writes them, decompressed."""
    rng = np.random.default_rng(0)
    oblique = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, 0.1, 0.3) * [-0.8, 1.2, 3], [9, -8, 7])
    made = []
    for index, code in enumerate(TYPES):
        shape = [(5, 4, 3), (6, 7, 2), (4, 3, 2, 3), (7, 5), (4, 3, 2, 1)][index % 5]
        for kind in (nib.Nifti1Image, nib.Nifti2Image):
            order = "<>"[index % 2]
            voxels = rng.integers(0, 100, shape).astype(order + TYPES[code])
            image = kind(voxels, oblique, kind.header_class(endianness=order))
            image.set_qform(oblique, 1 if index % 3 else 0)
            image.set_sform(oblique, 1 if index % 3 != 2 else 0)
            image.header.set_slope_inter(*[(1, 0), (2, -5), (0.37, 11)][index % 3])
            made.append(image.to_bytes())
    return made


EXTREMES = [0, 1, -1, 2, 3, 7, 8, 127, 255, 256, 32767, -32768, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 348, 352, 540]
EXTREME_FLOATS = [0.5, -0.0, 1e-45, 1e-38, 1e38, -1e38, 1e300, math.nan, math.inf, -math.inf, 50, 51, 352.5, 1e6, 1e7]


def set_field(data, chance):
    """Set one number of the header to an extreme or to a common value."""
    head = Claims(bytes(data))
    place, kind, count = head.fields[chance.choice(list(head.fields))]
    number = np.dtype(head.order + kind)
    value = chance.choice(EXTREMES + EXTREME_FLOATS * (number.kind == "f"))
    with np.errstate(all="ignore"):
        written = np.array(value).astype(number).tobytes()
    start = place + chance.randrange(count) * number.itemsize
    data[start : start + number.itemsize] = written


def turn_size(data, _):
    """Give the header's length, which tells the byte order of all that follows, the other one."""
    data[:4] = data[3::-1]


def flip(data, chance):
    reach = chance.choice([len(data), min(len(data), 400)])
    data[chance.randrange(reach)] ^= 1 << chance.randrange(8)


def overwrite(data, chance):
    start = chance.randrange(len(data))
    data[start : start + chance.randrange(1, 9)] = chance.randbytes(chance.randrange(1, 9))


def cut(data, chance):
    del data[chance.randrange(len(data)) :]


def cut_out(data, chance):
    start = chance.randrange(len(data))
    del data[start : start + chance.randrange(1, 40)]


def prolong(data, chance):
    data += chance.choice([bytes(chance.randrange(1, 2000)), chance.randbytes(chance.randrange(1, 50)), bytes(data)])


def mutate(data, chance, ways):
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4, 8])):
        if len(changed) > 8:
            chance.choice(ways)(changed, chance)
    return bytes(changed)


def one_file(intact, chance):
    """Return the name and the bytes of a mutated file, and its content decompressed, None where it is no gzip."""
    ways = [set_field] * 4 + [flip] * 2 + [turn_size, overwrite, cut, cut_out, prolong]
    way = chance.randrange(4)
    content = mutate(intact, chance, [set_field] if way == 0 else ways) if way < 3 else intact
    if way < 2:
        return "a.nii", content, content
    packed = gzip.compress(content, chance.choice([1, 9]))
    if way == 3:
        packed = mutate(packed, chance, [flip, flip, overwrite, cut, cut_out, prolong])
    try:
        return "a.nii.gz", packed, gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return "a.nii.gz", packed, None


def outcome(path, content, chance):
    """Read a file in one of three manners and compare it with the truth of its content."""
    expected = truth(content) if content is not None else None
    read, options = chance.choice(
        [(read_volume, ReadOptions()), (read_labels, ReadOptions()), (read_volume, ReadOptions(all_volumes=True))]
    )
    signal.setitimer(signal.ITIMER_REAL, SECONDS_A_READ)
    try:
        volume = read(path, options)
    except DataError as error:
        assert error.path == path  # noqa: PT017 - a refusal is right, whatever the truth; a wrong result is not
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert expected is not None, f"{path} was read, and is no such file"
    assert same(volume, *expected), f"{path} was read as {volume}"
    return "equal"


def fuzz(folder, seconds, seed=0):
    """Read mutated files for some time with little memory; return how many were refused and how many were equal.

    A failure leaves the file in the folder and names the number of its mutation.
    """
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("a read took too long")))
    intact, outcomes, number = seeds(), Counter(), 0
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        chance = random.Random(f"{seed} {number}")
        name, data, content = one_file(chance.choice(intact), chance)
        path = folder / name
        path.write_bytes(data)
        try:
            outcomes[outcome(path, content, chance)] += 1
        except BaseException as error:
            raise AssertionError(f"mutation {number} of seed {seed}: {error!r}") from error
        number += 1
    return outcomes


RUN = """
import json, pathlib, runpy, sys
found = runpy.run_path(sys.argv[1])["fuzz"](pathlib.Path(sys.argv[2]), float(sys.argv[3]))
print(json.dumps(found))
"""


def test_f01_f02_f03_mutated_files_are_refused_by_name_or_read_as_they_are(tmp_path):
    command = [sys.executable, "-c", RUN, __file__, str(tmp_path), str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes["refused"] > 100
    assert outcomes["equal"] > 100


def test_the_truth_is_what_nibabel_reads(tmp_path):
    for data in seeds():
        (tmp_path / "a.nii").write_bytes(data)
        image = nib.load(tmp_path / "a.nii")
        stored, (slope, inter), matrix = truth(data)
        np.testing.assert_allclose((stored * float(slope) + inter).reshape(image.shape), image.get_fdata(), rtol=1e-6)
        np.testing.assert_allclose(matrix, image.affine, atol=1e-5)
        assert same(read_volume(tmp_path / "a.nii", ReadOptions(all_volumes=True)), stored, (slope, inter), matrix)
