"""Limbs, and which joints are left and right of each other, by names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from datamodules.annotations.subjects import Annotations
from datamodules.formats.errors import DataError
from datamodules.keypoints import Skeleton

# A bare l in front, as in lear; lip and rip differ by it as well, so that one such pair alone proves nothing.
_BARE = (re.compile(r"(?<![A-Za-z])l(?=[a-z])"), "r")
_LEAST_BARE = 2
# What marks a joint as left, and what stands in its place in the name of its right twin.
_LEFT = [
    (re.compile("left"), "right"),
    (re.compile("Left"), "Right"),
    (re.compile("LEFT"), "RIGHT"),
    (re.compile(r"(?<![A-Za-z])L(?![a-z])"), "R"),  # L_ear, paw.L, LEar, paw1LH
    (re.compile(r"(?<=[A-Za-z0-9])L(?![A-Za-z])"), "R"),  # earL, pawFL
    (re.compile(r"(?<=[a-z0-9])L(?=[A-Z])"), "R"),  # pawLFront
    (re.compile(r"(?<![A-Za-z])l(?![A-Za-z])"), "r"),  # l_ear, ear_l
    (re.compile(r"(?<![A-Za-z])l(?=[A-Z])"), "r"),  # lEar
    _BARE,
    (re.compile(r"(?<=(?<![A-Za-z])[a-z])l(?![A-Za-z])"), "r"),  # paw_fl
]


def pairs_by_names(names: Sequence[str]) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    """Find joints whose names differ by nothing but left and right.

    A name counts only if its twin is there: `paw1LH` stays single where there is `paw4RH` and no `paw1RH`. A bare l and
    r in front, as of `lear` and `rear`, count if two pairs or more have them: `lump` and `rump` stay single.

    Returns:
        Pairs of indices, left and right, and the names that stay single as they have more than one possible twin, or
        the only one with a bare l or r.
    """
    index = {name: position for position, name in enumerate(names)}
    found = {
        (position, index[twin]) for name, position in index.items() for twin in _right_names(name) if twin in index
    }
    uses = Counter(joint for pair in found for joint in pair)
    pairs = sorted(pair for pair in found if all(uses[joint] == 1 for joint in pair))
    bare = bare_pairs(names, pairs)
    lonely = bare if len(bare) < _LEAST_BARE else ()
    doubtful = {joint for joint in uses if uses[joint] > 1} | {joint for pair in lonely for joint in pair}
    return tuple(pair for pair in pairs if pair not in lonely), tuple(names[joint] for joint in sorted(doubtful))


def bare_pairs(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the pairs that nothing but a bare l and r in front tells to be left and right."""
    return tuple((a, b) for a, b in pairs if names[b] in _twins(names[a], *_BARE))


def _right_names(name: str) -> set[str]:
    """Return what the right twin of a left joint may be called."""
    return {twin for pattern, right in _LEFT for twin in _twins(name, pattern, right)}


def _twins(name: str, pattern: re.Pattern[str], right: str) -> set[str]:
    """Return a name with what marks it as left replaced in one place, and in all."""
    places = list(pattern.finditer(name))
    twins = {name[: place.start()] + right + name[place.end() :] for place in places}
    return twins | {pattern.sub(right, name)} if places else twins


def make_skeleton(
    annotations: Annotations,
    *,
    edges: Sequence[tuple[str, str]] | None,
    pairs: Sequence[tuple[str, str]] | None,
) -> tuple[Skeleton, tuple[str, ...]]:
    """Join names with limbs and pairs: from the options, else from the file, and pairs else by names.

    Returns:
        The skeleton, and where its limbs and pairs come from, each in a sentence.

    Raises:
        DataError: If an option names a joint that is none, or a joint twice in pairs.
    """
    names = annotations.names
    file = annotations.source.name
    if edges is not None:
        limbs, limbs_from = _indices(names, edges, "data.edges"), "limbs: from data.edges"
    elif annotations.edges:
        limbs, limbs_from = (
            _indices(names, annotations.edges, file),
            f"limbs: {len(annotations.edges)} {annotations.edges_from or 'from ' + file}",
        )
    else:
        limbs, limbs_from = (), f"limbs: none, as {file} names none; data.edges sets them"
    if pairs is not None:
        twins, twins_from = _indices(names, pairs, "data.pairs"), "left and right pairs: from data.pairs"
    elif annotations.pairs:
        twins = _indices(names, annotations.pairs, file)
        twins_from = f"left and right pairs: {_listed(names, twins)}, from {file}"
    else:
        twins, twins_from = _told_pairs(names)
    try:
        return Skeleton(names, limbs, twins), (limbs_from, twins_from)
    except ValueError as error:
        where = Path("data.pairs") if pairs is not None else annotations.source
        raise DataError(where, "each joint in one pair at most", str(error), "mend the pairs") from error


def _told_pairs(names: Sequence[str]) -> tuple[tuple[tuple[int, int], ...], str]:
    pairs, doubtful = pairs_by_names(names)
    doubt = f"; in doubt and left single: {', '.join(doubtful)}" if doubtful else ""
    if pairs:
        bare = bare_pairs(names, pairs)
        guess = f" ({_listed(names, bare)} by nothing but an l or r in front)" if bare else ""
        return pairs, f"left and right pairs: {_listed(names, pairs)}, by their names{guess}{doubt}"
    return (
        (),
        f"left and right pairs: none, as no two names differ by left and right alone{doubt}; data.pairs sets them",
    )


def _listed(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{names[left]}/{names[right]}" for left, right in pairs)


def _indices(names: Sequence[str], pairs: Sequence[tuple[str, str]], where: str) -> tuple[tuple[int, int], ...]:
    known = {name: index for index, name in enumerate(names)}
    wrong = [str(pair) for pair in pairs if len(pair) != 2 or not set(pair) <= set(known) or pair[0] == pair[1]]
    if wrong:
        raise DataError(
            where,
            expected=f"pairs of two different joints of {', '.join(names)}",
            found=", ".join(wrong[:5]),
            remedy="mend the pairs",
        )
    return tuple((known[first], known[second]) for first, second in pairs)
