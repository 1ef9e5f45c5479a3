import csv
import json
import logging
import re

import cv2
import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer

from datamodules.pose import PoseData
from datamodules.pose_augmentation import PoseAugmentation
from datamodules.pose_subjects import subject_box
from networks.hourglass import Hourglass
from pipeline.calibration import Calibration
from pipeline.final_pose import finish_pose
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.model_folder import load_model_folder
from pipeline.tasks.pose import PoseTask

NAMES = ["nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip"]
PLACES = np.array([[40, 15], [52, 28], [28, 28], [48, 50], [32, 50]])
COUNT = 20


def write_coco(root, names=NAMES, count=COUNT):
    """Blobs of one colour for each joint on noise; the last subject has two joints alone."""
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    colours = rng.integers(80, 256, (len(names), 3)).tolist()
    images, annotations = [], []
    for number in range(1, count + 1):
        image = rng.integers(0, 60, (72, 96, 3), dtype=np.uint8)
        places = PLACES + rng.integers(-4, 5, PLACES.shape) + [number % 7, 4]
        seen = np.array([2, 2, 1, 2, 2]) if number < count else np.array([2, 2, 0, 0, 0])
        for place, colour in zip(places.tolist(), colours, strict=True):
            cv2.circle(image, place, 3, colour, -1)
        cv2.imwrite(str(root / "images" / f"photo {number}.png"), image)
        low, high = places.min(axis=0), places.max(axis=0)
        images.append({"id": number, "file_name": f"photo {number}.png", "width": 96, "height": 72})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "keypoints": np.column_stack([places * (seen[:, None] > 0), seen]).ravel().tolist(),
                "num_keypoints": int((seen > 0).sum()),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
            }
        )
    category = {"id": 1, "name": "dots", "keypoints": names, "skeleton": [[1, 2], [1, 3], [2, 4], [3, 5]]}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def finish(root, work, **options):
    """Finish a training of no step at all."""
    data = PoseData(root, input_size=(64, 48), workers=0, cache_dir=work / "cache", batch_size=4, **options)
    torch.manual_seed(0)
    task = PoseTask(lambda channels, joints: Hourglass(channels, joints, stacks=2, features=8, depth=2))
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    data.prepare_data()
    task.network = task.make_network(data.in_channels, data.out_channels)
    result = finish_pose(task, data, trainer, work / "run")
    return result, data, work / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What a training of no step at all leaves behind."""
    work = tmp_path_factory.mktemp("final")
    return finish(write_coco(work / "dots"), work)


def rows_of(path):
    return list(csv.DictReader(path.open()))


def test_the_model_folder_holds_all_that_prediction_needs(finished):
    result, data, run = finished
    model = json.loads((run / "model" / "model.json").read_text())
    assert model["task"] == "pose"
    assert model["labels"]["names"] == NAMES
    assert model["preprocessing"] == json.loads(json.dumps(data.preprocessing.to_dict()))
    assert model["patch_size"] == [48, 64]
    assert model["inference"]["codec"]["method"] == "dark"
    assert model["inference"]["flip_test"] is True
    assert Calibration.from_dict(model["inference"]["calibration"]).note.endswith("a joint out of view is never right")
    assert model["training_range"] == json.loads(json.dumps(data.training_range))
    assert model["data_digest"] == data.digest
    assert model["metrics"]["rmse_px"] == pytest.approx(result.metrics["rmse_px"])
    assert set(model["metrics"]["joints"]) == set(NAMES)


def test_predictions_are_those_of_the_model_folder_on_the_files(finished):
    _, data, run = finished
    rows = rows_of(run / "validation" / "predictions.csv")
    assert {row["case"] for row in rows} == set(data.split.validation)
    assert len(rows) == len(data.split.validation) * len(NAMES)
    predictor = PosePredictor(load_model_folder(run / "model"), torch.device("cpu"))
    sample = data.samples[rows[0]["case"]]
    image = cv2.cvtColor(cv2.imread(str(sample.image)), cv2.COLOR_BGR2RGB)
    pixels, to_original = predictor.cut(image, subject_box(sample, (96, 72), "box"))
    answer = predictor.predict(torch.from_numpy(pixels)[None], to_original[None])
    found = np.array([[float(row["x"]), float(row["y"])] for row in rows[: len(NAMES)]])
    # The batch is another one, so the last digits may differ.
    assert found == pytest.approx(answer.points[0].numpy(), abs=0.02)
    confidence = [float(row["confidence"]) for row in rows[: len(NAMES)]]
    assert confidence == pytest.approx(answer.confidence[0].tolist(), abs=1e-3)


def test_errors_are_in_pixels_of_the_original_image(finished):
    _, data, run = finished
    squares = []
    for row in rows_of(run / "validation" / "predictions.csv"):
        if row["error_px"]:
            apart = [float(row[axis]) - float(row[f"true_{axis}"]) for axis in "xy"]
            squares.append(apart[0] ** 2 + apart[1] ** 2)
            assert float(row["error_px"]) == pytest.approx(squares[-1] ** 0.5, abs=0.01)
        truth = data.samples[row["case"]].keypoints[NAMES.index(row["joint"])]
        if row["visibility"] != "0":
            assert [float(row["true_x"]), float(row["true_y"])] == truth.tolist()
    summary = json.loads((run / "validation" / "summary.json").read_text())
    assert summary["overall"]["rmse_px"] == pytest.approx(np.sqrt(np.mean(squares)), abs=0.01)


def test_the_outcome_says_what_was_measured_and_over_what(finished):
    result, data, run = finished
    count = len(data.split.validation)
    assert result.headline.startswith("Validation PCK@0.2 0.")
    assert result.headline.endswith(f"px over {count} subjects")
    assert re.search(r" \(torso\), RMSE [\d.]+ px, mean error [\d.]+ px over ", result.headline)
    assert dict(result.lines)["by joint"].startswith("nose 0.")
    assert {"pck@0.2", "pck@0.2/nose", "rmse_px", "epe_px", "auc", "oks_ap", "ece", "brier"} <= set(result.metrics)
    assert {"confidence_in_view", "confidence_out_of_view"} <= set(result.metrics)
    assert all(np.isfinite(value) for value in result.metrics.values())
    assert "left_shoulder and right_hip" in json.loads((run / "validation" / "summary.json").read_text())["norm"]
    assert [row["joint"] for row in rows_of(run / "validation" / "scores.csv")] == [*NAMES, "all points"]


def test_visible_joints_alone_are_summarised_beside_all(finished):
    _, _, run = finished
    rows = [row for row in rows_of(run / "validation" / "predictions.csv") if row["visibility"] == "2"]
    summary = json.loads((run / "validation" / "summary.json").read_text())
    assert summary["visible_alone"]["points"] == len(rows) < summary["counts"]["points"]
    mean = np.mean([float(row["error_px"]) for row in rows])
    assert summary["visible_alone"]["epe_px"] == pytest.approx(mean, abs=0.01)


def test_coco_truth_names_files_below_the_data_set(finished):
    _, data, run = finished
    truth = json.loads((run / "validation" / "coco_truth.json").read_text())
    assert all((data.root / image["file_name"]).is_file() for image in truth["images"])


@pytest.mark.parametrize(
    ("names", "augmentation"),
    [
        (NAMES, None),
        (NAMES, PoseAugmentation(flip_p=0.0)),
        (["snout", "left_ear", "neck", "back", "tail"], PoseAugmentation()),
    ],
    ids=["no augmentation", "no mirror images", "a side without a partner"],
)
def test_there_is_no_flip_test_where_training_saw_no_mirror_images(names, augmentation, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="pipeline.final_pose"):
        result, _, run = finish(write_coco(tmp_path / "dots", names, 5), tmp_path, augmentation=augmentation)
    assert json.loads((run / "model" / "model.json").read_text())["inference"]["flip_test"] is False
    assert "training saw no mirror images" in caplog.text
    # An animal has no torso; of its box, a fifth would be too lax.
    assert ("PCK@0.05" if "tail" in names else "PCK@0.2") in result.headline


def test_all_pictures_are_there(finished):
    _, data, run = finished
    names = {path.name for path in (run / "pictures").glob("*.png")}
    assert {"worst.png", "heatmaps.png", "pck.png", "errors.png", "reliability.png"} <= names
    singles = {name for name in names if name.startswith(("best-", "median-", "worst-"))}
    assert len(singles) == min(9, len(data.split.validation))
    for name in names:
        assert cv2.imread(str(run / "pictures" / name)).std() > 5


def test_the_card_is_for_people(finished):
    _, _, run = finished
    card = (run / "model" / "card.md").read_text()
    assert "- left_shoulder" in card
    assert f"{COUNT - COUNT // 5} subjects of dots, format coco" in card
    assert "Input: 64 x 48 pixels" in card
    assert "pipeline pose --model THIS_FOLDER" in card
