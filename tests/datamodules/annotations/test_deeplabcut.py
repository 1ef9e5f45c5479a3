import numpy as np
import pandas as pd
import pytest

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError

PARTS = ["snout", "leftear", "rightear"]
CONFIG = "scorer: me\nbodyparts:\n- snout\n- leftear\n- rightear\nskeleton:\n- [snout, leftear]\n- [snout, rightear]\n"
ALL = ("csv", "fixed", "table")


def _frame(video, *, index="path", parts=PARTS, scorer="me", individuals=None, names=("img1.png", "img2.png")):
    levels = [[scorer], *([individuals] if individuals else []), list(parts), ["x", "y"]]
    labels = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product(levels, names=labels)
    values = np.arange(len(names) * len(columns), dtype=float).reshape(len(names), -1) + 0.125
    values[1, 2:4] = np.nan
    rows = [("labeled-data", video, name) for name in names]
    axis = pd.MultiIndex.from_tuples(rows) if index == "columns" else ["/".join(row) for row in rows]
    return pd.DataFrame(values, index=axis, columns=columns)


@pytest.fixture
def project(tmp_path, write_images):
    """Write a project as DeepLabCut does: one frame of labels for each video, as CSV, as HDF5 or as both."""

    def write(frames, kinds=("csv",), config=CONFIG, scorer="me"):
        if config:
            (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        for video, frame in frames.items():
            folder = tmp_path / "labeled-data" / video
            rows = [row if isinstance(row, str) else "/".join(row) for row in frame.index]
            write_images(folder, *(row.replace("\\", "/").split("/")[-1] for row in rows))
            for kind in kinds:
                if kind == "csv":
                    frame.to_csv(folder / f"CollectedData_{scorer}.csv")
                else:
                    frame.to_hdf(folder / f"CollectedData_{scorer}.h5", key="df_with_missing", mode="w", format=kind)
        return tmp_path

    return write


@pytest.mark.parametrize("kind", ALL)
def test_labels_are_read_from_every_kind_of_table(project, kind):
    listing = find_poses(project({"m1": _frame("m1")}, kinds=(kind,)))

    assert listing.format == "deeplabcut"
    assert [sample.id for sample in listing.samples] == ["m1_img1", "m1_img2"]
    first, second = listing.samples
    np.testing.assert_array_equal(first.keypoints, [[0.125, 1.125], [2.125, 3.125], [4.125, 5.125]])
    np.testing.assert_array_equal(first.visibility, [2, 2, 2])
    np.testing.assert_array_equal(second.keypoints, [[6.125, 7.125], [0, 0], [10.125, 11.125]])
    np.testing.assert_array_equal(second.visibility, [2, 0, 2])
    assert first.box is None
    assert first.image.is_file()


@pytest.mark.parametrize("kind", ["csv", "fixed"])  # pandas writes no such index in the format "table"
def test_an_index_of_three_columns_is_joined(project, kind):
    root = project({"m1": _frame("m1", index="columns")}, kinds=(kind,))

    assert [sample.id for sample in find_poses(root).samples] == ["m1_img1", "m1_img2"]


def test_names_limbs_and_pairs_come_from_the_config_and_the_names(project):
    skeleton = find_poses(project({"m1": _frame("m1")})).skeleton

    assert skeleton.names == tuple(PARTS)
    assert skeleton.edges == ((0, 1), (0, 2))
    assert skeleton.pairs == ((1, 2),)


def test_the_config_file_stands_for_its_project(project):
    root = project({"m1": _frame("m1")})

    assert len(find_poses(root / "config.yaml").samples) == 2
    assert len(find_poses(root / "labeled-data/m1/CollectedData_me.csv").samples) == 2


def test_one_video_splits_by_image_and_two_by_video(project):
    root = project({"m1": _frame("m1")})
    one = find_poses(root)
    project({"m2": _frame("m2")})
    two = find_poses(root)

    assert len({sample.group for sample in one.samples}) == 2
    assert any("one for each image" in origin for origin in one.origins)
    assert [sample.group for sample in two.samples] == ["m1", "m1", "m2", "m2"]
    assert any("one for each video" in origin for origin in two.origins)


@pytest.mark.parametrize("kind", ALL)
def test_animals_of_one_image_are_subjects_of_one_group(project, kind):
    frame = _frame("m1", individuals=["ann", "bob"])
    unique = pd.DataFrame(
        [[1.0, 2.0], [3.0, 4.0]],
        index=frame.index,
        columns=pd.MultiIndex.from_tuples([("me", "single", "door", c) for c in "xy"], names=frame.columns.names),
    )
    config = "multianimalproject: true\nbodyparts: MULTI!\nmultianimalbodyparts: [snout, leftear, rightear]\n"
    listing = find_poses(project({"m1": pd.concat([frame, unique], axis=1)}, kinds=(kind,), config=config))

    assert [sample.id for sample in listing.samples] == ["m1_img1", "m1_img1_2", "m1_img2", "m1_img2_2"]
    assert listing.samples[0].group == listing.samples[1].group
    np.testing.assert_array_equal(listing.samples[1].keypoints[0], [6.125, 7.125])
    assert listing.skeleton.names == tuple(PARTS)
    assert any("belong to no animal" in origin for origin in listing.origins)


def test_body_parts_that_came_or_went_later_are_told(project):
    root = project({"m1": _frame("m1", parts=["snout", "tail"])})
    listing = find_poses(root)

    assert listing.skeleton.names == tuple(PARTS)
    np.testing.assert_array_equal(listing.samples[0].visibility, [2, 0, 0])
    assert any("never labelled: leftear, rightear" in o and "left out: tail" in o for o in listing.origins)


def test_limbs_of_the_example_in_a_new_config_are_left_out_and_told(project):
    config = CONFIG + "- [bodypart1, objectA]\n"
    listing = find_poses(project({"m1": _frame("m1")}, config=config))

    assert listing.skeleton.edges == ((0, 1), (0, 2))
    assert any("bodypart1 to objectA" in origin for origin in listing.origins)


def test_a_project_without_config_takes_names_from_the_header(project):
    listing = find_poses(project({"m1": _frame("m1")}, config=None))

    assert listing.skeleton.names == tuple(PARTS)


def test_rows_without_labels_are_left_out_and_counted(project):
    frame = _frame("m1")
    frame.iloc[1] = np.nan
    listing = find_poses(project({"m1": frame}))

    assert len(listing.samples) == 1
    assert "rows left out, without any labelled joint: 1" in listing.origins


@pytest.mark.parametrize(
    "written", ["C:\\lab\\labeled-data\\m1\\{}", "labeled-data/old name/{}", "labeled-data\\m1\\{}"]
)
def test_images_are_found_beside_their_table_whatever_its_paths(project, written):
    frame = _frame("m1")
    frame.index = [written.format(name) for name in ("img1.png", "img2.png")]
    listing = find_poses(project({"m1": frame}))

    assert [sample.id for sample in listing.samples] == ["m1_img1", "m1_img2"]


def test_f31_spaces_and_accents_are_kept(project):
    root = project({"jour 1": _frame("jour 1", names=("été 1.png", "été 2.png"))}, kinds=("csv", "fixed"))

    assert [sample.id for sample in find_poses(root).samples] == ["jour 1_été 1", "jour 1_été 2"]


def test_missing_images_are_refused(project):
    root = project({"m1": _frame("m1")})
    (root / "labeled-data/m1/img2.png").unlink()

    with pytest.raises(DataError, match=r"1 missing.*labeled-data/m1/img2\.png"):
        find_poses(root)


def test_a_config_of_other_body_parts_is_refused(project):
    with pytest.raises(DataError, match="expected body parts of the labels: a, b"):
        find_poses(project({"m1": _frame("m1", parts=["a", "b"])}))


def test_the_layout_of_lightning_pose_is_read(tmp_path, write_images):
    write_images(tmp_path / "labeled-data", "img1.png", "img2.png")
    frame = _frame("", names=("img1.png", "img2.png"))
    frame.index = ["labeled-data/img1.png", "labeled-data/img2.png"]
    frame.to_csv(tmp_path / "CollectedData.csv")
    frame.to_csv(tmp_path / "CollectedData_new.csv")
    listing = find_poses(tmp_path)

    assert listing.format == "deeplabcut"
    assert [sample.id for sample in listing.samples] == ["img1", "img2"]
    assert "not read: CollectedData_new.csv" in listing.origins[0]


@pytest.mark.shared_data
def test_the_open_field_mouse_has_86_frames_and_a_pair_of_ears(shared_data):
    listing = find_poses(shared_data / "open_field_mouse")

    assert listing.format == "deeplabcut"
    assert len(listing.samples) == 86
    assert listing.skeleton.names == ("snout", "leftear", "rightear", "tailbase")
    assert listing.skeleton.pairs == ((1, 2),)
    np.testing.assert_allclose(listing.samples[0].keypoints[0], [21.521, 265.428])
    assert len({sample.group for sample in listing.samples}) == 86


@pytest.mark.shared_data
def test_the_mirror_mouse_has_90_frames_and_no_pair(shared_data):
    listing = find_poses(shared_data / "mirror_mouse")

    assert listing.format == "deeplabcut"
    assert len(listing.samples) == 90
    assert len(listing.skeleton.names) == 17
    assert listing.skeleton.pairs == ()
    np.testing.assert_array_equal(listing.samples[0].visibility[:6], [2, 2, 2, 2, 0, 0])
    np.testing.assert_allclose(listing.samples[0].keypoints[0], [77.25, 36.25])


def test_rows_that_lead_to_one_image_are_refused(project):
    frame = _frame("m1")
    frame.index = ["/home/one/labeled-data/m1/img1.png", "/home/other/labeled-data/m1/img1.png"]
    root = project({"m1": frame})

    with pytest.raises(DataError, match=r"one row for each image, found more for labeled-data/m1/img1\.png"):
        find_poses(root)
    with pytest.raises(DataError, match=r"one row for each image"):
        find_poses(root / "labeled-data/m1/CollectedData_me.csv")


def test_tables_of_two_videos_that_name_the_same_images_are_refused(project):
    copy = _frame("m1")  # of a folder that was copied, with the paths of the first
    root = project({"m1": _frame("m1"), "m2": copy})

    with pytest.raises(DataError, match=r"one row for each image, found more for labeled-data/m1/img1\.png"):
        find_poses(root)
