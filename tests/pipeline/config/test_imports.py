import pytest

from pipeline.config.errors import UsageError

STRANGERS = [
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "functools.partial",
    "stranger.Network",
    "torch.hub.load",
    "torch.load",
    "torch.utils.cpp_extension.load",
    "torch.package.PackageImporter",
    "torch.utils.benchmark.Timer",
    "monai.bundle.ConfigWorkflow",
    "monai.bundle.run",
    "monai.config.deviceconfig.os.system",
    "monai.transforms.io.dictionary.LoadImaged",
    "pytorch_lightning.cli.LightningCLI",
    "pipeline.cli.main",
    "jsonargparse.set_parsing_settings",
]


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module within reach of the import system that leaves a mark when it is imported."""
    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "mark"


@pytest.mark.parametrize("path", STRANGERS)
@pytest.mark.parametrize("key", ["model.network", "model.network.class_path", "trainer.logger", "model"])
def test_f33_class_path_of_others_is_refused_before_its_import(parse, config, stranger, path, key):
    with pytest.raises(UsageError, match="--allow-custom-code") as refused:
        parse("--config", config, f"--{key}", path)
    assert f"'{path}'" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not stranger.exists()


def test_f33_class_path_of_others_in_a_file_is_refused(parse, tmp_path, stranger):
    path = tmp_path / "stranger.yaml"
    path.write_text("model: {class_path: stranger.Task, init_args: {network: TinyNet}}\ndata: TinyData\n")
    with pytest.raises(UsageError, match=r"'stranger\.Task' is outside"):
        parse("--config", path)
    assert not stranger.exists()


def test_f33_other_packages_reached_through_ours_are_refused(parse, config):
    with pytest.raises(UsageError, match=r"--allow-custom-code"):
        parse("--config", config, "--model.network", "pipeline.config.imports.importlib.import_module")


@pytest.mark.parametrize("path", ["torch.nn.Linear", "monai.losses.DiceLoss"])
def test_allowed_class_of_the_wrong_kind_is_refused(parse, config, path):
    with pytest.raises(UsageError, match=r"model\.network"):
        parse("--config", config, "--model.network", path)


def test_lightning_classes_by_their_path(parse, config):
    cli = parse("--config", config, "--trainer.plugins", "pytorch_lightning.plugins.AsyncCheckpointIO")
    assert cli.trainer.max_epochs == 1
