"""A pose model's network on crops: places in the original, flip test, calibration, and what is refused."""

import json

import numpy as np
import pytest
import torch

from datamodules.cropping import box_to_original
from datamodules.formats.errors import DataError
from datamodules.heatmaps import HeatmapCodec
from pipeline.calibration import Calibration
from pipeline.inference.pose_predictor import PosePredictor, PoseSettings
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
from pipeline.model_folder import load_model_folder

CPU = torch.device("cpu")


def some_crops(count=3, size=(64, 64)):
    images = np.random.default_rng(0).integers(0, 255, (count, size[1], size[0], 3), dtype=np.uint8)
    return torch.from_numpy(images), np.tile(np.eye(2, 3), (count, 1, 1))


def test_points_are_taken_back_to_the_original_by_the_affine_of_each_crop(make_predictor):
    crops, same = some_crops()
    maps = np.stack([box_to_original((10 * n, 5, 40 + n, 90), (64, 64)) for n in range(3)])
    predictor = make_predictor()
    at_crop, at_image = predictor.predict(crops, same), predictor.predict(crops, maps)
    for n in range(3):
        expected = at_crop.points[n].numpy() @ maps[n][:, :2].T + maps[n][:, 2]
        np.testing.assert_allclose(at_image.points[n].numpy(), expected, atol=1e-9)
    torch.testing.assert_close(at_image.score, at_image.heatmaps.amax((2, 3)))


def test_a_batch_gives_what_its_images_give_alone(make_predictor):
    crops, same = some_crops(5)
    predictor = make_predictor(batch_size=2)
    together = predictor.predict(crops, same)
    alone = [predictor.predict(crops[n : n + 1], same[n : n + 1]).heatmaps for n in range(5)]
    torch.testing.assert_close(together.heatmaps, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_with_a_flip_test_the_mirror_image_has_the_mirrored_joints(make_predictor):
    crops, same = some_crops()
    predictor = make_predictor(flip_test=True)
    order = list(predictor.skeleton.mirrored)
    assert order == [0, 2, 1, 3]
    plain, mirrored = predictor.predict(crops, same), predictor.predict(crops.flip(2), same)
    torch.testing.assert_close(mirrored.heatmaps, plain.heatmaps.flip(-1)[:, order], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plain.heatmaps, make_predictor().predict(crops, same).heatmaps)


def test_the_model_folder_decides_on_the_flip_test_unless_told(tmp_path, make_pose_model):
    inference = {"codec": HeatmapCodec().to_dict(), "flip_test": True, "precision": "32-true"}
    model = load_model_folder(make_pose_model(tmp_path / "model", inference=inference))
    assert PosePredictor(model, CPU).flip_test
    assert not PosePredictor(model, CPU, PoseSettings(flip_test=False)).flip_test


def test_confidence_is_the_calibrated_score(tmp_path, make_pose_model):
    calibration = Calibration("temperature", ((0.0, 0.0), (1.0, 0.25), (100.0, 0.75)), "a test")
    inference = {"codec": HeatmapCodec().to_dict(), "calibration": calibration.to_dict(), "precision": "32-true"}
    predictor = PosePredictor(load_model_folder(make_pose_model(tmp_path / "model", inference=inference)), CPU)
    found = predictor.predict(*some_crops())
    torch.testing.assert_close(found.confidence, calibration.apply(found.score))
    assert found.confidence.max() <= 0.75


@pytest.mark.parametrize("method", ["argmax", "quarter", "dark", "soft_argmax", "udp"])
def test_cells_are_taken_to_the_pixels_that_the_codec_means(tmp_path, make_pose_model, method):
    inference = {"codec": HeatmapCodec(method).to_dict(), "precision": "32-true"}
    folder = make_pose_model(tmp_path / "model", inference=inference, size=(64, 128))
    stride, affine = PosePredictor(load_model_folder(folder), CPU).cell_to_input((16, 32))
    steps, first = ((63 / 15, 127 / 31), 0.0) if method == "udp" else ((4.0, 4.0), 1.5)
    np.testing.assert_allclose(stride, steps, rtol=1e-5)
    np.testing.assert_allclose(affine, [[steps[0], 0, first], [0, steps[1], first]], atol=1e-4)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize(
    ("trained", "chosen", "words"),
    [
        (False, True, ["flip test is on", "calibrated without the flip test"]),
        (True, False, ["calibrated with the flip test"]),
        (True, None, []),
        (False, False, []),
    ],
)
def test_a_flip_test_unlike_the_model_s_is_doubted(tmp_path, make_pose_model, trained, chosen, words, calibrated):
    inference = {"codec": HeatmapCodec().to_dict(), "flip_test": trained, "precision": "32-true"}
    if calibrated:
        inference["calibration"] = Calibration("temperature", ((0.0, 0.0), (1.0, 0.5)), "a test").to_dict()
    else:
        words = [word for word in words if "calibrated" not in word]
    model = load_model_folder(make_pose_model(tmp_path / "model", inference=inference))
    doubts = PosePredictor(model, CPU, PoseSettings(flip_test=chosen)).doubts()
    assert len(doubts) == len(words)
    assert all(word in doubt for word, doubt in zip(words, doubts, strict=True))


def test_numbers_that_are_not_finite_are_refused(make_predictor):
    predictor = make_predictor()
    with torch.no_grad():
        next(iter(predictor.network.parameters())).fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="precision fp32"):
        predictor.predict(*some_crops())


def test_memory_that_runs_out_halves_the_batch_once(make_predictor, caplog):
    predictor = make_predictor(batch_size=4)
    expected = predictor.predict(*some_crops(4)).heatmaps
    network = predictor.network.forward

    def small(image):
        if len(image) > 2:
            raise MemoryError
        return network(image)

    predictor.network.forward = small
    torch.testing.assert_close(predictor.predict(*some_crops(4)).heatmaps, expected, atol=1e-4, rtol=1e-4)
    assert "batch size 2" in caplog.text
    predictor.batch_size = 8
    with pytest.raises(MemoryError, match="--batch-size"):
        predictor.predict(*some_crops(8))


def test_f32_each_predictor_refuses_the_model_of_the_other(tmp_path, make_model, pose_model):
    masks = load_model_folder(make_model(tmp_path / "masks"))
    with pytest.raises(ValueError, match=r"expected a pose model.*pipeline predict"):
        PosePredictor(masks, CPU)
    with pytest.raises(ValueError, match=r"expected a segmentation model.*pipeline pose"):
        SegmentationPredictor(load_model_folder(pose_model), CPU, PredictionSettings())


def test_f32_another_number_of_joints_than_maps_is_refused(make_pose_model, tmp_path):
    folder = make_pose_model(tmp_path / "model")
    description = json.loads((folder / "model.json").read_text())
    description["labels"]["names"].append("fifth")
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(DataError, match=r"expected 4 joints.*found 5 names"):
        PosePredictor(load_model_folder(folder), CPU)


def test_a_description_without_its_codec_is_refused_by_name(make_pose_model, tmp_path):
    folder = make_pose_model(tmp_path / "model", inference={"precision": "32-true"})
    with pytest.raises(DataError, match=r"model\.json.*codec"):
        PosePredictor(load_model_folder(folder), CPU)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch size"):
        PoseSettings(batch_size=0)
