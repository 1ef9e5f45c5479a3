import subprocess
import sys
from importlib.metadata import version

import pytest

from pipeline import commands
from pipeline.cli import main, verbs

HEAVY = (
    "torch",
    "numpy",
    "mlflow",
    "pytorch_lightning",
    "lightning_fabric",
    "monai",
    "scipy",
    "albumentations",
)


def run_python(code, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tran"]])
def test_answers_without_a_heavy_import(tmp_path, arguments):
    code = f"""
import sys
from pipeline.cli import main
try:
    main({arguments!r})
except SystemExit:
    pass
sys.exit(str([name for name in {HEAVY!r} if name in sys.modules]))
"""
    assert run_python(code, tmp_path).stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_help_of_a_verb_does_not_import_torch(tmp_path, verb):
    code = f"""
import sys
from pipeline.cli import main
try:
    main([{verb!r}, "--help"])
except SystemExit:
    sys.exit(str([name for name in {HEAVY!r} if name in sys.modules]))
"""
    ended = run_python(code, tmp_path)
    assert ended.stderr.strip() == "[]"
    assert "--input" in ended.stdout
    assert "--output" in ended.stdout


def test_help_lists_every_verb(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert {"train", "predict", "evaluate"} <= set(verbs())
    assert all(f"\n  {verb}" in shown for verb in verbs())
    assert "exit codes" in shown


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"pipeline {version('segpose-pipeline')}\n"


def test_no_verb_shows_the_help(capsys):
    assert main([]) == 2
    assert "verbs:" in capsys.readouterr().out


def test_f34_unknown_verb_names_the_nearest(capsys):
    assert main(["tarin"]) == 2
    assert "unknown verb 'tarin'; the nearest is 'train'" in capsys.readouterr().err


VERB = '''"""Fail as told."""


def fail(arguments: list[str]) -> int:
    """Fail."""
    from datamodules.formats.errors import DataError
    from pipeline.config.errors import UsageError

    raise {error}
'''
ENDS = {
    'DataError("ct.nii.gz", "a gzip stream", "a web page", "download it again")': (
        1,
        "error: ct.nii.gz: expected a gzip stream, found a web page; download it again\n",
    ),
    'UsageError("no such key")': (2, "error: no such key\n"),
    'FileNotFoundError(2, "No such file", "ct.nii")': (1, "error: [Errno 2] No such file: 'ct.nii'\n"),
    "KeyboardInterrupt": (130, "error: interrupted\n"),
}


@pytest.fixture
def failing_verb(tmp_path, monkeypatch):
    """Add a verb as any is added: by a file in the folder of commands."""

    def add(error):
        (tmp_path / "fail.py").write_text(VERB.format(error=error))
        monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, "pipeline.commands.fail", raising=False)

    yield add
    sys.modules.pop("pipeline.commands.fail", None)


@pytest.mark.parametrize("error", ENDS)
def test_foreseen_errors_end_as_one_line(failing_verb, capsys, error):
    failing_verb(error)
    code, line = ENDS[error]
    assert main(["fail"]) == code
    assert capsys.readouterr().err == line


def test_debug_shows_the_traceback(failing_verb, capsys):
    failing_verb('DataError("a", "b", "c", "d")')
    assert main(["fail", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["OSError", "ValueError"])
def test_passwords_reach_neither_the_message_nor_the_traceback(failing_verb, capsys, kind):
    failing_verb(f'{kind}("no answer from https://me:secret@host/x")')
    assert main(["fail", "--debug"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: no answer from https://host/x\nTraceback")
    # The traceback shows the verb's own line of source, which holds the address as well.
    assert "secret" not in shown


def test_python_m_pipeline(tmp_path):
    command = [sys.executable, "-m", "pipeline", "--version"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == f"pipeline {version('segpose-pipeline')}\n"


def test_unforeseen_error_shows_where_it_came_from(failing_verb, capsys):
    failing_verb('ZeroDivisionError("ratio")')
    assert main(["fail"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ratio\nTraceback")
    assert "fail.py" in shown
