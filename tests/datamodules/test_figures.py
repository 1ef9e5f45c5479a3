import hashlib
import json

import cv2
import numpy as np
import pytest

from datamodules.figure_body import EDGES, JOINTS
from datamodules.figure_picture import make_picture
from datamodules.figures import VERSION, check_figures, make_figures
from datamodules.formats.errors import DataError

SIZE = (96, 80)


def hashes(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("figures") / "person"
    return make_figures(root, images=6, seed=5, size=SIZE, frames=3, workers=0)


def test_the_layout_is_that_of_coco_keypoints(folder):
    description = json.loads((folder / "annotations.json").read_text())
    assert description["info"]["figures"] == {"version": VERSION, "seed": 5, "size": [96, 80], "images": 6}
    [category] = description["categories"]
    assert category["keypoints"] == list(JOINTS)
    assert category["skeleton"] == [[a + 1, b + 1] for a, b in EDGES]
    assert [one["file_name"] for one in description["images"]] == [f"figure_{index:05d}.jpg" for index in range(6)]
    assert [one["image_id"] for one in description["annotations"]] == [one["id"] for one in description["images"]]
    assert sorted(path.name for path in folder.iterdir()) == [
        "annotations.json",
        "images",
        "video.mp4",
        "video_joints.csv",
    ]


def test_annotations_and_pixels_are_those_that_were_rendered(folder):
    description = json.loads((folder / "annotations.json").read_text())
    for index, (image, annotation) in enumerate(zip(description["images"], description["annotations"], strict=True)):
        picture = make_picture((VERSION, 5, index), SIZE)
        keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
        labelled = picture.visibility > 0
        np.testing.assert_array_equal(keypoints[:, 2], picture.visibility)
        np.testing.assert_allclose(keypoints[labelled, :2], picture.joints[labelled], atol=0.006)
        assert not keypoints[~labelled].any()
        assert annotation["num_keypoints"] == labelled.sum()
        np.testing.assert_allclose(annotation["bbox"], picture.box, atol=0.006)
        assert annotation["area"] == pytest.approx(picture.area_px, abs=0.06)
        pixels = cv2.imread(str(folder / "images" / image["file_name"]))[:, :, ::-1]
        assert pixels.shape == (image["height"], image["width"], 3)
        both = [cv2.resize(one, (12, 10), interpolation=cv2.INTER_AREA).astype(int) for one in (pixels, picture.image)]
        assert np.abs(both[0] - both[1]).max() < 12


def test_pycocotools_reads_the_annotations(folder):
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    assert len(coco.getAnnIds(catIds=[1])) == 6


def test_equal_seeds_give_equal_bytes_whatever_the_processes(folder, tmp_path):
    again = make_figures(tmp_path / "again", images=6, seed=5, size=SIZE, frames=3, workers=2)
    assert hashes(again) == hashes(folder)
    other = make_figures(tmp_path / "other", images=6, seed=6, size=SIZE, frames=3, workers=0)
    assert not set(hashes(other).values()) & set(hashes(folder).values())


def test_an_image_does_not_depend_on_how_many_there_are_nor_on_the_video(folder, tmp_path):
    one = make_figures(tmp_path / "one", images=1, seed=5, size=SIZE, frames=0, workers=0)
    name = "images/figure_00000.jpg"
    assert hashes(one)[name] == hashes(folder)[name]
    assert not (one / "video.mp4").exists()


@pytest.mark.parametrize("wrong", [{"images": 0}, {"frames": -1}, {"size": (63, 200)}])
def test_what_shows_nobody_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="expected images above 0"):
        make_figures(tmp_path / "person", **{"images": 1, "frames": 0, "workers": 0} | wrong)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "person").mkdir()
    (tmp_path / "person" / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="remove it or name another"):
        make_figures(tmp_path / "person", images=1, frames=0, workers=0)
    assert (tmp_path / "person" / "mine.txt").read_text() == "kept"


def test_figures_of_this_version_pass(folder):
    check_figures(folder)


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ({"info": {"figures": {"version": VERSION - 1}}}, f"found version {VERSION - 1}"),
        ({"info": {"figures": {"version": VERSION + 1}}}, f"found version {VERSION + 1}"),
        ({"info": {"figures": 1}}, "found none"),
        ({"images": []}, "found none"),
        ([], "found none"),
        (None, "found none"),
    ],
)
def test_figures_of_another_version_are_refused_with_the_remedy(tmp_path, description, found):
    if description is not None:
        (tmp_path / "annotations.json").write_text(json.dumps(description))
    with pytest.raises(DataError, match=f"figures of version {VERSION}, {found}.*remove the folder"):
        check_figures(tmp_path)


def test_nothing_is_left_of_figures_that_fail(tmp_path):
    with pytest.raises(ValueError, match="non-negative"):
        make_figures(tmp_path / "person", images=1, seed=-1, frames=0, workers=0)
    assert list(tmp_path.iterdir()) == []
