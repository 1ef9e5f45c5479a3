import json
import subprocess

import pytest
import torch

from pipeline.tracking import environment


def _git(folder, *arguments):
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
    )


def test_environment_is_json_and_names_the_parts():
    found = json.loads(json.dumps(environment.describe_environment()))
    assert (
        found["packages"]["torch"] == torch.__version__.split("+")[0] or found["packages"]["torch"] == torch.__version__
    )
    assert found["processor"]["usable_cores"] >= 1
    assert set(found) == {"packages", "python", "platform", "processor", "devices", "git", "command"}


def test_passwords_of_the_command_are_not_kept(monkeypatch):
    given = ["/bin/pipeline", "train", "--trainer.logger.tracking_uri", "https://me:secret@host"]
    monkeypatch.setattr("sys.argv", given)
    command = environment.describe_environment()["command"]
    assert command == ["pipeline", "train", "--trainer.logger.tracking_uri", "https://host"]


def test_versions_of_direct_requirements():
    versions = environment.package_versions()
    assert {"python", "segpose-pipeline", "torch", "monai", "numpy"} <= set(versions)
    assert "pytest" not in versions


def test_versions_without_an_installed_package(monkeypatch, caplog):
    monkeypatch.setattr(environment, "DISTRIBUTION", "no-such-distribution")
    assert list(environment.package_versions()) == ["python"]
    assert "not installed" in caplog.text


def test_git_revision_and_dirty_flag(tmp_path):
    _git(tmp_path, "init")
    (tmp_path / "a.py").write_text("a = 1\n")
    assert environment.git_revision(tmp_path) is None  # nothing is tracked yet
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "first")
    found = environment.git_revision(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "a.py").write_text("a = 2\n")
    assert environment.git_revision(tmp_path)["dirty"] is True


@pytest.mark.parametrize("hide_git", [False, True])
def test_no_repository_or_no_git_is_no_failure(tmp_path, monkeypatch, hide_git):
    if hide_git:
        monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_revision(tmp_path) is None
