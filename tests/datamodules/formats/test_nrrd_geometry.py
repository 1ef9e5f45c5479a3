import numpy as np
import pytest

from datamodules.formats import DataError, ReadOptions, read_volume

STRICT = ReadOptions(strict=True, all_volumes=True)
ALL = ReadOptions(all_volumes=True)
DIRECTIONS = "space directions: (1,0,0) (0,2,0) (0,0,3)"
ORIGIN = "space origin: (4,5,6)"


def save(path, *lines, sizes="2 3 4"):
    axes = [int(size) for size in sizes.split()]
    head = ["NRRD0005", "type: uint8", f"dimension: {len(axes)}", f"sizes: {sizes}", "encoding: raw", *lines]
    path.write_bytes("\n".join([*head, "", ""]).encode() + bytes(range(int(np.prod(axes)))))
    return path


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1)),
        ("LPS", (-1, -1)),
        ("right-anterior-superior", (1, 1)),
        ("RAS", (1, 1)),
        ("Left-Anterior-Superior", (-1, 1)),
        ("LAS", (-1, 1)),
    ],
)
def test_a_space_of_named_directions_becomes_ras(tmp_path, space, signs, caplog):
    volume = read_volume(save(tmp_path / "a.nrrd", f"space: {space}", DIRECTIONS, ORIGIN), STRICT)
    x, y = signs
    np.testing.assert_array_equal(volume.affine, [[x, 0, 0, 4 * x], [0, 2 * y, 0, 5 * y], [0, 0, 3, 6], [0, 0, 0, 1]])
    assert not caplog.records


@pytest.mark.parametrize(
    "lines",
    [
        ("space: scanner-xyz", DIRECTIONS, ORIGIN),
        ("space: 3D-left-handed", DIRECTIONS, ORIGIN),
        ("space dimension: 3", DIRECTIONS, ORIGIN),
        ("space: LPS", DIRECTIONS),
        ("spacings: 1 2 3",),
        (),
    ],
)
def test_f04_doubtful_geometry_warns_and_strict_refuses(tmp_path, caplog, lines):
    path = save(tmp_path / "a.nrrd", *lines)
    expected = (1, 2, 3) if lines else (1, 1, 1)
    assert read_volume(path).spacing_mm == expected
    assert "expected" in caplog.text
    assert str(path) in caplog.text
    with pytest.raises(DataError, match="--strict"):
        read_volume(path, STRICT)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("space: nowhere", DIRECTIONS, ORIGIN), "a space of left-posterior|a space of right-anterior"),
        ((DIRECTIONS,), "'space' before 'space directions'"),
        (("space: LPS", "space directions: (1,0,0) (0,2,0)", ORIGIN), "space directions of 3 axes, found 2"),
        (("space: LPS", "space directions: (1,0,0) (0,2,0) (0,0)", ORIGIN), "3 numbers"),
        (("space: LPS", "space directions: (1,0,0) (0,2,0) [0,0,3]", ORIGIN), "vectors in brackets"),
        (("space: LPS", "space directions: (1,0,0) (0,2,0) (0,0,1_0)", ORIGIN), "3 numbers"),
        (("space: LPS", DIRECTIONS, "space origin: none"), "one space origin"),
        (("space: LPS", DIRECTIONS, "space origin: (0,0,inf)"), "3 numbers"),
        (("space: LPS", DIRECTIONS, "space origin: (0,0,nan)"), "finite numbers"),
        (("space: LPS", DIRECTIONS, "space origin: (0,0,1e7)"), "an origin within"),
        (("space: LPS", DIRECTIONS, ORIGIN, "spacings: 1 2 3"), "space directions or spacings, found both"),
        (("space: LPS", "space dimension: 4", DIRECTIONS, ORIGIN), "space dimension 3"),
        (("space: LPS", "kinds: domain domain vector", DIRECTIONS, ORIGIN), "no direction of an axis of kind 'vector'"),
        (
            ("space: LPS", "kinds: domain domain domain", "space directions: (1,0,0) none (0,0,3)", ORIGIN),
            "a direction",
        ),
        (("space dimension: 5", DIRECTIONS, ORIGIN), "2, 3 or 4 dimensions"),
        (("space: LPS", "space directions: (1,0,0) none none", ORIGIN), "two or three axes"),
        (("axis mins: 0 0 0", "spacings: 1 2 3"), "axis mins"),
        (("kinds: list list domain",), "two or three axes"),
    ],
)
def test_geometry_that_cannot_be_true_is_refused(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_volume(save(tmp_path / "a.nrrd", *lines), ALL)


@pytest.mark.parametrize("step", ["(0,0,0)", "(0,0,51)", "(0,0,nan)", "(1,0,0)", "(1,1e-9,0)", "(0,0,1e29)"])
def test_f07_absurd_spacing_and_flat_axes_are_refused(tmp_path, step):
    directions = f"space directions: (1,0,0) (0,2,0) {step}"
    with pytest.raises(DataError, match=r"spacing above 0|an invertible affine"):
        read_volume(save(tmp_path / "a.nrrd", "space: LPS", directions, ORIGIN))


@pytest.mark.parametrize("units", ['space units: "m" "m" "m"', 'units: "cm" "cm" "cm"', 'space units: "um" "um" "um"'])
def test_f07_spacing_in_another_unit_is_refused(tmp_path, units):
    lines = ("space: LPS", DIRECTIONS, ORIGIN) if units.startswith("space") else ("spacings: 1 2 3",)
    with pytest.raises(DataError, match="spacing in millimetres"):
        read_volume(save(tmp_path / "a.nrrd", *lines, units))
    millimetres = units.replace('"m"', '"mm"').replace('"cm"', '"mm"').replace('"um"', '"mm"')
    assert read_volume(save(tmp_path / "a.nrrd", *lines, millimetres)).spacing_mm == (1, 2, 3)


def test_f05_shear_is_kept(tmp_path):
    directions = "space directions: (1,0,0) (1,2,0) (0,0,3)"
    volume = read_volume(save(tmp_path / "a.nrrd", "space: RAS", directions, ORIGIN))
    assert volume.geometry.is_sheared
    np.testing.assert_array_equal(volume.affine[:3, :3], [[1, 1, 0], [0, 2, 0], [0, 0, 3]])


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["list", "vector", "RGB-color", "3-color", "time", "???"])
def test_f09_an_axis_without_direction_is_channels(tmp_path, place, kind):
    sizes, kinds, steps = ["2", "3", "4"], ["domain"] * 3, ["(1,0,0)", "(0,2,0)", "(0,0,3)"]
    for fields, entry in ((sizes, "3"), (kinds, kind), (steps, "none")):
        fields.insert(place, entry)
    lines = ("space: LPS", f"kinds: {' '.join(kinds)}", f"space directions: {' '.join(steps)}", ORIGIN)
    path = save(tmp_path / "a.nrrd", *lines, sizes=" ".join(sizes))
    with pytest.raises(DataError, match="--volume 0 to 2"):
        read_volume(path)
    stored = np.arange(72).reshape([int(size) for size in sizes], order="F")
    volume = read_volume(path, STRICT)
    np.testing.assert_array_equal(volume.array, np.moveaxis(stored, place, 0))
    assert volume.spacing_mm == (1, 2, 3)


