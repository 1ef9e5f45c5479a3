import json

import cv2
import numpy as np
import pytest

from datamodules.formats import (
    DataError,
    ReadOptions,
    format_of,
    read_labels,
    read_volume,
    stored_shape,
    volume_files,
    volume_name,
    write_labels,
    write_scores,
)

SPACING = (0.5, 0.25, 2.0)
STATED = ReadOptions(spacing_mm=SPACING)
VOXELS = np.random.default_rng(0).integers(0, 250, (9, 6, 4)).astype(np.uint8)  # [X, Y, Z]


def save(path, pixels):
    encoded, data = cv2.imencode(path.suffix, pixels)
    assert encoded
    path.write_bytes(data.tobytes())
    return path


def save_pages(path, voxels=VOXELS, compression=8):
    pages = [np.ascontiguousarray(page) for page in np.moveaxis(voxels, 2, 0).swapaxes(1, 2)]
    assert cv2.imwritemulti(str(path), pages, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    return path


def save_slices(folder, names, voxels=VOXELS):
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        save(folder / name, np.ascontiguousarray(voxels[:, :, index % voxels.shape[2]].T))
    return folder


def state(path, **content):
    path.write_text(json.dumps(content))


def numbered(suffix=".png"):
    return [f"slice{index}{suffix}" for index in (8, 9, 10, 11)]


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF"])
def test_the_pages_of_a_tiff_are_the_slices_of_a_volume(tmp_path, suffix):
    path = save_pages(tmp_path / "a.tif").rename(tmp_path / f"a{suffix}")
    volume = read_volume(path, STATED)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, VOXELS[None])
    np.testing.assert_array_equal(volume.affine, np.diag([*SPACING, 1]))
    assert volume_name(path) == "a"
    assert volume_files(path, STATED) == [path]
    assert stored_shape(path) is None


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_a_folder_of_slices_is_a_volume_in_natural_order(tmp_path, suffix):
    folder = save_slices(tmp_path / "scan.1", numbered(suffix))
    state(folder / "spacing.json", spacing_mm=SPACING)
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not read")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array, VOXELS[None])
    assert volume.spacing_mm == SPACING
    np.testing.assert_array_equal(read_labels(folder).array, VOXELS[None])
    assert volume_name(folder) == "scan.1"
    assert volume_files(folder) == sorted([*(folder / name for name in numbered(suffix)), folder / "spacing.json"])


def test_a_folder_is_claimed_only_where_a_spacing_is_stated(tmp_path):
    folder = save_slices(tmp_path / "scan", numbered())
    with pytest.raises(DataError, match=r"scan: expected a DICOM series or slices with stated spacing.*spacing\.json"):
        read_volume(folder)
    assert format_of(folder, STATED).name == "stack of images"
    assert read_volume(folder, STATED).spacing_mm == SPACING
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="found another folder"):
        format_of(folder, STATED)


def test_a_stated_spacing_holds_for_single_images_as_well(tmp_path):
    for name in ("a.png", "a.tif", "a.bmp"):
        path = save(tmp_path / name, np.ascontiguousarray(VOXELS[:, :, 0].T))
        for read in (read_volume, read_labels):
            volume = read(path, STATED)
            assert volume.spacing_mm == SPACING
            np.testing.assert_array_equal(volume.array[0], VOXELS[:, :, :1])


def test_f09_pages_without_a_spacing_are_refused_naming_both_remedies(tmp_path):
    path = save_pages(tmp_path / "a.tif")
    for read in (read_volume, read_labels):
        with pytest.raises(DataError, match=r"4 pages; choose one with --volume 0 to 3, or .* NAME\.json"):
            read(path)
    chosen = read_volume(path, ReadOptions(volume_index=2, spacing_mm=SPACING))
    np.testing.assert_array_equal(chosen.array[0], VOXELS[:, :, 2:3])
    assert chosen.spacing_mm == SPACING


def test_f01_a_truncated_or_missing_slice_is_named(tmp_path):
    folder = save_slices(tmp_path / "scan", numbered())
    path = folder / "slice10.png"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"slice10\.png"):
        read_volume(folder, STATED)
    path.unlink()
    path.symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"slice10\.png: expected a readable file"):
        read_volume(folder, STATED)


def test_slices_of_another_size_or_type_are_named(tmp_path):
    folder = save_slices(tmp_path / "scan", numbered())
    for pixels in (np.zeros((6, 8), np.uint8), np.zeros((6, 9), np.uint16), np.zeros((6, 9, 3), np.uint8)):
        save(folder / "slice9.png", pixels)
        with pytest.raises(DataError, match=r"like slice8\.png: 9 x 6, 1 .* uint8, found slice9\.png"):
            read_volume(folder, STATED)
    pages = [np.zeros((6, 9), np.uint8), np.zeros((6, 8), np.uint8)]
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
    with pytest.raises(DataError, match="found page 1: 8 x 6"):
        read_volume(tmp_path / "a.tif", STATED)


def test_colours_are_channels_and_no_labels(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 250, (2, 6, 9, 3)).astype(np.uint8)
    for index in range(2):
        save(folder / f"{index}.png", pixels[index])
    volume = read_volume(folder, STATED)
    np.testing.assert_array_equal(volume.array, pixels[..., ::-1].transpose(3, 2, 1, 0))
    with pytest.raises(DataError, match="3 channels; save the labels as grey images"):
        read_labels(folder, STATED)


@pytest.mark.parametrize(("highest", "dtype"), [(255, np.uint8), (300, np.uint16)])
def test_label_stacks_come_back(tmp_path, highest, dtype):
    labels = VOXELS.astype(np.int64)
    labels[0, 0, 0] = highest
    write_labels(tmp_path / "a.tif", labels, np.diag([*SPACING, 1]))
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "a.json"}
    back = read_labels(tmp_path / "a.tif")
    assert back.array.dtype == dtype
    assert back.spacing_mm == SPACING
    np.testing.assert_array_equal(back.array[0], labels)
    write_labels(tmp_path / "a.tif", labels * 0, np.diag([*SPACING, 1]))  # its own statement is replaced
    assert not read_labels(tmp_path / "a.tif").array.any()


def test_what_a_tiff_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "a.tif"
    for affine in (np.diag([-1.0, 1, 1, 1]), np.eye(4)[[1, 0, 2, 3]], np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3)):
        with pytest.raises(DataError, match="an affine of spacing alone"):
            write_labels(path, VOXELS, affine)
    with pytest.raises(DataError, match=r"one label map \[X, Y, Z\] for a TIFF"):
        write_labels(path, np.zeros((2, 3, 4, 5), np.uint8), np.eye(4))
    with pytest.raises(DataError, match=r"write scores to a \.nii\.gz file"):
        write_scores(path, np.zeros((2, 3, 4, 5), np.float32), np.eye(4))
    state(tmp_path / "a.json", cases=[])
    with pytest.raises(DataError, match=r"a\.json: expected no file, or one that states a spacing"):
        write_labels(path, VOXELS, np.eye(4))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
