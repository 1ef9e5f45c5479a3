"""One case after another through a real model folder."""

import numpy as np
import pytest
import torch

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from networks.unet import UNet
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor, network_margin
from pipeline.model_folder import load_model_folder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_model):
    return make_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def image():
    return torch.randn(1, 20, 12, 9, generator=torch.Generator().manual_seed(0))


def predictor(folder, **settings):
    return SegmentationPredictor(load_model_folder(folder), CPU, PredictionSettings(**settings))


def test_logits_do_not_depend_on_the_tile_batch(folder, image):
    one = predictor(folder)
    logits = one.logits(image)
    assert logits.shape == (2, 20, 12, 9)
    one.tile_batch = 5
    torch.testing.assert_close(one.logits(image), logits, rtol=1e-4, atol=1e-5)


def test_mirroring_takes_the_axes_of_the_model(tmp_path, make_model, image):
    folder = make_model(tmp_path / "m", inference={"mirror_axes": [0]})
    assert predictor(folder).mirror_axes == ()
    one = predictor(folder, mirror=True)
    assert one.mirror_axes == (0,)
    torch.testing.assert_close(one.logits(image.flip(1)).flip(1), one.logits(image), rtol=1e-4, atol=1e-5)


def test_mirroring_a_model_that_was_trained_without_it_is_said_to_be_idle(tmp_path, make_model, caplog):
    folder = make_model(tmp_path / "m", inference={"mirror_axes": []})
    assert predictor(folder, mirror=True).mirror_axes == ()
    assert "without mirrored copies" in caplog.text


def test_everything_that_changes_the_outputs_is_in_the_settings(folder):
    base = predictor(folder).outcome_settings()
    assert base["precision"] == "float32"
    for change in (
        {"overlap": 0.1},
        {"mirror": True},
        {"precision": "bf16"},
        {"volume": 1},
        {"strict": True},
        {"formats": ("nifti",)},
        {"sheared": "resample"},
    ):
        assert predictor(folder, **change).outcome_settings() != base


def test_f29_the_tile_batch_is_halved_once(folder, image, caplog):
    model = load_model_folder(folder)
    expected = predictor(folder).logits(image)
    room = 1

    def run_out(network, inputs):
        if len(inputs[0]) > room:
            raise torch.OutOfMemoryError("no room")

    model.network.register_forward_pre_hook(run_out)
    one = SegmentationPredictor(model, CPU, PredictionSettings())
    one.tile_batch = 2
    torch.testing.assert_close(one.logits(image), expected, rtol=1e-4, atol=1e-5)
    assert one.tile_batch == 1
    assert "tile batch 1" in caplog.text
    room = 0
    with pytest.raises(MemoryError, match="MiB"):
        one.logits(image)
    one.tile_batch = 4
    with pytest.raises(MemoryError, match="tile batch 2 too"):
        one.logits(image)


def test_other_errors_of_the_network_are_not_taken_for_a_lack_of_memory(folder):
    with pytest.raises(RuntimeError, match="channels"):
        predictor(folder).logits(torch.zeros(3, 8, 8, 8))


def test_logits_that_are_not_finite_are_refused(folder, image):
    with pytest.raises(FloatingPointError, match="fp32"):
        predictor(folder).logits(image / 0)


def read(folder, path, **settings):
    return predictor(folder, **settings).read(Case("a", "a", (path,)))


def test_f32_a_4d_file_of_another_number_of_volumes_is_refused(tmp_path, make_model, write_scan):
    folder = make_model(tmp_path / "m", channels=2)
    array = write_scan(tmp_path / "two.nii.gz", shape=(8, 7, 6, 2))
    volume, messages = read(folder, tmp_path / "two.nii.gz")
    np.testing.assert_array_equal(volume.array, np.moveaxis(array, -1, 0))
    assert messages == []
    for volumes, shape in ((5, (8, 7, 6, 5)), (1, (8, 7, 6))):
        write_scan(tmp_path / "other.nii.gz", shape=shape)
        with pytest.raises(DataError, match=rf"expected 2 channel\(s\), found {volumes} in 1 file") as refused:
            read(folder, tmp_path / "other.nii.gz")
        assert "--volume" not in str(refused.value)


def test_f04_strict_refuses_doubtful_geometry(tmp_path, folder, write_scan, caplog):
    path = tmp_path / "a.nii"
    write_scan(path)
    data = bytearray(path.read_bytes())
    data[252:256] = bytes(4)  # qform_code and sform_code
    path.write_bytes(data)
    read(folder, path)
    assert "the spacing alone is used" in caplog.text
    with pytest.raises(DataError, match="a sform or qform"):
        read(folder, path, strict=True)


def test_an_unpadded_network_is_given_its_margin():
    network = UNet(1, 2, spatial_dims=2, channels=[4, 8], padding="valid", downsampling="max", norm="none")
    margin = network_margin(network, (28, 28), CPU)
    assert margin == (8, 8)
    assert network(torch.zeros(1, 1, 28, 28)).shape[2:] == (12, 12)


def test_f32_a_model_of_another_task_is_refused(tmp_path, make_pose_model):
    with pytest.raises(ValueError, match=r"found one for pose.*`pipeline pose`"):
        predictor(make_pose_model(tmp_path / "m"))


@pytest.mark.parametrize("wrong", [{"overlap": 1.0}, {"overlap": -0.1}, {"volume": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PredictionSettings(**wrong)
