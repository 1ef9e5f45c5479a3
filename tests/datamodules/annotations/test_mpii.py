import json

import numpy as np
import pytest

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError


@pytest.fixture
def entry():
    joints = [[float(10 + n), float(20 + n)] for n in range(16)]
    joints[3] = [-1.0, -1.0]
    visible = [int(n != 3) for n in range(16)]
    return {"image": "000001163.jpg", "joints": joints, "joints_vis": visible, "center": [50, 60], "scale": 0.5}


@pytest.fixture
def write_mpii(tmp_path, write_images):
    def write(entries, name="annot/train.json"):
        write_images(tmp_path / "images", "000001163.jpg")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(entries))
        return tmp_path

    return write


def test_pixels_count_from_1_in_the_file_and_from_0_here(entry, write_mpii):
    listing = find_poses(write_mpii([entry]))

    assert listing.format == "mpii"
    (sample,) = listing.samples
    np.testing.assert_array_equal(sample.keypoints[0], [9, 19])
    np.testing.assert_array_equal(sample.keypoints[3], [0, 0])
    np.testing.assert_array_equal(sample.visibility, [2, 2, 2, 0] + [2] * 12)
    assert sample.head_size_px is None


def test_the_box_is_as_high_as_the_person_and_lower_than_the_centre(entry, write_mpii):
    (sample,) = find_poses(write_mpii([entry])).samples

    # 200 pixels at scale 1; the centre is 15 pixels at scale 1 lower, and counts from 0
    assert sample.box == (49 - 50, 59 + 7.5 - 50, 100, 100)


@pytest.mark.parametrize("key", ["headbox", "head_box", "head_rect"])
def test_the_head_size_is_six_tenths_of_the_head_boxs_diagonal(entry, write_mpii, key):
    (sample,) = find_poses(write_mpii([entry | {key: [10, 10, 40, 50]}])).samples

    assert sample.head_size_px == pytest.approx(30)


def test_joints_limbs_and_pairs_are_those_of_the_set(entry, write_mpii):
    skeleton = find_poses(write_mpii([entry])).skeleton

    assert len(skeleton.names) == 16
    assert skeleton.names[9] == "head_top"
    assert len(skeleton.edges) == 15
    assert len(skeleton.pairs) == 6


def test_people_of_one_image_are_one_group(entry, write_mpii):
    listing = find_poses(write_mpii([entry, entry | {"center": [1, 2]}]))

    assert [sample.id for sample in listing.samples] == ["000001163", "000001163_2"]
    assert len({sample.group for sample in listing.samples}) == 1


def test_unlabelled_joints_with_coordinates_and_people_without_joints_are_counted(entry, write_mpii):
    hidden = entry | {"joints_vis": [0, *entry["joints_vis"][1:]]}
    listing = find_poses(write_mpii([hidden, entry | {"joints_vis": [0] * 16}]))

    assert len(listing.samples) == 1
    assert listing.samples[0].visibility[0] == 0
    assert "people left out, without any labelled joint: 1" in listing.origins
    assert any("with coordinates but joints_vis 0" in origin for origin in listing.origins)


def test_the_file_of_both_parts_counts(entry, write_mpii):
    write_mpii([entry])
    write_mpii([entry], "annot/valid.json")
    root = write_mpii([entry, entry], "annot/trainval.json")
    listing = find_poses(root)

    assert len(listing.samples) == 2
    assert "not read: train.json, valid.json" in listing.origins[0]


def test_two_parts_alone_are_refused(entry, write_mpii):
    write_mpii([entry])

    with pytest.raises(DataError, match=r"annot/train\.json, annot/valid\.json"):
        find_poses(write_mpii([entry], "annot/valid.json"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": [[1, 2]] * 14}, r"`joints` of shape \[16, 2\], found \[14, 2\] in entry 2"),
        ({"joints": [["a", 2]] * 16}, "numbers as `joints`.*entry 2"),
        ({"joints": [[1, float("nan")]] * 16}, "finite coordinates.*entry 2"),
        ({"joints_vis": [2] * 16}, "joints_vis of 0 or 1.*entry 2"),
        ({"joints_vis": [1]}, r"`joints_vis` of shape \[16\]"),
        ({"center": [1]}, r"`center` of shape \[2\]"),
        ({"scale": [1, 1]}, r"`scale` of shape \[\]"),
        ({"headbox": [1, 1]}, r"`headbox` of shape \[4\]"),
        ({"image": None}, "`image` in every entry, found none in entry 2"),
    ],
)
def test_malformed_entries_are_refused_and_located(entry, write_mpii, change, message):
    with pytest.raises(DataError, match=message):
        find_poses(write_mpii([entry, entry | change]))
