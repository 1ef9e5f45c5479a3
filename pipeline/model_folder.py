"""The model folder: everything that prediction needs, and nothing that can be executed."""

import dataclasses
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_origin

import safetensors.torch
import torch
from safetensors import SafetensorError

from datamodules.formats.errors import DataError
from networks.base import Network, build, describe
from pipeline.model_card import model_card
from pipeline.model_reference import DESCRIPTION, register_model, resolve_model
from pipeline.tracking.environment import package_versions

__all__ = [
    "LoadedModel",
    "ModelDescription",
    "load_model_folder",
    "register_model",
    "resolve_model",
    "save_model_folder",
]

FORMAT = 1  # of model.json; raised when an older reader would misunderstand it
WEIGHTS = "weights.safetensors"
CARD = "card.md"
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib", ".npy", ".npz"})


@dataclass(frozen=True)
class ModelDescription:
    """What model.json holds beside its format number.

    Args:
        task: Name of the task, such as "segmentation".
        network: Class path and constructor arguments; `save_model_folder` fills it in.
        preprocessing: As `Preprocessing.to_dict` returns it.
        labels: As `LabelSet.to_dict` returns it.
        patch_size: Voxels per axis.
        inference: Settings of the sliding window.
        versions: Package versions at training; filled in by `save_model_folder` when empty.
        data_digest: SHA-256 over the training data's content.
        metrics: Validation scores, by name, possibly nested.
        training_range: Intensities and spacing in mm seen in training.
        weights_sha256: SHA-256 of the weights file; filled in by `save_model_folder`.
    """

    task: str
    network: dict[str, Any]
    preprocessing: dict[str, Any]
    labels: dict[str, Any]
    patch_size: list[int]
    inference: dict[str, Any]
    versions: dict[str, Any]
    data_digest: str
    metrics: dict[str, Any]
    training_range: dict[str, Any]
    weights_sha256: str = ""


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode on the CPU with its description.

    `sha256` is that of model.json, which holds that of the weights: it stands for the whole model.
    """

    network: Network
    description: ModelDescription
    folder: Path
    sha256: str


def save_model_folder(
    folder: Path,
    network: Network,
    description: ModelDescription,
    *,
    data: str = "",
    limits: Sequence[str] = (),
) -> ModelDescription:
    """Write weights, description and card; the folder appears whole or not at all.

    Args:
        folder: Target; an earlier model folder in its place is replaced.
        network: Its class and constructor arguments are recorded with the weights.
        description: The rest of model.json.
        data: One line for the card on the data that the model was trained on.
        limits: Further lines for the card on what the model is not for.

    Returns:
        The description as written.

    Raises:
        FileExistsError: Something other than a model folder is in the way.
    """
    if folder.exists() and not (folder / DESCRIPTION).is_file() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: expected a model folder or nothing, found other files; choose another name")
    weights = safetensors.torch.save({name: _plain(value) for name, value in network.state_dict().items()})
    description = dataclasses.replace(
        description,
        network=describe(network),
        versions=description.versions or package_versions(),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    content = _finite({"format": FORMAT, **dataclasses.asdict(description)})
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{secrets.token_hex(8)}"
    temporary.mkdir()
    try:
        _write(temporary / WEIGHTS, weights)
        _write(temporary / DESCRIPTION, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
        _write(temporary / CARD, model_card(content, folder.name, data=data, limits=limits).encode())
        _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return description


def load_model_folder(folder: Path) -> LoadedModel:
    """Read a model folder, also one from a stranger: nothing in it is executed.

    Raises:
        DataError: A file is missing, damaged or changed, a pickle lies in the folder, or the description
            names a class outside `networks` or one that does not fit the weights.
    """
    _refuse_pickles(folder)
    text, weights = _read(folder / DESCRIPTION), _read(folder / WEIGHTS)
    description = parse_description(text, folder / DESCRIPTION)
    found = hashlib.sha256(weights).hexdigest()
    if found != description.weights_sha256:
        raise DataError(
            folder / WEIGHTS,
            f"weights of SHA-256 {description.weights_sha256}",
            found,
            "the file is damaged or was exchanged; get the model folder again",
        )
    try:
        network = build(description.network)
        network.load_state_dict(safetensors.torch.load(weights), strict=True)
    except SafetensorError as error:
        raise DataError(folder / WEIGHTS, "a safetensors file", str(error), "get the model folder again") from error
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise DataError(
            folder / DESCRIPTION,
            "a network of this software that fits the weights",
            str(error),
            "use the version of this software named in its 'versions', or a model folder that you trust",
        ) from error
    return LoadedModel(network.eval(), description, folder, hashlib.sha256(text).hexdigest())


def parse_description(text: bytes, path: Path) -> ModelDescription:
    """Read model.json strictly.

    Raises:
        DataError: It is not JSON, of another format, or a field is missing, unknown or of the wrong type.
    """
    remedy = "get the model folder again, or write it anew by training"
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(path, "JSON", str(error), remedy) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise DataError(path, f"a model description of format {FORMAT}", "another format", remedy)
    fields = [field.name for field in dataclasses.fields(ModelDescription)]
    if set(content) != set(fields):
        difference = ", ".join(sorted(set(content) ^ set(fields)))
        raise DataError(path, f"the fields {', '.join(fields)}", f"missing or unknown: {difference}", remedy)
    wrong = [name for name, value in content.items() if not isinstance(value, _type_of(name))]
    if wrong:
        raise DataError(path, "text, lists and objects as documented", f"wrong types in {', '.join(wrong)}", remedy)
    return ModelDescription(**content)


def _type_of(name: str) -> type:
    annotation = ModelDescription.__annotations__[name]
    return cast(type, get_origin(annotation) or annotation)  # dict for dict[str, Any]


def _refuse_pickles(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(
            folder, "a model folder", "no such folder", "name a folder, a run id, models:/name@alias or last"
        )
    pickles = sorted(p.name for p in folder.rglob("*") if p.suffix.lower() in PICKLES)
    if pickles:
        raise DataError(
            folder,
            f"{WEIGHTS}, {DESCRIPTION} and {CARD} alone",
            f"{', '.join(pickles)}, which can run code when loaded",
            "do not use this folder unless you know who made it; remove the file otherwise",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(path, "a readable file", error.strerror or str(error), "get the model folder again") from error


def _plain(value: torch.Tensor) -> torch.Tensor:
    """Return a copy on the CPU in the usual memory layout, of its own storage as safetensors asks for."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def _finite(value: Any) -> Any:  # noqa: ANN401 -- JSON holds anything
    """Replace NaN and infinity, which JSON does not know, by null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _swap(new: Path, target: Path) -> None:
    """Put a finished folder in the target's place; one rename cannot replace a full folder."""
    old = target.parent / f".{secrets.token_hex(8)}"
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
