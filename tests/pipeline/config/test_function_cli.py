from pathlib import Path
from typing import Literal

import pytest

from pipeline.config.errors import UsageError
from pipeline.config.function_cli import call_with_arguments

calls = []


def measure(
    input: Path,
    output: Path,
    tile_batch: int = 2,
    overlays: bool = False,
    precision: Literal["auto", "fp32"] = "auto",
    labels: dict[str, int | list[int]] | None = None,
) -> int:
    """Measure a folder.

    It takes 100 % of the files.

    Args:
        input: Folder of scans.
        output: Where results go.
        tile_batch: Tiles at once, 50 % of memory.
        overlays: Draw pictures.
        precision: Arithmetic.
        labels: Names and values.

    Returns:
        The exit code.

    Examples:
        pipeline measure --input scans --output results
        pipeline measure --input scans --output results --overlays
    """
    calls.append((input, output, tile_batch, overlays, precision, labels))
    return 3


def run(*arguments):
    calls.clear()
    return call_with_arguments(measure, "measure", arguments)


def test_types_and_defaults_come_from_the_signature():
    assert run("--input", "a b", "--output", "ö") == 3
    assert calls == [(Path("a b"), Path("ö"), 2, False, "auto", None)]


@pytest.mark.parametrize("option", ["--tile-batch", "--tile_batch"])
def test_hyphens_and_underscores(option):
    run(
        "--input",
        "a",
        "--output",
        "b",
        option,
        "4",
        "--overlays",
        "--precision=fp32",
        "--labels",
        "{x: [1, 2]}",
    )
    assert calls == [(Path("a"), Path("b"), 4, True, "fp32", {"x": [1, 2]})]


REFUSED = {
    "--input a": r"required: (--)?output",
    "--input a --output b --overlay": "unknown option '--overlay'; the nearest is '--overlays'",
    "--input a --output b --tile-batch many": "--tile-batch: expected int, found many",
    "--input a --output b --precision fp31": "--precision: expected 'auto' or 'fp32', found fp31",
    "--input a --output b --labels {a:x}": "--labels: expected dict",
    "--input a --output b c": "unrecognized arguments: c",
    "--input a --output": "--output: expected one argument",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_f34_options_that_cannot_be_are_one_line(arguments):
    with pytest.raises(UsageError, match=REFUSED[arguments]) as refused:
        run(*arguments.split())
    assert "\n" not in str(refused.value)
    assert not calls


def test_f34_key_given_twice_in_a_value():
    with pytest.raises(UsageError, match="--labels: expected dict"):
        run("--input", "a", "--output", "b", "--labels", "{x: 1, x: 2}")


def test_help_has_description_options_and_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "It takes 100 % of the files." in shown
    assert "--precision auto|fp32" in shown
    assert "Tiles at once, 50 % of memory. (default: 2)" in shown
    assert shown.rstrip().endswith("  pipeline measure --input scans --output results --overlays")


def gather(input: list[Path], counts: int = 1) -> int:
    """Gather files.

    Args:
        input: Files.
        counts: A number.
    """
    calls.append((input, counts))
    return 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--input", "a b", "c"], ([Path("a b"), Path("c")], 1)),
        (["--counts", "2", "--input", "a"], ([Path("a")], 2)),
        (["--input", "a", "[b]", "--counts", "2"], ([Path("a"), Path("[b]")], 2)),
        (["--input=a"], ([Path("a")], 1)),
    ],
)
def test_a_list_takes_several_values(arguments, expected):
    calls.clear()
    assert call_with_arguments(gather, "gather", arguments) == 0
    assert calls == [expected]


@pytest.mark.parametrize("arguments", [["--input"], ["--input", "--counts", "2"]])
def test_f34_a_list_without_a_value_is_refused(arguments):
    calls.clear()
    with pytest.raises(UsageError, match="--input: expected at least one argument"):
        call_with_arguments(gather, "gather", arguments)
    assert not calls


def survey(data: Path, /, output: Path | None = None, strict: bool = False, only: list[int] | None = None) -> int:
    """Survey a folder.

    Args:
        data: Folder of cases.
        output: Where results go.
        strict: Be strict.
        only: Numbers.
    """
    calls.append((data, output, strict, only))
    return 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], (Path("a"), None, False, None)),
        (["--data", "a"], (Path("a"), None, False, None)),
        (["--data=a"], (Path("a"), None, False, None)),
        (["--strict", "a b"], (Path("a b"), None, True, None)),
        (["--output", "o", "a", "--strict"], (Path("a"), Path("o"), True, None)),
        (["--output=o", "a"], (Path("a"), Path("o"), False, None)),
    ],
)
def test_a_positional_only_parameter_needs_no_option(arguments, expected):
    calls.clear()
    assert call_with_arguments(survey, "survey", arguments) == 0
    assert calls == [expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"required: (--)?data"),
        (["a", "b"], "unrecognized arguments: b"),
        (["--data", "a", "b"], "unrecognized arguments: b"),
        (["a", "--outputs", "b"], "unknown option '--outputs'; the nearest is '--output'"),
    ],
)
def test_f34_a_bare_argument_too_few_or_too_many_is_refused(arguments, message):
    calls.clear()
    with pytest.raises(UsageError, match=message):
        call_with_arguments(survey, "survey", arguments)
    assert not calls


def test_help_shows_the_bare_parameter(capsys):
    with pytest.raises(SystemExit):
        call_with_arguments(survey, "survey", ["--help"])
    shown = capsys.readouterr().out
    assert "pipeline survey DATA [options]" in shown
    assert "--data itself may be left out" in " ".join(shown.split())


def choose(format: list[Literal["png", "nrrd"]] | None = None, spacing: list[float] | None = None) -> int:
    """Choose.

    Args:
        format: One or several.
        spacing: Numbers.
    """
    calls.append((format, spacing))
    return 0


def test_a_list_may_be_left_out_and_takes_several_values():
    calls.clear()
    for arguments in ([], ["--format", "png"], ["--spacing", "1", "2.5", "--format", "nrrd", "png"]):
        assert call_with_arguments(choose, "choose", arguments) == 0
    assert calls == [(None, None), (["png"], None), (["nrrd", "png"], [1.0, 2.5])]
    for arguments in (["--format", "gif"], ["--spacing", "wide"], ["--format"]):
        with pytest.raises(UsageError):
            call_with_arguments(choose, "choose", arguments)


def test_choices_of_a_list_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        call_with_arguments(choose, "choose", ["--help"])
    assert "--format png|nrrd" in capsys.readouterr().out
