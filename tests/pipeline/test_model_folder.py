import dataclasses
import hashlib
import json
import pickle

import pytest
import torch

from datamodules.formats.errors import DataError
from networks.unet import UNet
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder


@pytest.fixture
def network() -> UNet:
    return UNet(1, 3, spatial_dims=2, channels=[4, 8], deep_supervision=True)


@pytest.fixture
def description() -> ModelDescription:
    labels = [{"name": "background", "values": [0]}, {"name": "liver", "values": [1]}]
    return ModelDescription(
        task="segmentation",
        network={},
        preprocessing={"spacing_mm": [1.5, 1.5, 3.0]},
        labels={"structures": [*labels, {"name": "spleen", "values": [2]}], "overlapping": False},
        patch_size=[32, 32],
        inference={"overlap": 0.5},
        versions={},
        data_digest="d" * 64,
        metrics={"mean_dice": 0.91234, "dice": {"liver": 0.95, "spleen": float("nan")}},
        training_range={"spacing_mm": {"lower": [0.7, 0.7, 2.0], "upper": [1.0, 1.0, 5.0]}},
    )


@pytest.fixture
def folder(tmp_path, network, description):
    save_model_folder(tmp_path / "model", network, description, data="40 phantoms.", limits=["Adults only."])
    return tmp_path / "model"


def test_the_network_comes_back_to_the_bit(folder, network):
    image = torch.rand(1, 1, 20, 24)
    loaded = load_model_folder(folder)
    assert not loaded.network.training
    assert torch.equal(loaded.network(image), network.eval()(image))
    assert sorted(p.name for p in folder.iterdir()) == ["card.md", "model.json", "weights.safetensors"]
    assert [p.name for p in folder.parent.iterdir()] == ["model"]  # no temporary folder is left


def test_the_description_comes_back_completed(folder, description):
    loaded = load_model_folder(folder).description
    assert loaded.network["class_path"] == "networks.unet.UNet"
    assert "torch" in loaded.versions
    assert len(loaded.weights_sha256) == 64
    assert loaded.metrics == {"mean_dice": 0.91234, "dice": {"liver": 0.95, "spleen": None}}
    assert loaded.labels == description.labels


def test_layout_in_memory_does_not_matter(tmp_path, network, description):
    first = save_model_folder(tmp_path / "a", network, description)
    second = save_model_folder(tmp_path / "b", network.to(memory_format=torch.channels_last), description)
    assert first.weights_sha256 == second.weights_sha256
    assert load_model_folder(tmp_path / "a").sha256 == load_model_folder(tmp_path / "b").sha256


def test_the_hash_stands_for_the_description_too(tmp_path, folder, network, description):
    save_model_folder(tmp_path / "b", network, dataclasses.replace(description, inference={"overlap": 0.6}))
    assert load_model_folder(folder).sha256 != load_model_folder(tmp_path / "b").sha256


def test_the_card_states_the_facts(folder):
    card = (folder / "card.md").read_text()
    for fact in (
        "- liver (value 1)",
        "40 phantoms.",
        "| dice liver | 0.9500 |",
        "| dice spleen | not defined |",
    ):
        assert fact in card
    assert "pipeline predict --model" in card
    assert "- Adults only." in card
    assert "background" not in card


def test_a_model_folder_is_replaced_whole_but_nothing_else_is(folder, network, description):
    save_model_folder(folder, network, dataclasses.replace(description, task="other"))
    assert load_model_folder(folder).description.task == "other"
    other = folder.parent / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="found other files"):
        save_model_folder(other, network, description)
    assert (other / "thesis.txt").exists()


def test_a_failed_save_leaves_the_earlier_model(folder, network, description):
    before = load_model_folder(folder).sha256
    with pytest.raises(TypeError):
        save_model_folder(folder, network, dataclasses.replace(description, inference={"x": object()}))
    assert load_model_folder(folder).sha256 == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize("name", ["weights.pt", "model.ckpt", "extra/net.pkl", "X.PTH"])
def test_f33_pickles_are_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="can run code"):
        load_model_folder(folder)


def _edit(folder, **changes):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**content, **changes}))


def test_f33_a_pickle_under_the_name_of_the_weights_is_refused(folder):
    data = pickle.dumps(Bomb())
    (folder / "weights.safetensors").write_bytes(data)
    with pytest.raises(DataError, match="weights of SHA-256"):
        load_model_folder(folder)
    _edit(folder, weights_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(DataError, match="expected a safetensors file"):
        load_model_folder(folder)


def test_f33_every_changed_byte_of_the_weights_is_found(folder):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    for position in range(0, len(data), max(1, len(data) // 50)):
        data[position] ^= 1
        path.write_bytes(data)
        with pytest.raises(DataError, match="damaged or was exchanged"):
            load_model_folder(folder)
        data[position] ^= 1


@pytest.mark.parametrize("class_path", ["os.system", "subprocess.Popen", "torch.nn.Linear", "networks.unet.os"])
def test_f33_other_classes_are_refused(folder, class_path):
    _edit(folder, network={"class_path": class_path, "init_args": {"command": "false"}})
    with pytest.raises(DataError, match="unknown network"):
        load_model_folder(folder)


def test_f33_weights_that_do_not_fit_are_refused(folder):
    network = json.loads((folder / "model.json").read_text())["network"]
    network["init_args"]["channels"] = [4, 16]
    _edit(folder, network=network)
    with pytest.raises(DataError, match="fits the weights"):
        load_model_folder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 1"),
        ({"surprise": 1}, "surprise"),
        ({"labels": "liver"}, "wrong types in labels"),
    ],
)
def test_a_description_that_is_not_ours_is_refused(folder, changes, message):
    _edit(folder, **changes)
    with pytest.raises(DataError, match=message):
        load_model_folder(folder)


def test_missing_parts_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load_model_folder(tmp_path / "nothing")
    (folder / "model.json").write_text("<html>")
    with pytest.raises(DataError, match="expected JSON"):
        load_model_folder(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(DataError, match=r"weights\.safetensors: expected a readable file"):
        load_model_folder(folder)
