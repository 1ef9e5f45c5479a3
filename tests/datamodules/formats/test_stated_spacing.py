import json

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError, ReadOptions, read_volume, volume_files
from datamodules.formats.stated_spacing import REMEDY, diagonal, spacing_file, stated_spacing, write_spacing

SPACING = (0.5, 0.25, 2.0)
STATED = ReadOptions(spacing_mm=SPACING)
VOXELS = np.random.default_rng(0).integers(0, 250, (9, 6, 4)).astype(np.uint8)  # [X, Y, Z]


def save_pages(path):
    assert cv2.imwritemulti(str(path), [np.ascontiguousarray(page) for page in VOXELS.transpose(2, 1, 0)])
    return path


def save_slices(folder):
    folder.mkdir()
    for index, page in enumerate(VOXELS.transpose(2, 1, 0)):
        assert cv2.imwrite(str(folder / f"slice{index + 8}.png"), np.ascontiguousarray(page))
    return folder


def state(path, **content):
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", {"spacing_mm": SPACING}),
        ("a.json", {"spacing": SPACING[::-1]}),
        ("a.json", {"spacing_mm": [1, 2, 3]}),
    ],
)
def test_a_file_beside_a_tiff_states_its_spacing(tmp_path, name, content):
    path = save_pages(tmp_path / "a.tif")
    state(tmp_path / name, **content)
    expected = tuple(content.get("spacing_mm") or SPACING)
    volume = read_volume(path)
    assert volume.spacing_mm == expected
    np.testing.assert_array_equal(volume.array, VOXELS[None])
    assert volume_files(path) == [tmp_path / "a.json", path]


def test_the_channels_of_a_case_share_one_statement(tmp_path):
    path = save_pages(tmp_path / "case_0001.tif")
    state(tmp_path / "case.json", spacing=[2.0, 0.25, 0.5])
    assert read_volume(path).spacing_mm == SPACING
    state(tmp_path / "case_0001.json", spacing_mm=[1, 1, 1])
    assert read_volume(path).spacing_mm == (1, 1, 1)


def test_a_json_file_that_states_no_spacing_is_left_alone(tmp_path):
    path = tmp_path / "a.tif"
    assert cv2.imwrite(str(path), np.ascontiguousarray(VOXELS[:, :, 0].T))
    state(tmp_path / "a.json", shapes=[], version="5.0")
    assert volume_files(path) == [path]
    np.testing.assert_array_equal(read_volume(path).affine, np.eye(4))


@pytest.mark.parametrize("spacing", [[0, 1, 1], [1, -1, 1], [1, 1, 51], [1, 1], "1 1 1", [1, 1, "1"], [True, 1, 1], 1])
@pytest.mark.parametrize("key", ["spacing_mm", "spacing"])
def test_f07_absurd_statements_are_refused(tmp_path, spacing, key):
    path = save_pages(tmp_path / "a.tif")
    state(tmp_path / "a.json", **{key: spacing})
    with pytest.raises(DataError, match=r"a\.json: expected (a spacing of three numbers|spacing above 0)"):
        read_volume(path)
    folder = save_slices(tmp_path / "scan")
    state(folder / "spacing.json", **{key: spacing})
    with pytest.raises(DataError, match=r"spacing\.json: expected (a spacing of three numbers|spacing above 0)"):
        read_volume(folder)


@pytest.mark.parametrize(
    "content", ["", "{", "[" * 100_000, '{"spacing_mm": [NaN, 1, 1]}', '{"spacing_mm": [1e999, 1, 1]}']
)
def test_f07_statements_that_cannot_be_read_are_refused(tmp_path, content):
    path = save_pages(tmp_path / "a.tif")
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json: expected (a JSON file|spacing above 0)"):
        read_volume(path)


def test_f07_an_absurd_option_and_two_statements_that_differ_are_refused(tmp_path):
    path = save_pages(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"found .*60\.0.* in the stated spacing"):
        read_volume(path, ReadOptions(spacing_mm=(1.0, 1.0, 60.0)))
    state(tmp_path / "a.json", spacing_mm=[0.5, 0.25, 2.0004])
    assert read_volume(path, STATED).spacing_mm[2] == 2.0004
    state(tmp_path / "a.json", spacing_mm=[0.5, 0.25, 2.5])
    with pytest.raises(DataError, match=r"expected the spacing \[0\.5, 0\.25, 2\.5\] of .*a\.json"):
        read_volume(path, STATED)


def test_what_is_written_beside_a_tiff_is_what_is_read(tmp_path):
    path = tmp_path / "a.tif"
    assert stated_spacing(path, ReadOptions()) is None
    write_spacing(path, SPACING)
    assert spacing_file(path) == tmp_path / "a.json"
    assert stated_spacing(path, ReadOptions()) == stated_spacing(path, STATED) == SPACING
    np.testing.assert_array_equal(diagonal(SPACING), np.diag([*SPACING, 1]))


def test_the_remedy_names_the_file_the_option_and_the_key_of_a_config(tmp_path):
    assert "--slice-spacing-mm X Y Z" in REMEDY
    assert "data.spacing_mm" in REMEDY
    path = save_pages(tmp_path / "a.tif")
    for unstated in (path, save_slices(tmp_path / "scan")):
        with pytest.raises(DataError, match=r"spacing\.json .*NAME\.json .*--slice-spacing-mm X Y Z.*data\.spacing_mm"):
            read_volume(unstated)
