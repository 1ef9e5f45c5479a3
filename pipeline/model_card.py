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
    pose = content["task"] == "pose"
    network = content["network"]
    found, use, limits_of_task = _pose(content) if pose else _segmentation(content)
    metrics = dict(content["metrics"])
    joints = metrics.pop("joints", {}) if pose else {}
    lines = [
        f"# {name}",
        "",
        f"A network for {content['task']} ({network['class_path'].rpartition('.')[2]}). It {found[0]}:",
        "",
        *found[1:],
        "",
        "## Data",
        "",
        *([data, ""] if data else []),
        f"Digest of the training data: `{content['data_digest'] or 'none'}`.",
        _input_size(content),
        "",
        "## Validation scores",
        "",
        *_table(metrics),
        *_joint_table(joints),
        "",
        "## Use",
        "",
        "```",
        use[0],
        "```",
        "",
        *use[1:],
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in [*limits_of_task, *_range_limits(content["training_range"]), *limits]),
    ]
    return "\n".join(lines) + "\n"


Words = tuple[list[str], list[str], list[str]]  # what it finds, how it is used, its limits


def _segmentation(content: Mapping[str, Any]) -> Words:
    structures = [s for s in content["labels"].get("structures", []) if s["values"] != [0]]
    found = ["marks", *(f"- {s['name']} (value {', '.join(map(str, s['values']))})" for s in structures)]
    use = [
        "pipeline predict --model THIS_FOLDER --input IMAGES --output MASKS",
        "The masks lie on the grid of their images; `report.json` beside them says how each case went.",
    ]
    return found, use, ["Not a medical device: a person has to look at every mask before it is used."]


def _pose(content: Mapping[str, Any]) -> Words:
    calibration = content["inference"].get("calibration") or {}
    cut = "the subject's box" if content["preprocessing"].get("subject") == "box" else "the whole image"
    use = [
        "pipeline pose --model THIS_FOLDER --input VIDEO --output TABLES",
        "A table per video has a row for each frame and joint; `report.json` beside it says how each video went. The "
        f"network is shown {cut}.",
        *(["", f"Confidence: {calibration['note']}."] if calibration.get("note") else []),
    ]
    limits = [
        "One subject per region: of several the network shows joints of either.",
        "A joint of low confidence may be anywhere: leave such rows out before anything is measured.",
    ]
    return ["finds", *(f"- {name}" for name in content["labels"]["names"])], use, limits


def _input_size(content: Mapping[str, Any]) -> str:
    if content["task"] == "pose":
        height, width = content["patch_size"]
        return f"Input: {width} x {height} pixels (width x height), three channels."
    return f"Patch size: {' x '.join(map(str, content['patch_size']))} voxels."


def _joint_table(joints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the scores of each joint, a row for each; "" stands for a joint without any truth."""
    if not joints:
        return []
    columns = list(dict.fromkeys(key for row in joints.values() for key in row))
    rows = [[name, *(_cell(row.get(key)) for key in columns)] for name, row in joints.items()]
    head = ["joint", *columns]
    return ["", *(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])]


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


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