def test_f09_colours_without_geometry_are_channels(tmp_path, caplog):
    path = save(tmp_path / "a.nrrd", "kinds: RGB-color domain domain", sizes="3 4 5")
    assert read_volume(path, ALL).array.shape == (3, 4, 5, 1)
    assert "1 mm is used" in caplog.text
    path = save(tmp_path / "a.nrrd", "kinds: vector domain domain", "spacings: 9 1 2", sizes="3 4 5")
    assert read_volume(path, ALL).spacing_mm == (1, 2, 1)
    path = save(tmp_path / "a.nrrd", "spacings: 1 2 NaN", sizes="4 5 3")
    assert read_volume(path, ALL).array.shape == (3, 4, 5, 1)


def test_time_that_mixes_with_space_is_refused(tmp_path):
    directions = "space directions: (1,0,0,0) (0,2,0,0) (0,0,3,{}) (0,0,0,1)"
    lines = ("space: left-posterior-superior-time", directions.format(0), "space origin: (4,5,6,7)")
    assert read_volume(save(tmp_path / "a.nrrd", *lines, sizes="2 3 4 2"), STRICT).array.shape == (2, 2, 3, 4)
    with pytest.raises(DataError, match="a fourth coordinate"):
        read_volume(save(tmp_path / "a.nrrd", lines[0], directions.format(1), lines[2], sizes="2 3 4 2"), ALL)


def test_a_slice_in_space_gets_its_normal_as_third_axis(tmp_path):
    lines = ("space: RAS", "space directions: (0,2,0) (0,0,3)", "space origin: (4,5,6)")
    volume = read_volume(save(tmp_path / "a.nrrd", *lines, sizes="2 3"), STRICT)
    np.testing.assert_array_equal(volume.affine, [[0, 0, 1, 4], [2, 0, 0, 5], [0, 3, 0, 6], [0, 0, 0, 1]])
