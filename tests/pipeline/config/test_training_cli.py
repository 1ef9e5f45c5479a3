import pytest
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from datamodules.formats.errors import DataError
from pipeline.config.errors import UsageError
from pipeline.config.training_cli import flatten


def test_short_class_names_give_a_network_maker(parse, config):
    cli = parse("--config", config)
    assert cli.model.make_network(1, 5).given == (1, 5, [2, 4], "plain")
    assert cli.trainer.max_epochs == 1
    assert isinstance(cli.trainer.logger, CSVLogger)


def test_any_key_is_overridden_without_init_args(parse, config, tmp_path):
    given = f"--model.network.channels [8,16] --data.root={tmp_path} --trainer.max_epochs 3"
    more = "--data.choice.crop air --model.learning_rate 1e-3 --trainer.logger.name=mine"
    cli = parse("--config", config, *given.split(), *more.split())
    assert cli.model.make_network(1, 2).given == (1, 2, [8, 16], "plain")
    assert cli.model.learning_rate == 1e-3
    assert cli.datamodule.root == tmp_path
    assert (cli.datamodule.choice.crop, cli.trainer.max_epochs, cli.trainer.logger.name) == ("air", 3, "mine")


def test_class_is_changed_on_the_command_line(parse, config):
    cli = parse("--config", config, "--model.network", "WideNet", "--model.network.width", "7")
    assert cli.model.make_network(1, 2).given == (1, 2, 7)


def test_later_config_overrides_earlier_one(parse, config, tmp_path):
    second = tmp_path / "second.yaml"
    second.write_text("data: {class_path: TinyData, init_args: {batch_size: 9}}\n")
    assert parse("--config", config, "-c", second).datamodule.batch_size == 9


def test_printed_config_fed_back_in_prints_the_same(parse, config, tmp_path, capsys):
    with pytest.raises(SystemExit) as first:
        parse(
            "--config",
            config,
            "--model.network.channels",
            "[8]",
            "--trainer.max_epochs",
            "5",
            "--print_config",
        )
    assert first.value.code == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["model"]["init_args"]["network"]["init_args"]["channels"] == [8]
    assert list(yaml.safe_load(printed)) == ["seed_everything", "model", "data", "trainer"]
    again = tmp_path / "printed.yaml"
    again.write_text(printed)
    with pytest.raises(SystemExit):
        parse("--config", again, "--print_config")
    assert capsys.readouterr().out == printed


def test_kept_config_gives_the_same_run(parse, config, tmp_path):
    cli = parse("--config", config, "--seed_everything", "7", "--data.labels", "{a: 1, b: 2}")
    again = tmp_path / "kept.yaml"
    again.write_text(cli.config_text())
    assert parse("--config", again).config_text() == cli.config_text()


def test_parameters_have_the_keys_of_the_command_line(parse, config):
    parameters = parse("--config", config).parameters()
    assert parameters["model.network.channels"] == [2, 4]
    assert parameters["model.network.class_path"] == "pipeline.standins.TinyNet"
    assert parameters["seed_everything"] == 0
    assert parameters["trainer.max_epochs"] == 1
    assert not [key for key in parameters if "init_args" in key]


def test_flatten_numbers_the_items_of_lists_of_mappings():
    content = {"callbacks": [{"class_path": "A", "init_args": {"x": [1, 2]}}, {"class_path": "B", "init_args": {}}]}
    flat = flatten(content)
    assert flat["callbacks.0.x"] == [1, 2]
    assert flat["callbacks.1.class_path"] == "B"


def test_logger_is_turned_off(parse, config):
    assert parse("--config", config, "--trainer.logger", "false").trainer.logger is None


def test_callback_by_short_name(parse, config, tmp_path):
    path = tmp_path / "callbacks.yaml"
    path.write_text(
        "trainer: {callbacks: [{class_path: ModelCheckpoint, init_args: {save_top_k: 2, monitor: dice}}]}\n"
    )
    kept = [one for one in parse("--config", config, "-c", path).trainer.callbacks if isinstance(one, ModelCheckpoint)]
    assert [one.save_top_k for one in kept] == [2]


def test_constructor_that_refuses_is_wrong_usage(parse, config):
    with pytest.raises(UsageError, match=r"model\.learning_rate: expected a positive number"):
        parse("--config", config, "--model.learning_rate", "-1")


def test_lightning_refusal_is_one_line(parse, config, tmp_path):
    path = tmp_path / "callbacks.yaml"
    path.write_text("trainer: {callbacks: [{class_path: ModelCheckpoint, init_args: {save_top_k: 2}}]}\n")
    with pytest.raises(UsageError, match=r"^ModelCheckpoint\(save_top_k=2, monitor=None\) is not a valid"):
        parse("--config", config, "-c", path)


def test_own_error_of_a_constructor_keeps_its_type(parse, config):
    with pytest.raises(DataError, match="unreadable"):
        parse("--config", config, "--data.root", "unreadable")


def test_missing_argument_is_named(parse, tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("model: TinyTask\ndata: TinyData\n")
    with pytest.raises(UsageError, match="network"):
        parse("--config", path)


def test_missing_config_lists_the_shipped_ones(parse):
    with pytest.raises(UsageError, match=r"--config is missing.*unet_ct\.yaml"):
        parse()


def test_help_ends_with_examples_in_lines_of_their_own(parse, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    examples = shown.split("\nexamples:\n")[1].strip("\n").splitlines()
    assert len(examples) >= 4
    assert all(line.startswith("  pipeline train --config ") for line in examples)
    assert "  --allow-custom-code " in shown
    # jsonargparse's own formatter still shows types and defaults.
    assert "(type: Optional[int], default: null)" in " ".join(shown.split())
