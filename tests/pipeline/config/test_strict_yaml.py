import pytest
import yaml

from pipeline.config.errors import UsageError
from pipeline.config.strict_yaml import RepeatedKeyError, load_strict, read_config


def test_f34_key_given_twice_names_key_and_lines(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("trainer:\n  max_epochs: 1\n  devices: 1\n  max_epochs: 2\n")
    with pytest.raises(UsageError, match=r"twice\.yaml: key 'trainer\.max_epochs' is .* lines 2 and 4"):
        read_config(path)


def test_f34_key_given_twice_in_a_list_and_in_flow_style():
    with pytest.raises(RepeatedKeyError, match=r"'a\.1\.b'"):
        load_strict("a: [1, {b: 1, b: 2}]")


def test_f34_key_given_twice_through_the_parser(parse, tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("data: TinyData\ndata: TinyData\n")
    with pytest.raises(UsageError, match="key 'data' is given twice"):
        parse("--config", path)


def test_f34_key_given_twice_in_a_value_of_the_command_line(parse, config):
    with pytest.raises(UsageError, match=r"data\.labels"):
        parse("--config", config, "--data.labels", "{a: 1, a: 2}")


def test_same_key_in_different_mappings_is_fine():
    assert load_strict("a: {x: 1}\nb: {x: 1}") == {"a": {"x": 1}, "b": {"x": 1}}


def test_alias_of_itself_ends():
    with pytest.raises(RepeatedKeyError):
        load_strict("a: &a [*a, {b: 1, b: 2}]")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch mark']", "!!python/name:os.system", "!custom 1"]
)
def test_tags_run_nothing(tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tag.yaml"
    path.write_text(f"a: {tag}\n")
    with pytest.raises(UsageError, match="tag"):
        read_config(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("content", [b"- 1\n", b"plain", b"", b"a: [", b"\xff\xfe\x00"])
def test_what_is_not_a_config_is_refused(tmp_path, content):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"odd\.yaml"):
        read_config(path)


def test_numbers_are_numbers():
    assert load_strict("lr: 1e-3\nmax_time: 00:00:05:00") == {"lr": 1e-3, "max_time": "00:00:05:00"}


def test_values_that_are_not_yaml_raise_its_error():
    with pytest.raises(yaml.YAMLError):
        load_strict("a: b: c")
