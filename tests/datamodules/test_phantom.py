import hashlib
import json

import nibabel
import numpy as np
import pytest

from datamodules import phantom
from datamodules.formats import read_labels, read_volume
from datamodules.formats.errors import DataError
from datamodules.phantom import make_case, make_phantom
from datamodules.phantom_anatomy import LABELS

SMALL = (40, 32, 32)  # the same field of view in coarser voxels


def hashes(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom") / "ct", cases=3, seed=5, shape=SMALL, workers=0)


def test_the_layout_is_that_of_nnunet(folder):
    description = json.loads((folder / "dataset.json").read_text())
    assert description["channel_names"] == {"0": "CT"}
    assert description["labels"] == LABELS
    assert description["numTraining"] == 3
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == [
        f"phantom_{index:03d}_0000.nii.gz" for index in range(3)
    ]
    assert (folder / "labelsTr" / "phantom_002.nii.gz").is_file()


def test_equal_seeds_give_equal_bytes_whatever_the_processes(folder, tmp_path):
    again = make_phantom(tmp_path / "again", cases=3, seed=5, shape=SMALL, workers=2)
    assert hashes(again) == hashes(folder)
    other = make_phantom(tmp_path / "other", cases=3, seed=6, shape=SMALL, workers=0)
    assert not set(hashes(other).values()) & set(hashes(folder).values())


def test_a_case_does_not_depend_on_how_many_there_are(folder, tmp_path):
    one = make_phantom(tmp_path / "one", cases=1, seed=5, shape=SMALL, workers=0)
    name = "imagesTr/phantom_000_0000.nii.gz"
    assert hashes(one)[name] == hashes(folder)[name]


def test_files_are_read_back_with_one_geometry_and_all_structures(folder):
    for index in range(3):
        path = folder / "imagesTr" / f"phantom_{index:03d}_0000.nii.gz"
        header = nibabel.load(path).header
        assert header.get_data_dtype() == np.int16
        np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)
        image, label = read_volume(path), read_labels(folder / "labelsTr" / f"phantom_{index:03d}.nii.gz")
        np.testing.assert_array_equal(image.affine, label.affine)
        assert image.shape == label.shape
        assert set(np.unique(label.array)) == set(LABELS.values())
        assert image.array.min() >= -1024
        assert image.array.max() < 3071


def test_the_liver_is_right_and_the_spleen_left_in_every_orientation():
    orientations = set()
    for index in range(6):
        _, label, affine = make_case(index, 3, SMALL)
        orientations.add(nibabel.aff2axcodes(affine))
        world = {
            name: (affine @ np.append(np.argwhere(label == value).mean(axis=0), 1))[:3]
            for name, value in LABELS.items()
        }
        assert world["liver"][0] > world["spine"][0] > world["spleen"][0]
        assert world["lungs"][2] > world["kidneys"][2]
        assert world["liver"][1] > world["spine"][1]
    assert len(orientations) >= 4


def test_image_and_label_show_the_same_body():
    image, label, _ = make_case(0, 0, SMALL)
    lungs = image[label == LABELS["lungs"]]
    assert np.median(lungs) == pytest.approx(-850, abs=80)
    assert np.median(image[label == LABELS["ribs"]]) > 200
    corner = image[:3, :3, :3].astype(float)
    assert corner.mean() < -900
    assert 0 < corner.std() < 60  # noise


def test_partial_volume_is_the_mean_and_the_label_the_majority():
    fine = np.zeros((2, 2, 4), dtype=np.float32)
    fine[:, :, 0] = 80
    assert phantom._pool(fine).tolist() == [[[40, 0]]]
    labels = np.zeros((2, 2, 4), dtype=np.uint8)
    labels[:, :, 2:] = 4
    labels[0, 0, 2:] = 6
    labels[0, 0, 0] = 6
    assert phantom._majority(labels).tolist() == [[[0, 4]]]


def test_an_existing_folder_is_refused_and_kept(tmp_path):
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct" / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="remove it or name another"):
        make_phantom(tmp_path / "ct", cases=1, shape=SMALL, workers=0)
    assert (tmp_path / "ct" / "mine.txt").read_text() == "kept"


def test_nothing_is_left_of_a_phantom_that_fails(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        make_phantom(tmp_path / "ct", cases=1, shape=(8, 8), workers=0)
    assert list(tmp_path.iterdir()) == []
