"""Mutated DICOM files read as DataError or as what an independent reading of the same bytes gives.

Run as a script for longer: python test_fuzz.py FOLDER SECONDS SEED, with a folder of whole files.
"""

import faulthandler
import io
import itertools
import json
import logging
import random
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

SPARE_BYTES = 3 << 30  # address space beside what is in use before the first file
SECONDS_PER_FILE = 20
ODD_VALUES = ("", "nan", "inf", "-1", "0", "1e-9", "1e400", "65536", "7.5", "4294967295", "a", "1\\2\\3\\4")
ODD_BYTES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"SQ\0\0", b"\xfe\xff\x00\xe0", b"OB", b"UN")


def write_corpus(folder, dicoms):
    """Write one whole file per way of storing pixels."""
    import pydicom
    from openjpeg.utils import encode_array
    from pydicom import uid
    from pydicom.encaps import encapsulate

    array = np.random.default_rng(1).integers(-40, 300, (40, 48)).astype(np.int16)
    frames = np.stack([array, array + 7, array * 2])
    native = dicoms.slice(array)
    for name, syntax in (("native", uid.ExplicitVRLittleEndian), ("implicit", uid.ImplicitVRLittleEndian)):
        native.file_meta.TransferSyntaxUID = syntax
        native.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    deflated = dicoms.slice(array)
    deflated.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    deflated.save_as(folder / "deflated.dcm", enforce_file_format=True)
    big = dicoms.slice(array.byteswap())
    big.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    encoding = {"implicit_vr": False, "little_endian": False, "force_encoding": True}
    pydicom.dcmwrite(folder / "big.dcm", big, **encoding)
    stored = dicoms.slice((array.view(np.uint16) & 0x0FFF), BitsStored=12, HighBit=11, PixelRepresentation=1)
    stored.save_as(folder / "twelve.dcm", enforce_file_format=True)
    for name, syntax in (("rle", uid.RLELossless), ("jpegls", uid.JPEGLSLossless)):
        dataset = dicoms.slice(array.view(np.uint16) & 0x0FFF)
        dataset.compress(syntax, encoding_plugin="pydicom" if name == "rle" else "pyjpegls")
        dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    jpeg = dicoms.slice(array)
    jpeg.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    jpeg.PixelData = encapsulate([encode_array(array, bits_stored=16, photometric_interpretation=2)])
    jpeg["PixelData"].VR = "OB"
    jpeg["PixelData"].is_undefined_length = True
    jpeg.save_as(folder / "jpeg2000.dcm", enforce_file_format=True)
    path = dicoms.enhanced(folder / "enhanced.dcm", frames, rescale=((1, -1024), (2, 3)))
    enhanced = pydicom.dcmread(path)
    enhanced.compress(uid.RLELossless, encoding_plugin="pydicom")
    enhanced.save_as(folder / "enhanced_rle.dcm", enforce_file_format=True)


def mutate(data, chance):
    """Return the bytes with something wrong in them, most often in the header."""
    data = bytearray(data)
    end = min(len(data), 132 + 1600) if chance.random() < 0.7 else len(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        place = chance.randrange(128, end)
        kind = chance.randrange(8)
        if kind < 3:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 3:
            data[place % len(data)] = chance.randrange(256)
        elif kind == 4:
            odd = chance.choice(ODD_BYTES)
            data[place : place + len(odd)] = odd
        elif kind == 5:
            del data[place : place + chance.choice((1, 2, 8, 100))]
        elif kind == 6:
            data[place:place] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 2, 8))))
        elif chance.random() < 0.5:
            del data[place:]
        if len(data) < 200:
            break
    return bytes(data)


