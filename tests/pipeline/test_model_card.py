from pipeline.model_card import model_card

CONTENT = {
    "task": "segmentation",
    "network": {"class_path": "networks.unet.UNet"},
    "labels": {"structures": [{"name": "tumour", "values": [1, 2]}]},
    "data_digest": "",
    "patch_size": [64, 64, 32],
    "metrics": {},
    "training_range": {},
}


def test_a_card_without_scores_says_so():
    card = model_card(CONTENT, "model")
    assert "None were recorded." in card
    assert "- tumour (value 1, 2)" in card
    assert "64 x 64 x 32 voxels" in card
    assert "`none`" in card


def test_ranges_are_readable():
    card = model_card({**CONTENT, "training_range": {"spacing_mm": [0.5, 1.25], "values": {"low": -1000.0}}}, "m")
    assert "- Trained on spacing mm: [0.5, 1.25]." in card
    assert "- Trained on values: low -1000." in card


POSE = {
    "task": "pose",
    "network": {"class_path": "networks.hourglass.Hourglass"},
    "preprocessing": {"input_size": [128, 96], "subject": "image"},
    "labels": {"names": ["snout", "tail"], "edges": [], "pairs": []},
    "data_digest": "",
    "patch_size": [96, 128],
    "inference": {"calibration": {"note": "isotonic fit to 300 joints"}},
    "metrics": {
        "rmse_px": 2.5,
        "joints": {"snout": {"points": 12.0, "rmse_px": 1.234}, "tail": {"points": 0.0, "rmse_px": None}},
    },
    "training_range": {"width_px": [640, 640]},
}


def test_the_card_of_a_pose_model_speaks_of_joints_and_pixels():
    card = model_card(POSE, "model")
    assert "It finds:\n\n- snout\n- tail\n" in card
    assert "Input: 128 x 96 pixels" in card
    assert "| rmse_px | 2.5000 |" in card
    assert "| snout | 12 | 1.23 |\n| tail | 0 |  |" in card
    assert "pipeline pose --model THIS_FOLDER" in card
    assert "shown the whole image" in card
    assert "Confidence: isotonic fit to 300 joints." in card
    assert "- Trained on width px: [640, 640]." in card
    assert "voxel" not in card
    assert "mask" not in card


def test_a_pose_model_without_scores_or_calibration_has_a_card():
    card = model_card({**POSE, "metrics": {}, "inference": {}}, "model")
    assert "None were recorded." in card
    assert "Confidence:" not in card
