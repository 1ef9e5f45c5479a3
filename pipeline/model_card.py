"""The card of a model folder: a page of plain facts for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def model_card(content: Mapping[str, Any], name: str, *, data: str = "", limits: Sequence[str] = ()) -> str:
    """Return the card as Markdown.

    Args:
        content: What model.json holds.
        name: Name of the model folder.
        data: One line on the training data.
        limits: Further lines on what the model is not for.
    """
    structures = [s for s in content["labels"].get("structures", []) if s["values"] != [0]]
    network = content["network"]
    lines = [
        f"# {name}",
        "",
        f"A network for {content['task']} ({network['class_path'].rpartition('.')[2]}). It marks:",
        "",
        *(f"- {s['name']} (value {', '.join(map(str, s['values']))})" for s in structures),
        "",
        "## Data",
        "",
        *([data, ""] if data else []),
        f"Digest of the training data: `{content['data_digest'] or 'none'}`.",
        f"Patch size: {' x '.join(map(str, content['patch_size']))} voxels.",
        "",
        "## Validation scores",
        "",
        *_table(content["metrics"]),
        "",
        "## Use",
        "",
        "```",
        "pipeline predict --model THIS_FOLDER --input IMAGES --output MASKS",
        "```",
        "",
        "The masks lie on the grid of their images; `report.json` beside them says how each case went.",
        "",
        "## Limits",
        "",
        "- Not a medical device: a person has to look at every mask before it is used.",
        *(f"- {limit}" for limit in [*_range_limits(content["training_range"]), *limits]),
    ]
    return "\n".join(lines) + "\n"


def _table(metrics: Mapping[str, Any]) -> list[str]:
    rows = list(_rows(metrics))
    if not rows:
        return ["None were recorded."]
    return ["| score | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _rows(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", f"{value:.4f}" if isinstance(value, float) else _text(value)


def _range_limits(training_range: Mapping[str, Any]) -> list[str]:
    return [f"Trained on {key.replace('_', ' ')}: {_text(value)}." for key, value in training_range.items()]


def _text(value: object) -> str:
    if value is None:
        return "not defined"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value)
