import pytest

from datamodules.annotations import find_poses
from datamodules.annotations.names import pairs_by_names
from datamodules.formats.errors import DataError


@pytest.mark.parametrize(
    "pair",
    [
        "left_ankle right_ankle",
        "ankle_left ankle_right",
        "leftear rightear",
        "Left Ear,Right Ear",
        "LEFT_EAR RIGHT_EAR",
        "frontLeftPaw frontRightPaw",
        "ear_L ear_R",
        "L_ear R_ear",
        "paw.L.001 paw.R.001",
        "LAnkle RAnkle",
        "ankleL ankleR",
        "paw1LH paw1RH",
        "pawFL pawFR",
        "pawLFront pawRFront",
        "l_ear r_ear",
        "ear_l ear_r",
        "lAnkle rAnkle",
        "paw_fl paw_fr",
        "left_of_left right_of_right",
        "Œil_left Œil_right",
    ],
)
def test_left_and_right_are_found_in_names(pair):
    left, right = pair.split("," if "," in pair else " ")

    assert pairs_by_names(["nose", right, "tail", left])[0] == ((3, 1),)


@pytest.mark.parametrize(
    "names",
    [
        ["paw1LH_top", "paw2LF_top", "paw3RF_top", "paw4RH_top"],
        ["left_ear", "rightear"],
        ["snout", "tail"],
        ["left_ear", "left_eye"],
        ["Lip", "Rip"],
        ["kneel", "kneer"],
        ["nose", "lump", "rump"],
        ["lip", "rip", "left_ear", "right_ear_tip"],
        ["upper_lip", "upper_rip"],
    ],
)
def test_joints_are_not_paired_by_a_guess(names):
    assert pairs_by_names(names)[0] == ()


def test_a_bare_l_and_r_in_front_count_from_two_pairs_on(coco, write_coco):
    names = ["rsho", "lsho", "lelb", "relb", "nose", "l_ear", "r_ear"]

    assert pairs_by_names(names) == (((1, 0), (2, 3), (5, 6)), ())
    coco["categories"][0]["keypoints"] = ["lsho", "rsho", "nose", "lelb", "relb"]
    coco["categories"][0]["skeleton"] = []
    for annotation in coco["annotations"]:
        annotation["keypoints"] += [1, 1, 2, 1, 1, 2]
    told = next(line for line in find_poses(write_coco(coco)).origins if line.startswith("left and right"))
    assert "lsho/rsho, lelb/relb, by their names (lsho/rsho, lelb/relb by nothing but an l or r in front)" in told


def test_a_single_pair_of_bare_l_and_r_stays_single_and_is_told(coco, write_coco):
    assert pairs_by_names(["lump", "left_ear", "rump", "right_ear"]) == (((1, 3),), ("lump", "rump"))
    coco["categories"][0]["keypoints"] = ["nose", "lump", "rump"]
    listing = find_poses(write_coco(coco))

    assert listing.skeleton.pairs == ()
    assert any("in doubt and left single: lump, rump; data.pairs" in origin for origin in listing.origins)


def test_a_name_with_two_possible_twins_stays_single_and_is_told():
    pairs, doubtful = pairs_by_names(["left_L", "right_L", "left_R", "left_eye", "right_eye"])

    assert pairs == ((3, 4),)
    assert doubtful == ("left_L",)


def test_options_override_the_file(coco, write_coco):
    root = write_coco(coco)
    skeleton = find_poses(root, edges=[("left_ear", "right_ear")], pairs=[("nose", "left_ear")]).skeleton

    assert skeleton.edges == ((1, 2),)
    assert skeleton.pairs == ((0, 1),)


def test_an_empty_option_means_none(coco, write_coco):
    listing = find_poses(write_coco(coco), edges=[], pairs=[])

    assert listing.skeleton.edges == listing.skeleton.pairs == ()
    assert "left and right pairs: from data.pairs" in listing.origins


def test_no_pairs_are_told(coco, write_coco):
    coco["categories"][0]["keypoints"] = ["a", "b", "c"]
    listing = find_poses(write_coco(coco))

    assert listing.skeleton.pairs == ()
    assert any("pairs: none" in origin and "data.pairs" in origin for origin in listing.origins)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": [("nose", "tail")]}, r"data\.edges: expected pairs of two different joints of nose"),
        ({"pairs": [("nose", "nose")]}, r"data\.pairs"),
        ({"pairs": [("nose", "left_ear"), ("nose", "right_ear")]}, r"data\.pairs: expected each joint in one pair"),
    ],
)
def test_options_that_name_no_joints_are_refused(coco, write_coco, options, message):
    with pytest.raises(DataError, match=message):
        find_poses(write_coco(coco), **options)
