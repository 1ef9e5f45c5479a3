import pytest

from pipeline.tracking.redaction import redact

SECRETS = {
    "https://me:secret@host/x": "https://host/x",
    "https://token@host": "https://host",
    "postgresql+psycopg2://me:secret@host:5432/runs": "postgresql+psycopg2://host:5432/runs",
    "mysql://me:se/c?r#et@host/runs": "mysql://host/runs",
    "mysql://me:secr@et@host/runs": "mysql://host/runs",
    "API request to https://me:secret@host/api failed: (https://me:secret@host/api)": (
        "API request to https://host/api failed: (https://host/api)"
    ),
    "--trainer.logger.tracking_uri=https://me:secret@host": "--trainer.logger.tracking_uri=https://host",
    "postgresql://host/runs?user=me&password=secret&sslmode=require": (
        "postgresql://host/runs?user=me&password=***&sslmode=require"
    ),
    "https://store/a?sv=1&sig=secret": "https://store/a?sv=1&sig=***",
}
HARMLESS = [
    "sqlite:////home/me@work/mlruns/mlflow.db",
    "http://host:5000/#/models/liver@best",
    "http://[::1]:5000/a@b",
    "models:/liver@best",
    "http://host:5000: no answer, ask admin@host",
    "s3://bucket/key",
]


@pytest.mark.parametrize("text", SECRETS)
def test_passwords_are_taken_out_anywhere_in_a_text(text):
    assert redact(text) == SECRETS[text]
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_holds_no_password_stays(text):
    assert redact(text) == text
