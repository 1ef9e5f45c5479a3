import pytest

from pipeline.config.errors import UsageError
from pipeline.config.files import find_config, resolve_config_arguments, shipped_names


def test_shipped_configs_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in shipped_names():
        assert find_config(name).name == name
    assert find_config("unet_ct") == find_config("unet_ct.yaml")


def test_path_comes_before_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unet_ct.yaml").write_text("{}")
    assert find_config("unet_ct.yaml").resolve() == tmp_path / "unet_ct.yaml"


def test_f34_unknown_config_lists_the_shipped_ones_and_the_nearest():
    with pytest.raises(UsageError, match=r"unet_em\.yaml.*nearest shipped config: 'unet_ct\.yaml'"):
        find_config("unet_tc.yaml")


@pytest.mark.parametrize("arguments", [["--config", "unet_ct"], ["--config=unet_ct"], ["-c", "unet_ct.yaml"]])
def test_every_way_to_give_a_config(arguments):
    resolved, paths = resolve_config_arguments([*arguments, "--data.root", "x"])
    assert resolved == ["--config", str(paths[0]), "--data.root", "x"]


@pytest.mark.parametrize("arguments", [["--config"], ["--config="]])
def test_config_without_a_value(arguments):
    with pytest.raises(UsageError, match="--config: expected a file"):
        resolve_config_arguments(arguments)
