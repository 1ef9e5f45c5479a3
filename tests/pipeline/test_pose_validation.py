from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datamodules.cropping import PosePreprocessing, invert, transform, whole_image
from datamodules.formats.errors import DataError
from datamodules.heatmaps import HeatmapCodec
from datamodules.keypoints import PoseSample, Skeleton
from networks.hourglass import Hourglass
from pipeline.inference.pose_predictor import PosePredictor, PoseSettings
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder
from pipeline.pose_validation import box_out_of_view, predict_subjects, show_subjects

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    torch.manual_seed(0)
    preprocessing = PosePreprocessing((32, 32), "box", 1.25)
    description = ModelDescription(
        task="pose",
        network={},
        preprocessing=preprocessing.to_dict(),
        labels=Skeleton(NAMES).to_dict(),
        patch_size=[32, 32],
        inference={"codec": HeatmapCodec().to_dict(), "flip_test": False, "precision": "32-true"},
        versions={},
        data_digest="",
        metrics={},
        training_range={},
    )
    folder = tmp_path_factory.mktemp("model") / "model"
    save_model_folder(folder, Hourglass(3, 4, stacks=1, features=8, depth=1), description)
    return PosePredictor(load_model_folder(folder), torch.device("cpu"), PoseSettings(batch_size=2))


@pytest.fixture
def samples(tmp_path):
    """Three subjects on two images."""
    made = []
    for number in range(3):
        path = tmp_path / f"{number // 2}.png"
        if not path.exists():
            cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (60, 80, 3), dtype=np.uint8))
        points = np.array([[20, 10], [30, 20], [40, 30], [50, 45]], np.float32) + number
        made.append(PoseSample(f"s{number}", "g", path, points, np.full(4, 2, np.uint8), (15.0, 5.0, 40.0, 45.0)))
    return made


def test_subjects_keep_their_order_and_points_lie_in_what_was_shown(predictor, samples):
    found = predict_subjects(predictor, samples, KeypointNorm("box", annotated=True))
    assert [pose.sample.id for pose in found] == ["s0", "s1", "s2"]
    assert [pose.norm_px for pose in found] == [45.0] * 3
    for pose in found:
        places = transform(invert(pose.to_original), pose.points)
        assert ((places > -2) & (places < 33)).all()


def test_a_batch_gives_what_a_subject_alone_gives(predictor, samples):
    together = predict_subjects(predictor, samples, KeypointNorm("box"))
    alone = [predict_subjects(predictor, [sample], KeypointNorm("box"))[0] for sample in samples]
    for pose, other in zip(together, alone, strict=True):
        assert pose.points == pytest.approx(other.points, abs=0.02)
        assert pose.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("labelled", [[2, 2, 2, 2], [2, 0, 2, 2], [0, 0, 1, 0]])
def test_a_shifted_cut_leaves_at_least_half_of_the_labelled_joints_out_of_view(predictor, samples, turn, labelled):
    sample = replace(samples[0], visibility=np.array(labelled, np.uint8))
    preprocessing = predictor.preprocessing
    box = box_out_of_view(sample, sample.box, preprocessing.affine(sample.box), (32, 32), turn)
    assert box[2:] == sample.box[2:]
    places = transform(invert(preprocessing.affine(box)), sample.keypoints[sample.visibility > 0])
    outside = ~((places > -0.5) & (places < 31.5)).all(axis=1)
    assert outside.sum() == (len(places) + 1) // 2  # these joints are far apart
    # It is the side of this turn that they lie beyond.
    beyond = [places[:, 0] < 0, places[:, 1] < 0, places[:, 0] > 31, places[:, 1] > 31][turn]
    assert beyond.sum() == outside.sum()


@pytest.mark.parametrize("turn", range(4))
def test_of_a_subject_that_is_small_in_its_image_all_joints_are_clearly_out_of_view(turn):
    preprocessing, whole = PosePreprocessing((128, 96), "image"), whole_image(640, 480)
    points = np.array([[300, 200], [304, 201], [310, 207], [306, 203]], np.float32)
    sample = PoseSample("mouse", "g", Path("x.png"), points, np.full(4, 2, np.uint8))
    box = box_out_of_view(sample, whole, preprocessing.affine(whole), (128, 96), turn)
    places = transform(invert(preprocessing.affine(box)), points)
    beyond = [-places[:, 0], -places[:, 1], places[:, 0] - 127, places[:, 1] - 95][turn]
    assert beyond.min() > 3


def test_shifted_cuts_go_to_each_side_in_turn(predictor, samples):
    whole = [shown.to_original[:, 2] for shown in show_subjects(predictor, [samples[0]] * 4)]
    shifted = [shown.to_original[:, 2] for shown in show_subjects(predictor, [samples[0]] * 4, "shifted")]
    moves = np.array(shifted) - whole
    assert (np.sign(np.round(moves, 6)) == [[1, 0], [0, 1], [-1, 0], [0, -1]]).all()


def test_an_image_that_does_not_decode_is_refused_by_name(predictor, samples, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for path in (tmp_path / "broken.png", Path(tmp_path / "gone.png")):
        with pytest.raises(DataError, match=path.name):
            predict_subjects(predictor, [replace(samples[0], image=path)], KeypointNorm("box"))
