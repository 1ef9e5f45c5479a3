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
        ("bodyparts: [[a], b]", "`bodyparts` as a list of names, found a list with entries of list, str"),
        ("bodyparts: [a, a]", "different names in `bodyparts`"),
    ],
)
def test_malformed_configs_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text)


def _bomb(key, first):
    """Return YAML of some hundred letters that would be megabytes once its aliases are written out."""
    levels = [f"a0: &a0 {first}"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
    return "\n".join(levels) + "\n" + key + "\n"


@pytest.mark.parametrize(
    "key", ["skeleton: [[*a6, b]]", "skeleton: [*a6]", "scorer: *a6", "multianimalproject: *a6", "skeleton: *a6"]
)
def test_f33_aliases_are_not_written_out(tmp_path, key):
    config = _read(tmp_path, "bodyparts: [a, b]\n" + _bomb(key, "[lol, lol]"))

    assert config.bodyparts == ("a", "b")
    assert config.scorer is None
    assert all(len(name) < 10 for limb in config.skeleton for name in limb)


def test_f33_aliases_as_body_parts_are_refused_in_a_short_message(tmp_path):
    with pytest.raises(DataError, match="`bodyparts` as a list of names") as caught:
        _read(tmp_path, _bomb("bodyparts: *a6", "[lol, lol]"))
    assert len(str(caught.value)) < 500


def test_limbs_with_entries_that_are_no_names_are_passed_over(tmp_path):
    text = "bodyparts: [a, b]\nskeleton: [[a, b], [[a], b], a, {a: b}, [a, b, a, b, a], [a, x]]\n"

    assert _read(tmp_path, text).skeleton == (("a", "b"), ("a", "x"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bodyparts: [" + ", ".join(f"p{n}" for n in range(1001)) + "]", "1000 names at most.*found 1001"),
        ("bodyparts: [a, " + "b" * 257 + "]", "256 letters each"),
        ("long: &l [a, b]\nskeleton: [" + ", ".join(["*l"] * 10_001) + "]", "10000 limbs at most, found 10001"),
        ("# " + "x" * (8 << 20), "a config of 8388608 bytes at most"),
    ],
)
def test_configs_beyond_all_measure_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text)