def set_oddly(data, chance):
    """Return the file with one element, also one of a functional group, set to something odd or removed."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data))
    target = dataset
    while True:
        element = chance.choice([element for element in target if element.tag != 0x7FE00010])
        if element.VR != "SQ" or not element.value:
            break
        target = element.value[chance.randrange(len(element.value))]
    if chance.random() < 0.15:
        del target[element.tag]
    elif element.VR in ("US", "UL", "SS"):
        element.value = chance.choice((0, 1, 2, 3, 7, 12, 255, 65535))
    else:
        value = chance.choice(ODD_VALUES)
        raw = str(element.value).strip("[]").replace(", ", "\\").split("\\")
        raw[chance.randrange(len(raw))] = value
        target[element.tag] = pydicom.dataelem.RawDataElement(
            element.tag, element.VR, None, "\\".join(raw).encode()[:60000], 0, False, True
        )
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


def unpacked(frame, size, samples):
    """Decode an RLE frame plainly (PS3.5, annex G) to little-endian bytes."""
    count, *starts = np.frombuffer(frame[:64], "<u4").tolist()
    planes = []
    for start, stop in itertools.pairwise([*starts[:count], len(frame)]):
        plane, place, source = bytearray(), 0, frame[start:stop]
        while place < len(source):
            run = source[place]
            if run < 128:
                plane += source[place + 1 : place + 2 + run]
                place += 2 + run
            elif run > 128:
                plane += source[place + 1 : place + 2] * (257 - run)
                place += 2
            else:
                place += 1
        planes.append(np.frombuffer(bytes(plane[:size]), np.uint8))
    assert count == samples
    return np.stack(planes[::-1], axis=-1).tobytes()


def stored_numbers(dataset):
    """Read the frames of a data set another way than the reader under test."""
    import jpeg_ls
    import openjpeg
    from pydicom import uid
    from pydicom.encaps import generate_frames

    rows, columns, bits, stored = dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored
    count = int(dataset.get("NumberOfFrames") or 1)
    syntax = dataset.file_meta.get("TransferSyntaxUID") or uid.ImplicitVRLittleEndian
    order = "<" if dataset.original_encoding[1] else ">"
    if not syntax.is_encapsulated:
        data = bytes(dataset.PixelData)[: count * rows * columns * bits // 8]
        if bits == 8 and order == ">" and dataset["PixelData"].VR == "OW":
            data = np.frombuffer(bytes(dataset.PixelData), ">u2").astype("<u2").tobytes()[: count * rows * columns]
    else:
        data, order = b"", "<"
        for frame in generate_frames(dataset.PixelData, number_of_frames=count):
            if syntax == uid.RLELossless:
                data += unpacked(frame, rows * columns, bits // 8)
            elif syntax in uid.JPEG2000TransferSyntaxes:
                data += openjpeg.decode(frame[frame.index(b"\xff\x4f\xff\x51") :]).astype(f"<i{bits // 8}").tobytes()
            elif syntax in uid.JPEGLSTransferSyntaxes:
                data += np.asarray(jpeg_ls.decode(np.frombuffer(frame, np.uint8))).astype(f"<u{bits // 8}").tobytes()
            else:
                raise NotImplementedError(syntax)
    numbers = np.frombuffer(data, f"{order}u{bits // 8}").astype(np.int64) & ((1 << stored) - 1)
    if dataset.PixelRepresentation:
        numbers = np.where(numbers >> (stored - 1), numbers - (1 << stored), numbers)
    return numbers.reshape(count, rows, columns)


def facts_of(dataset, index):
    """Return position, orientation, spacing, slope and intercept of a frame."""
    groups = []
    if dataset.get("PerFrameFunctionalGroupsSequence"):
        groups.append(dataset.PerFrameFunctionalGroupsSequence[index])
    if dataset.get("SharedFunctionalGroupsSequence"):
        groups.append(dataset.SharedFunctionalGroupsSequence[0])

    def find(keyword, sequence, default=None):
        for group in groups:
            nested = group.get(sequence)
            if nested and nested[0].get(keyword) not in (None, "", []):
                return nested[0].get(keyword)
        value = dataset.get(keyword)
        return default if value in (None, "", []) else value

    place = find("ImagePositionPatient", "PlanePositionSequence")
    plane = find("ImageOrientationPatient", "PlaneOrientationSequence")
    spacing = find("PixelSpacing", "PixelMeasuresSequence")
    slope = find("RescaleSlope", "PixelValueTransformationSequence", 1)
    intercept = find("RescaleIntercept", "PixelValueTransformationSequence", 0)
    return *(np.array(list(values), float) for values in (place, plane, spacing)), float(slope), float(intercept)


def difference(data, volume):
    """Return in words how a volume differs from the independent reading of its file; None where it does not."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    numbers = stored_numbers(dataset)
    if volume.array.shape != (1, numbers.shape[2], numbers.shape[1], numbers.shape[0]):
        return f"shape {volume.array.shape}, not that of {numbers.shape}"
    turn = np.array([-1, -1, 1.0])
    for index, frame in enumerate(numbers):
        position, plane, spacing, slope, intercept = facts_of(dataset, index)
        spots = volume.affine[:3, 3] + np.arange(len(numbers))[:, None] * volume.affine[:3, 2]
        away = np.linalg.norm(spots - position * turn, axis=1)
        if not away.min() <= 0.05 * np.linalg.norm(volume.affine[:3, 2]):
            return f"frame {index} lies {away.min()} mm from the nearest slice"
        expected = (frame * slope + intercept).astype(np.float32)
        if not np.array_equal(volume.array[0, :, :, away.argmin()].T, expected):
            return f"voxels of frame {index}"
        axes = np.stack([plane[:3] * spacing[1], plane[3:] * spacing[0]], axis=1) * turn[:, None]
        if not np.allclose(volume.affine[:3, :2], axes, rtol=1e-3, atol=1e-6):
            return f"axes of frame {index}"
    return None


