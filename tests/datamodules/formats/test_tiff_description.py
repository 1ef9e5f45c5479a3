import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.formats import DataError, ReadOptions, read_labels, read_volume

STATED = ReadOptions(spacing_mm=(0.5, 0.5, 2.0))
PAGES = np.random.default_rng(0).integers(0, 250, (10, 6, 7)).astype(np.uint8)
OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME"><Image ID="I">'
    '<Pixels ID="P" DimensionOrder="XYCZT" Type="uint8" SizeX="7" SizeY="6" SizeC="{c}" SizeZ="{z}" SizeT="{t}">'
    '<Channel ID="C" SamplesPerPixel="{samples}"/><TiffData/></Pixels></Image></OME>'
)


def save(path, description, pages=PAGES):
    first, *others = (Image.fromarray(page) for page in pages)
    first.save(path, save_all=True, append_images=others, tiffinfo={270: description})
    return path


def one_directory(path, description, pages=PAGES):
    """Write the first page with a directory and the others' pixels behind it, as ImageJ does for large stacks."""
    save(path, description, pages[:1])
    with path.open("ab") as stream:
        stream.write(pages[1:].tobytes())
    return path


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("ImageJ=1.53t\nimages=10\nchannels=2\nslices=5\nhyperstack=true\nmode=composite\n", "channels 2"),
        ("ImageJ=1.53t\nimages=10\nslices=5\nframes=2\nhyperstack=true\n", "frames 2"),
        ("ImageJ=1.53t\r\nimages=10\r\nchannels=5\r\nframes=2\r\n", "channels 5, frames 2"),
        (OME.format(c=2, z=5, t=1, samples=1), "SizeC 2"),
        (OME.format(c=1, z=5, t=2, samples=1), "SizeT 2"),
        ("<OME><OME:Pixels SizeX='7' SizeY='6' SizeC = '2' SizeT='2'>", "SizeC 2, SizeT 2"),
        (OME.format(c=1, z=5, t=1, samples=1) + '<Image><Pixels SizeC="1"/></Image>', "2 OME images"),
    ],
)  # fmt: skip
def test_f10_channels_and_time_points_between_the_slices_are_refused(tmp_path, description, found):
    path = save(tmp_path / "a.tif", description)
    for read in (read_volume, read_labels):
        with pytest.raises(DataError, match=f"expected pages that are the slices of one volume, found {found}; save"):
            read(path, STATED)
    page = read_volume(path, ReadOptions(volume_index=3)).array
    np.testing.assert_array_equal(page[0, :, :, 0], PAGES[3].T)


@pytest.mark.parametrize(
    "description",
    [
        "ImageJ=1.53t\nimages=10\nslices=10\nunit=mm\nspacing=2.0\nloop=false\n",
        "ImageJ=1.53t\nimages=10\nchannels=1\nframes=1\nslices=10\n",
        OME.format(c=1, z=10, t=1, samples=1),
        "made from images=7, channels=3",
        "",
    ],
)
def test_pages_that_are_slices_alone_are_a_volume(tmp_path, description):
    volume = read_volume(save(tmp_path / "a.tif", description), STATED)
    np.testing.assert_array_equal(volume.array[0], PAGES.transpose(2, 1, 0))


def test_the_samples_of_colour_pages_are_no_channels_between_the_slices(tmp_path):
    pages = np.stack([PAGES[:4]] * 3, axis=-1)
    path = save(tmp_path / "a.tif", OME.format(c=3, z=4, t=1, samples=3), pages)
    np.testing.assert_array_equal(read_volume(path, STATED).array, pages.transpose(3, 2, 1, 0))


def test_f10_a_stack_with_one_directory_is_refused(tmp_path):
    path = one_directory(tmp_path / "a.tif", "ImageJ=1.53t\nimages=10\nslices=10\n")
    for options in (STATED, ReadOptions()):
        with pytest.raises(DataError, match="expected 10 pages, as ImageJ's description says, found 1 directories"):
            read_volume(path, options)


def test_f10_pixels_that_no_directory_names_are_refused(tmp_path):
    path = one_directory(tmp_path / "a.tif", '{"shape": [10, 6, 7], "truncated": true}')
    with pytest.raises(DataError, match="found 378 bytes behind the last of them; save it with a directory for each"):
        read_volume(path)


def test_a_few_bytes_behind_the_pixels_are_passed_over(tmp_path):
    path = save(tmp_path / "a.tif", "plain", PAGES[:1])
    path.write_bytes(path.read_bytes() + bytes(PAGES[0].nbytes - 1))
    np.testing.assert_array_equal(read_volume(path).array[0, :, :, 0], PAGES[0].T)


def test_f33_a_hostile_description_is_read_soon(tmp_path):
    path = save(tmp_path / "a.tif", "<Pixels SizeC=" * 100_000, PAGES[:1])
    np.testing.assert_array_equal(read_volume(path).array[0, :, :, 0], PAGES[0].T)
    path = save(tmp_path / "a.tif", "<Pixels SizeC=" * 100_000, PAGES[:2])
    with pytest.raises(DataError, match="100000 OME images"):
        read_volume(path, STATED)


def test_a_description_in_another_place_than_the_first_page_says_nothing(tmp_path):
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), list(PAGES))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.tif", STATED).array[0], PAGES.transpose(2, 1, 0))
