import shutil

import pytest

from pipeline.model_reference import register_model, resolve_model
from pipeline.tracking import store


@pytest.fixture(scope="module")
def uri(tmp_path_factory) -> str:
    uri = store.embedded_uri(tmp_path_factory.mktemp("models") / "mlruns")
    store.open_client(uri)
    root = store.embedded_root(uri)
    (root / "empty").mkdir()
    shutil.copy(root / "mlflow.db", root / "empty" / "mlflow.db")  # making a second one takes seconds
    return uri


def _run(uri: str, end_ms: int, *, model: bool) -> tuple[str, object]:
    client, experiment_id = store.open_experiment("models", uri)
    info = client.create_run(experiment_id, start_time=1).info
    client.set_terminated(info.run_id, end_time=end_ms)
    folder = store.local_path(info.artifact_uri) / "model"
    folder.mkdir(parents=True)
    if model:
        (folder / "model.json").write_text("{}")
    return info.run_id, folder


def test_a_folder_or_the_folder_around_it(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    assert resolve_model(str(tmp_path / "model")) == tmp_path / "model"
    assert resolve_model(str(tmp_path)) == tmp_path / "model"


def test_last_is_the_newest_run_that_has_a_model(uri):
    with pytest.raises(store.StoreError, match="none of 0 runs has a model folder"):
        resolve_model("last", str(store.embedded_root(uri) / "empty"))
    run_id, older = _run(uri, 10_000_000_000_000, model=True)
    _, newest = _run(uri, 10_000_000_000_900, model=True)
    _run(uri, 10_000_000_000_950, model=False)
    assert resolve_model("last", uri) == newest
    assert resolve_model(run_id, uri) == older


def test_registered_models_by_version_and_alias(uri):
    run_id, first = _run(uri, 5, model=True)
    other_id, second = _run(uri, 6, model=True)
    assert register_model(run_id, "liver", tracking_uri=uri) == "models:/liver/1"
    assert register_model(other_id, "liver", alias="best", tracking_uri=uri) == "models:/liver@best"
    assert resolve_model("models:/liver/1", uri) == first
    assert resolve_model("models:/liver/2", uri) == second
    assert resolve_model("models:/liver@best", uri) == second


def test_a_run_without_a_model_is_not_registered(uri):
    run_id, _ = _run(uri, 8, model=False)
    with pytest.raises(store.StoreError, match="expected a model folder to register"):
        register_model(run_id, "lung", tracking_uri=uri)


@pytest.mark.parametrize("reference", ["last", "0" * 32, "models:/none@best"])
def test_passwords_do_not_reach_messages(tmp_path, monkeypatch, reference):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError) as refused:
        resolve_model(reference, "http://me:secret@127.0.0.1:1")  # a port that nothing listens on
    assert "secret" not in str(refused.value)
    assert "127.0.0.1:1" in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("0" * 32, "no run"),
        ("models:/none@best", "no registered model"),
        ("models:/none", "expected models:/name@alias"),
        ("no such thing", "expected a model folder, an MLflow run id"),
    ],
)
def test_unknown_references_say_what_is_expected(uri, reference, message):
    with pytest.raises(store.StoreError, match=message):
        resolve_model(reference, uri)


def test_a_run_or_folder_without_a_model_is_named(uri, tmp_path):
    run_id, _ = _run(uri, 7, model=False)
    with pytest.raises(store.StoreError, match="may not have finished"):
        resolve_model(run_id, uri)
    with pytest.raises(store.StoreError, match=r"expected a model folder with model\.json"):
        resolve_model(str(tmp_path), uri)
