"""Mutated NRRD and MetaImage: each is refused by name, or read as SimpleITK reads the same bytes."""

import random
import resource

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datamodules.formats import DataError, ReadOptions, read_volume

ALL = ReadOptions(all_volumes=True)
MUTANTS = 1500
WORDS = [
    *(b"", b"0", b"-1", b"3", b"4", b"1e300", b"nan", b"inf", b"999999999", b"18446744073709551616", b"A" * 3000),
    *(b"none", b"LOCAL", b"LIST", b"x%03d.raw 1 9 1", b"gzip", b"raw", b"bzip2", b"ascii", b"True", b"False", b"big"),
    *(b"MET_DOUBLE", b"double", b"uchar", b"list", b"vector", b"domain", b"time", b"RAS", b"(1,0,0)", b"(1,0)"),
    *(b"\xff\xfe", b"\0", b"\r"),
]


def seeds(folder, suffix):
    """Return intact files of several kinds, whole."""
    rng = np.random.default_rng(0)
    images = [
        sitk.GetImageFromArray(rng.integers(-100, 100, (5, 4, 3)).astype(np.int16)),
        sitk.GetImageFromArray(rng.integers(0, 3, (5, 4, 3, 2)).astype(np.uint8), isVector=True),
        sitk.GetImageFromArray(rng.integers(-100, 100, (4, 3)).astype(np.int16)),
        sitk.GetImageFromArray(rng.random((2, 3, 4, 2)).astype(np.float32), isVector=False),
    ]
    for image in images[:2]:
        image.SetSpacing([1, 2, 3])
        image.SetOrigin([5, 6, 7])
        image.SetDirection([0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1])
    for image in images:
        for compressed in (False, True):
            sitk.WriteImage(image, folder / f"seed{suffix}", compressed)
            yield (folder / f"seed{suffix}").read_bytes()


def mutate(data, generator):
    """Change a file in one to three places, mostly in its header."""
    content = bytearray(data)
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        header_end = max(content.find(b"\n\n") + 2, content.find(b"LOCAL\n") + 6)
        header = bytes(content[:header_end])
        lines = header.split(b"\n")
        line, other = (generator.randrange(len(lines)) for _ in range(2))
        match generator.randrange(8):
            case 0 if content:
                content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
            case 1 if header:
                content[generator.randrange(len(header))] = generator.randrange(256)
            case 2:
                del content[generator.randrange(len(content) + 1) :]
            case 3:
                words = header.split(b" ")
                words[generator.randrange(len(words))] = generator.choice(WORDS)
                content[:header_end] = b" ".join(words)
            case 4:
                content[:header_end] = b"\n".join(lines[:line] + lines[line + 1 :])
            case 5:
                content[:header_end] = b"\n".join([*lines[:line], lines[other], *lines[line:]])
            case 6:
                lines[line], lines[other] = lines[other], lines[line]
                content[:header_end] = b"\n".join(lines)
            case _:
                place = generator.randrange(len(content) + 1)
                content[place:place] = generator.randbytes(generator.randrange(1, 9))
    return bytes(content)


def as_simpleitk_reads(path):
    """Return voxels [C, X, Y, Z] and the affine, None for the latter where the image is not 3-D."""
    image = sitk.ReadImage(path)
    array, axes = sitk.GetArrayFromImage(image), image.GetDimension()
    if image.GetNumberOfComponentsPerPixel() == 1:
        array = array[..., None]
    if axes == 4:
        array = np.moveaxis(array, 0, -1).reshape(*array.shape[1:4], -1)
    array = (array[None] if axes == 2 else array).transpose(3, 2, 1, 0)
    if axes != 3:
        return array, None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return array, np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_mutants_are_refused_or_read_as_simpleitk_reads_them(tmp_path, suffix):
    generator = random.Random(suffix)
    intact = list(seeds(tmp_path, suffix))
    path = tmp_path / f"mutant{suffix}"
    refused = compared = 0
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    for _ in range(MUTANTS):
        path.write_bytes(mutate(generator.choice(intact), generator))
        try:
            volume = read_volume(path, ALL)
        except DataError:
            refused += 1
            continue
        try:
            array, affine = as_simpleitk_reads(path)
        except RuntimeError:
            continue  # ITK is stricter on some words and orders that leave no doubt
        compared += 1
        np.testing.assert_array_equal(volume.array, array.astype(np.float32))
        if affine is not None:
            np.testing.assert_allclose(volume.affine, affine, atol=1e-3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before < 100_000
    assert refused > MUTANTS / 2
    assert compared > MUTANTS / 10
    assert refused + compared > 0.95 * MUTANTS
