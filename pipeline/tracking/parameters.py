"""Parameters and names in the form that MLflow takes, with nothing lost."""

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

LONGEST_PARAM = 6000  # characters; MLflow cuts longer values
LONGEST_KEY = 250  # characters; MLflow refuses longer names
PARAMS_FILE = "params.json"


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested parameters under dotted names, as on the command line; lists become JSON."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Namespace):
            value = vars(value)
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            flat[valid_key(name)] = text
    return flat


def valid_key(key: str) -> str:
    """Return a name that MLflow takes: its alphabet, and at most 250 characters."""
    parts = re.sub(r"[^\w\-. :/]", "_", key)[:LONGEST_KEY].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def shown(value: str) -> str:
    """Return the value for MLflow's page: itself, or where to find it when it is too long."""
    if len(value) <= LONGEST_PARAM:
        return value
    return f"({len(value)} characters, in full in {PARAMS_FILE})"
