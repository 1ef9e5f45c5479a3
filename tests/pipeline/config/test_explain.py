import pytest

from pipeline.config.errors import UsageError

UNKNOWN = {
    "--trainer.max_epoch 3": "'trainer.max_epochs'",
    "--trainer.max_epoch=3": "'trainer.max_epochs'",
    "--model.network.chanels [8]": "'model.network.channels'",
    "--model.init_args.network.init_args.chanels [8]": "'model.network.channels'",
    "--model.lerning_rate 1": "'model.learning_rate'",
    "--data.rot x": "'data.root'",
    "--data.choice.corp air": "'data.choice.crop'",
    "--trainer.logger.save_dri x": "'trainer.logger.save_dir'",
    "--modl.network TinyNet": "'model'",
    "--seed 3": "'seed_everything'",
    "--data.sigma 2": "'data.choice.sigma'",
    "--data.sigm 2": "'data.choice.sigma'",
    "--model.channels [8]": "'model.network.channels'",
    "--max_epochs 3": "'trainer.max_epochs'",
    "--model.network WideNet --model.network.channels [8]": "'model.network.width'",
}


def refusal(parse, *arguments):
    with pytest.raises(UsageError) as refused:
        parse(*arguments)
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("arguments", UNKNOWN)
def test_f34_unknown_key_on_the_command_line_names_the_nearest(parse, config, arguments):
    message = refusal(parse, "--config", config, *arguments.split())
    assert "unknown key" in message
    assert message.endswith(f"the nearest valid key is {UNKNOWN[arguments]}")


TASK = "model: {class_path: TinyTask, init_args: {network: TinyNet"
DATA = "data: TinyData"
UNKNOWN_IN_FILE = {
    f"{TASK}, lerning_rate: 1}}}}\n{DATA}": "'model.learning_rate'",
    f"{TASK}}}}}\n{DATA}\ntrainer: {{max_epoch: 3}}": "'trainer.max_epochs'",
    f"{TASK}}}, channels: [8]}}\n{DATA}": "'model.init_args.channels'",
    f"{TASK}, channels: [8]}}}}\n{DATA}": "'model.network.channels'",
    f"{TASK}}}}}\n{DATA}\ntraner: {{max_epochs: 3}}": "'trainer'",
    f"{TASK}}}, learning_rate: 3}}\n{DATA}": "'model.init_args.learning_rate'",
    "model: {class_path: TinyTask, init_args: {network: {class_path: TinyNet, init_args: {chanels: [1]}}}}\n"
    f"{DATA}": "'model.network.channels'",
    f"{TASK}}}}}\ndata: {{class_path: TinyData, init_args: {{choice: {{corp: air}}}}}}": "'data.choice.crop'",
    f"{TASK}}}}}\n{DATA}\ntrainer: {{callbacks: [{{class_path: Timer, init_args: {{intervl: x}}}}]}}": (
        "'trainer.callbacks.interval'"
    ),
}


@pytest.mark.parametrize("text", UNKNOWN_IN_FILE)
def test_f34_unknown_key_in_a_file_names_the_file_and_the_nearest(parse, tmp_path, text):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    message = refusal(parse, "--config", path)
    assert message.startswith(f"{path}: ")
    assert message.endswith(f"the nearest valid key is {UNKNOWN_IN_FILE[text]}")


WRONG = {
    "--trainer.max_epochs abc": "trainer.max_epochs: expected int or null, found 'abc'",
    "--model.learning_rate fast": "model.learning_rate: expected float, found 'fast'",
    "--model.network.channels abc": "model.network.channels: expected list[int], found 'abc'",
    "--model.optimizer sdg": "model.optimizer: expected 'adamw' or 'sgd', found 'sdg'",
    "--data.batch_size 1.5": "data.batch_size: expected int, found 1.5",
    "--data.choice.sigma x": "data.choice.sigma: expected float, found 'x'",
    "--seed_everything -1": "seed_everything: expected",
    "--model.network TinyNett": "model.network: no class 'TinyNett'; the nearest is 'TinyNet'",
    "--model TinyTusk": "model: no class 'TinyTusk'; the nearest is 'TinyTask'",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_f34_wrong_type_names_key_type_and_value(parse, config, arguments):
    assert WRONG[arguments] in refusal(parse, "--config", config, *arguments.split())


ODD = {
    "trainer:": "trainer: expected keys such as max_epochs, found None",
    "trainer: 3": "trainer: expected keys such as max_epochs, found 3",
    "trainer: {max_epochs: {a: 1}}": "trainer.max_epochs: expected int or null, found {'a': 1}",
    "trainer: {callbacks: 3}": "trainer.callbacks: expected",
    "seed_everything: true": "seed_everything: expected int, found True",
    "config: other.yaml": "unknown key 'config'",
    "1: 2": "unknown key '1'",
}


@pytest.mark.parametrize("text", ODD)
def test_f34_odd_sections_are_refused(parse, config, text):
    without_trainer = config.read_text().split("trainer:")[0]
    config.write_text(f"{without_trainer}{text}\n")
    assert ODD[text] in refusal(parse, "--config", config)


def test_f34_wrong_type_in_a_file(parse, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(f"{TASK}, learning_rate: fast}}}}\n{DATA}")
    assert "model.learning_rate: expected float, found 'fast'" in refusal(parse, "--config", path)


def test_unknown_class_in_a_file_names_the_nearest(parse, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(f"model: {{class_path: TinyTask, init_args: {{network: {{class_path: WidNet}}}}}}\n{DATA}")
    assert "no class 'WidNet'; the nearest is 'WideNet'" in refusal(parse, "--config", path)