def outcome(path, data):
    """Read one file; return whether it was read or refused, and what is wrong with that."""
    from datamodules.formats import dicom
    from datamodules.formats.base import ReadOptions
    from datamodules.formats.errors import DataError

    try:
        volume = dicom.read(path, ReadOptions())
    except DataError as error:
        return "refused", "out of memory" if isinstance(error.__cause__, MemoryError) else None
    except Exception as error:
        return "refused", f"{type(error).__name__}: {error}"
    try:
        return "read", difference(data, volume)
    except Exception as error:
        return "read", f"no independent reading: {type(error).__name__}: {error}"


def fuzz(folder, seconds, seed):
    """Read mutated files for a time; return counts, and what went wrong with the number that makes it again."""
    whole = {path.name: path.read_bytes() for path in sorted(folder.glob("*.dcm"))}
    unmutated = [outcome(folder / name, data) for name, data in whole.items()]
    report = {"read": 0, "refused": 0, "wrong": [f"{got}" for got in unmutated if got != ("read", None)]}
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, used + SPARE_BYTES))
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        chance = random.Random(f"{seed} {number}")
        name = chance.choice(list(whole))
        try:
            data = (set_oddly if chance.random() < 0.4 else mutate)(whole[name], chance)
        except Exception:  # pydicom will not write what was asked for: nothing to read
            continue
        path = folder / f"mutated_{seed}_{number}"
        path.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS_PER_FILE, exit=True)
        kind, wrong = outcome(path, data)
        faulthandler.cancel_dump_traceback_later()
        path.unlink()
        report[kind] += 1
        if wrong:
            report["wrong"].append(f"{name} number {number}: {wrong}")
    # not ru_maxrss, which a child inherits from the process that started it
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {**report, "largest_MB": int(peak) >> 10}


def fuzz_in_child(folder, seconds, seed):
    """Run fuzz in a process of its own, so that a crash is seen."""
    command = [sys.executable, "-W", "ignore", __file__, str(folder), str(seconds), str(seed)]
    child = subprocess.run(command, capture_output=True, timeout=seconds + 120, check=False)
    assert child.returncode == 0, child.stderr.decode()[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


@pytest.mark.parametrize(("seed", "seconds"), [(1, 8), (2, 8)])
def test_mutated_files_are_refused_or_read_as_another_reader_does(tmp_path, dicoms, seed, seconds):
    write_corpus(tmp_path, dicoms)
    report = fuzz_in_child(tmp_path, seconds, seed)
    assert report["wrong"] == []
    assert report["read"] > 20
    assert report["refused"] > 50
    assert report["largest_MB"] < 500


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(fuzz(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))) + "\n")
