import numpy as np
import pytest
import scipy.io

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError


@pytest.fixture
def people():
    """Three people [3, 14, 3]: x, y and a flag that is 1 for the first seven joints."""
    table = np.random.default_rng(0).uniform(0, 100, (3, 14, 3))
    table[:, :, 2] = np.arange(14) < 7
    return table


@pytest.fixture
def write_lsp(tmp_path, write_images):
    def write(table, axes, names=("im0001.jpg", "im0002.jpg", "im0003.jpg"), folder="images"):
        write_images(tmp_path / folder, *names)
        scipy.io.savemat(tmp_path / "joints.mat", {"joints": table.transpose(axes)})
        return tmp_path

    return write


def test_the_extended_set_flags_visible_joints_and_others_are_unlabelled(people, write_lsp):
    listing = find_poses(write_lsp(people, (1, 2, 0)))

    assert listing.format == "lsp"
    assert [sample.id for sample in listing.samples] == ["im0001", "im0002", "im0003"]
    np.testing.assert_array_equal(listing.samples[1].visibility, [2] * 7 + [0] * 7)
    np.testing.assert_allclose(listing.samples[1].keypoints[:7], people[1, :7, :2], rtol=1e-6)
    assert not listing.samples[1].keypoints[7:].any()
    assert any("LSP Extended" in origin for origin in listing.origins)


def test_the_original_set_flags_occluded_joints_and_all_are_labelled(people, write_lsp):
    listing = find_poses(write_lsp(people, (2, 1, 0)))

    np.testing.assert_array_equal(listing.samples[1].visibility, [1] * 7 + [2] * 7)
    np.testing.assert_allclose(listing.samples[1].keypoints, people[1, :, :2], rtol=1e-6)
    assert any("as in LSP: third row 1 is occluded" in origin for origin in listing.origins)


def test_joints_limbs_and_pairs_are_those_of_the_set(people, write_lsp):
    skeleton = find_poses(write_lsp(people, (1, 2, 0))).skeleton

    assert len(skeleton.names) == 14
    assert len(skeleton.edges) == 13
    assert sorted(skeleton.names[left] for left, _ in skeleton.pairs) == sorted(
        name for name in skeleton.names if name.startswith("left")
    )


def test_the_matrix_file_stands_for_its_set_and_images_may_lie_beside_it(people, write_lsp):
    root = write_lsp(people, (1, 2, 0), folder=".")

    assert len(find_poses(root / "joints.mat").samples) == 3


def test_people_without_labels_are_left_out_and_counted(people, write_lsp):
    people[2, :, 2] = 0
    listing = find_poses(write_lsp(people, (1, 2, 0)))

    assert len(listing.samples) == 2
    assert "images left out, without any labelled joint: 1" in listing.origins


def _flag(people):
    people[1, 4, 2] = 0.5


def _infinite(people):
    people[1, 4, 0] = np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [(_flag, r"0 or 1 in the third row, found 0\.5 for joint 5 of person 2"), (_infinite, r"others in .* im0002\.jpg")],
)
def test_malformed_matrices_are_refused(people, write_lsp, change, message):
    change(people)

    with pytest.raises(DataError, match=message):
        find_poses(write_lsp(people, (1, 2, 0)))


def test_a_matrix_of_another_shape_is_refused(people, write_lsp):
    with pytest.raises(DataError, match=r"joints\.mat: \[3, 14, 3, 1\]|\[14, 2, 3\]"):
        find_poses(write_lsp(people[:, :, :2], (1, 2, 0)))


def test_as_many_images_as_people_are_needed(people, write_lsp):
    with pytest.raises(DataError, match=r"3 images, one for each person of joints\.mat, found 2"):
        find_poses(write_lsp(people, (1, 2, 0), names=("a.jpg", "b.jpg")))


def test_names_that_sort_otherwise_than_their_numbers_are_refused(people, write_lsp):
    with pytest.raises(DataError, match="pad the numbers with zeros"):
        find_poses(write_lsp(people, (1, 2, 0), names=("im1.jpg", "im2.jpg", "im10.jpg")))
