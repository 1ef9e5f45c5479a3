import json

import pytest

from networks.encoders import ENCODERS
from pipeline.cli import main
from pipeline.model_folder import load_model_folder

PATCH = ["--data.patch_size", "[64,32,32]"]


def smallest_of_each_family():
    """The first registered member of each paper and kind of switches, by the name without its depth."""
    families = {}
    for name in ENCODERS:
        families.setdefault(name.rstrip("0123456789").split("_32x")[0].rstrip("0123456789"), name)
    return list(families.values())


def test_a_family_is_a_name_without_its_depth():
    assert {"resnet18", "preresnet18", "densenet121", "cifar_resnet20"} <= set(smallest_of_each_family())
    assert len(smallest_of_each_family()) < len(ENCODERS)


@pytest.mark.parametrize("encoder", smallest_of_each_family())
def test_one_line_puts_a_member_of_each_family_into_the_unet(encoder, train, volumes):
    narrow = ["--model.network.encoder", encoder, "--model.network.encoder_width", "0.125"]
    folder = train("unet_ct.yaml", "--data.root", str(volumes), *PATCH, *narrow, steps=1)
    model = load_model_folder(folder / "model")
    assert model.network.init_args["encoder"] == encoder
    assert model.network.total_stride == ((4, 4, 4) if encoder.startswith("cifar") else (32, 32, 32))
    assert 0.0 <= json.loads((folder / "model" / "model.json").read_text())["metrics"]["dice"] <= 1.0


def test_options_of_residual_units_are_keys_of_the_config(train, volumes):
    chosen = {"preactivation": "true", "squeeze_excitation": "4", "survival": "0.9", "branch_scale": "0.5"}
    options = [word for key, value in chosen.items() for word in (f"--model.network.residual.{key}", value)]
    levels = ["--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"]
    small = [*levels, "--model.network.unit", "basic"]
    folder = train("unet_ct.yaml", "--data.root", str(volumes), *PATCH, *small, *options, steps=1)
    residual = load_model_folder(folder / "model").network.init_args["residual"]
    assert residual["preactivation"]
    assert (residual["squeeze_excitation"], residual["survival"], residual["branch_scale"]) == (4, 0.9, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.network.encoder", "resnet51"], "the nearest is resnet50"),
        (["--model.network.residual.survivel", "0.5"], "model.network.residual.survival"),
        (["--model.network.unit", "dense"], "dense"),
        (["--model.network", "Classifier"], "labels voxels"),
        (["--model.network.encoder", "resnet50", "--model.network.padding", "valid"], "padding"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_any_work(arguments, message, work, volumes, capfd):
    config = "unet_ct.yaml" if "Classifier" not in arguments else "classifier.yaml"
    if config == "classifier.yaml":
        (work / config).write_text(
            "model:\n  class_path: SegmentationTask\n  init_args:\n    network: Classifier\n"
            "data:\n  class_path: SegmentationData\n"
        )
        arguments = []
    assert main(["train", "--config", config, "--data.root", str(volumes), *arguments]) == 2
    assert message in capfd.readouterr().err
    assert not (work / "mlruns" / "artifacts").exists()
