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
