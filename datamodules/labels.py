"""Which structures a label file holds, and how its stored values become network channels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

Labels = NDArray[np.unsignedinteger[Any]]
MAX_VALUE = 65535  # labels are written as uint16 at most


@dataclass(frozen=True)
class Structure:
    """A named structure and the stored values that belong to it."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class LabelSet:
    """The structures of a data set, in the order of the network's channels.

    Exclusive structures (softmax) hold one value each, the background (value 0, whatever its name) first, and
    channel `i` is structure `i`. Overlapping structures (sigmoid) have one channel each and no background.

    Args:
        structures: In channel order.
        overlapping: Whether a voxel may belong to several structures.
        label_map: Pairs (stored, declared) that rename stored values before they are checked.

    Raises:
        ValueError: If names or values are doubled, out of range, or no foreground is left.
    """

    structures: tuple[Structure, ...]
    overlapping: bool = False
    label_map: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(problem)

    @property
    def foreground_indices(self) -> tuple[int, ...]:
        """Channels that are not background."""
        return tuple(range(0 if self.overlapping else 1, len(self.structures)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the foreground structures, in channel order."""
        return tuple(self.structures[index].name for index in self.foreground_indices)

    @property
    def num_channels(self) -> int:
        """Number of network outputs."""
        return len(self.structures)

    @property
    def declared_values(self) -> tuple[int, ...]:
        """All values that a label file may hold (before `label_map`), background included."""
        return tuple(sorted({0, *(value for item in self.structures for value in item.values)}))

    def encode(self, array: NDArray[Any], path: Path | None = None) -> Labels:
        """Turn stored values into what the network learns.

        Args:
            array: Stored integers `[X, Y, Z]` or `[1, X, Y, Z]`; for overlapping structures also one mask per
                structure, `[K, X, Y, Z]`.
            path: The file that an error shall name.

        Returns:
            Class indices `[X, Y, Z]`, or masks `[K, X, Y, Z]` of 0 and 1 for overlapping structures, which are the
            array itself where that is such masks already.

        Raises:
            DataError: If a value is not declared, or the number of masks is not that of the structures.
        """
        if array.ndim == 4 and array.shape[0] != 1:
            return self._encode_masks(array, path)
        flat = array[0] if array.ndim == 4 else array
        codes = self.declared_values if self.overlapping else tuple(s.values[0] for s in self.structures)
        index = self._lookup(flat, codes, path)
        if not self.overlapping:
            return index
        members = np.stack([np.isin(codes, item.values) for item in self.structures]).astype(np.uint8)
        masks: Labels = members[:, index]
        return masks

    def decode(self, indices: NDArray[Any]) -> Labels:
        """Turn class indices `[X, Y, Z]` into stored values; masks `[K, X, Y, Z]` stay masks."""
        if self.overlapping:
            masks: Labels = (indices != 0).astype(np.uint8)
            return masks
        values = np.array([item.values[0] for item in self.structures])
        decoded: Labels = values.astype(np.uint8 if values.max() <= 255 else np.uint16)[indices]
        return decoded

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description, read back by `from_dict`."""
        return {
            "structures": [{"name": item.name, "values": list(item.values)} for item in self.structures],
            "overlapping": self.overlapping,
            "label_map": [list(pair) for pair in self.label_map],
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "LabelSet":
        """Read what `to_dict` returned."""
        structures = tuple(Structure(str(s["name"]), _values(s["values"])) for s in description["structures"])
        pairs = tuple((int(old), int(new)) for old, new in description.get("label_map", ()))
        return cls(structures, bool(description["overlapping"]), pairs)

    @classmethod
    def from_json(
        cls,
        labels: Mapping[str, Any],
        *,
        path: Path | None = None,
        label_map: Mapping[int, int] | None = None,
    ) -> "LabelSet":
        """Read the `labels` of a `dataset.json` or of a config.

        Args:
            labels: `{name: value}` or `{name: [values]}` as nnU-Net v2 has it, or `{"0": name}` as the
                Medical Segmentation Decathlon has it. Where none has the value 0, a background is added.
            path: The file that an error shall name.
            label_map: `{stored: declared}`, applied to stored values before they are checked.

        Raises:
            DataError: If the labels cannot be understood.
        """
        try:
            structures = _parse(labels)
            _refuse_ignored(structures, path)
            values = [value for item in structures for value in item.values]
            overlapping = any(len(item.values) > 1 for item in structures) or len(set(values)) < len(values)
            background = [item for item in structures if item.values == (0,)] or [Structure("background", (0,))]
            foreground = [item for item in structures if item.values != (0,)]
            ordered = foreground if overlapping else [*background, *foreground]
            return cls(tuple(ordered), overlapping, tuple(sorted((label_map or {}).items())))
        except (TypeError, ValueError) as error:
            expected = 'labels such as {"background": 0, "liver": 1} or {"tumour": [1, 2], "core": [2]}'
            raise DataError(
                path or Path("labels"),
                expected=expected,
                found=str(error),
                remedy="mend `labels` (and `data.label_map`, if it is set)",
            ) from error

    @classmethod
    def of_masks(cls, names: Sequence[str], *, path: Path | None = None) -> "LabelSet":
        """Name overlapping structures that have a mask file each, in the order of the masks.

        Args:
            names: The structures.
            path: The folder that an error shall name.

        Raises:
            DataError: If a name is empty, doubled, or `ignore`.
        """
        if "ignore" in names:
            kept = [name for name in names if name != "ignore"]
            others = ", ".join(f"{name}: {value}" for value, name in enumerate(kept, start=1))
            remedy = f"name the structures to learn in data.labels, without it: {{{others}}}"
            raise DataError(path or Path("labels"), "mask files of structures", "one named 'ignore'", remedy)
        try:
            return cls(tuple(Structure(name, (value,)) for value, name in enumerate(names, start=1)), overlapping=True)
        except ValueError as error:
            raise DataError(path or Path("labels"), "mask files of unique names", str(error), "rename them") from error

    def _problems(self) -> Iterator[str]:
        names = [item.name for item in self.structures]
        if len(set(names)) < len(names) or "" in names:
            yield f"names must be unique and not empty, got {names}"
        if any(not item.values for item in self.structures):
            yield "a structure without a value"
        values = [value for item in self.structures for value in item.values]
        if any(not 0 <= value <= MAX_VALUE for value in values):
            yield f"values must lie in 0..{MAX_VALUE}, got {values}"
        if "ignore" in names:
            yield "an 'ignore' label is not supported"
        if not self.overlapping and (values[:1] != [0] or len(set(values)) < len(values) or len(values) > len(names)):
            yield f"exclusive structures need one value each, the background's 0 first, got {values}"
        if self.overlapping and 0 in values:
            yield "value 0 is the background and belongs to no overlapping structure"
        if not self.foreground_indices:
            yield "no structure besides the background"
        if any(not 0 <= stored <= MAX_VALUE for stored, _ in self.label_map):
            yield f"label_map can rename 0..{MAX_VALUE} only, got {[stored for stored, _ in self.label_map]}"
        if unknown := [new for _, new in self.label_map if new not in self.declared_values]:
            yield f"label_map leads to values that are not declared: {unknown}"

    def _lookup(self, array: NDArray[Any], codes: Sequence[int], path: Path | None) -> Labels:
        """Replace each value by its position in `codes`, one slab at a time to keep memory flat."""
        renamed = {code: code for code in codes} | dict(self.label_map)
        dtype = np.uint8 if len(codes) < 256 else np.uint16
        sentinel = len(codes)
        table = np.full(max(renamed) + 1, sentinel, dtype=dtype)
        for stored, declared in renamed.items():
            table[stored] = codes.index(declared)
        if array.dtype.kind not in "iub":
            raise TypeError(f"labels must be integers, got {array.dtype}")
        if not array.size or (array.min() >= 0 and array.max() < len(table)):
            index: Labels = np.empty(array.shape, dtype=dtype)
            for position, slab in enumerate(array):
                index[position] = table[slab]
            if not (index == sentinel).any():
                return index
        raise self._undeclared(array, path)

    def _undeclared(self, array: NDArray[Any], path: Path | None) -> DataError:
        known = {*self.declared_values, *(stored for stored, _ in self.label_map)}
        unknown = [int(value) for value in np.unique(array) if int(value) not in known]
        shown = ", ".join(map(str, unknown[:20])) + (" ..." if len(unknown) > 20 else "")
        return DataError(
            path or Path("labels"),
            expected=f"the declared values {', '.join(map(str, self.declared_values))}",
            found=f"undeclared: {shown}",
            remedy=f"declare them in `labels`, or mend them by `data.label_map`, such as {{{unknown[0]}: 0}}"
            + ("; {255: 1} for masks of one bit, whose 1 is read as 255" if 255 in unknown else ""),
        )

    def _encode_masks(self, array: NDArray[Any], path: Path | None) -> Labels:
        if self.overlapping and array.shape[0] == self.num_channels:
            if array.dtype == np.uint8 and array.max(initial=0) <= 1:
                return array  # as mask files are read: many of them are not copied
            masks: Labels = (array != 0).view(np.uint8)
            return masks
        raise DataError(
            path or Path("labels"),
            expected=f"one mask for each of {', '.join(self.names)}" if self.overlapping else "one 3-D label volume",
            found=f"{array.shape[0]} volumes",
            remedy="store exclusive structures as one volume of integers",
        )


def _parse(labels: Mapping[str, Any]) -> list[Structure]:
    """Read both spellings; MSD's has values as keys and names as values."""
    if not isinstance(labels, Mapping):  # it comes from JSON
        raise TypeError(f"{labels!r}"[:100])
    swapped = bool(labels) and all(str(key).isdigit() and not str(name).isdigit() for key, name in labels.items())
    if swapped and all(isinstance(name, str) for name in labels.values()):
        return [Structure(name, (int(key),)) for key, name in labels.items()]
    return [Structure(str(name), _values(value)) for name, value in labels.items()]


def _refuse_ignored(structures: Sequence[Structure], path: Path | None) -> None:
    """Refuse nnU-Net's label of voxels that count for nothing, and say how to read them as background."""
    ignored = [value for item in structures if item.name == "ignore" for value in item.values]
    if ignored:
        kept = ", ".join(
            f"{item.name}: {list(item.values) if len(item.values) > 1 else item.values[0]}"
            for item in structures
            if item.name != "ignore" and item.values
        )
        read = ", ".join(f"{value}: 0" for value in ignored)
        raise DataError(
            path or Path("labels"),
            expected="structures to learn alone",
            found=f"an 'ignore' label (value {', '.join(map(str, ignored))}), which is not supported",
            remedy=f"to read it as background, set data.labels to {{{kept}}} and data.label_map to {{{read}}}",
        )


def _values(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - it comes from JSON
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | str) or not str(item).isdigit():
            raise ValueError(f"{item!r} is not a label value")
    return tuple(int(item) for item in items)
