import pytest

from datamodules.annotations.deeplabcut_config import read_config
from datamodules.formats.errors import DataError


def _read(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_names_stay_as_they_are_written(tmp_path):
    config = _read(tmp_path, "scorer: 7\nbodyparts: [no, 1, 2020-01-01, émile]\nskeleton: [[no, 1]]\n")

    assert config.scorer == "7"
    assert config.bodyparts == ("no", "1", "2020-01-01", "émile")
    assert config.edges(config.bodyparts) == ((("no", "1"),), ())


def test_the_last_of_repeated_keys_counts(tmp_path):
    assert _read(tmp_path, "bodyparts: [a]\nbodyparts: [b]\n").bodyparts == ("b",)


def test_a_project_of_several_animals_names_their_parts(tmp_path):
    config = _read(tmp_path, "multianimalproject: true\nbodyparts: MULTI!\nmultianimalbodyparts: [a, b]\n")

    assert config.bodyparts == ("a", "b")


def test_empty_settings_name_nothing(tmp_path):
    config = _read(tmp_path, "scorer:\nbodyparts:\nskeleton:\n")

    assert (config.scorer, config.bodyparts, config.skeleton) == (None, (), ())


def test_f33_a_tag_makes_no_object(tmp_path):
    target = tmp_path / "made"
    text = f'bodyparts: [a]\nevil: !!python/object/apply:os.system ["touch {target}"]\n'

    assert _read(tmp_path, text).bodyparts == ("a",)
    assert not target.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bodyparts: [a", "YAML in UTF-8"),
        ("- a", "a mapping of settings, found list"),
        ("bodyparts: MULTI!", "`bodyparts` as a list of names"),
        ("bodyparts: [[a]]", "`bodyparts` as a list of names"),
        ("bodyparts: [a, a]", "different names in `bodyparts`"),
    ],
)
def test_malformed_configs_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text)
