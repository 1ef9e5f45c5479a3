"""Names of structures as DICOM codes: SNOMED CT for those that are known, a private code for all others."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.inference.dicom_terms import ANATOMY, EXCLUSIVE, LESIONS, POSITIONS, TISSUES

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

Table = dict[str, tuple[str, ...]]

PRIVATE_SCHEME = "99SEGPOSE"
LONG_STRING = 64  # characters of DICOM's type LO, which labels and meanings have
_SHORT_STRING = 16  # of type SH, which code values have
_HASH_LENGTH = 8


@dataclass(frozen=True)
class Concept:
    """What a segment is, in codes.

    Args:
        category: Anatomical structure, or morphologically abnormal structure.
        kind: The property type: which structure.
        modifiers: Side or part of the structure.
        region: The organ that a lesion lies in, where its name says so.
        region_modifiers: Side or part of the region.
    """

    category: Code
    kind: Code
    modifiers: tuple[Code, ...] = ()
    region: Code | None = None
    region_modifiers: tuple[Code, ...] = ()


def concept_of(name: str) -> Concept:
    """Return the codes that stand for a structure's name.

    Upper and lower case, separators and the place of "left" and "right" do not matter: `LeftParotid`, `parotid_l` and
    `Parotid gland, left` are one structure. A lesion with an organ before it (`liver tumour`) has the organ as its
    region. What is not in the tables, contradicts itself (`kidney_left_right`) or has letters beyond ASCII gets a
    private code, whose value depends on the name alone.
    """
    from pydicom.sr.codedict import codes

    if _beyond_ascii(name):
        return Concept(codes.SCT.AnatomicalStructure, private_code(name))
    words = _words(name)
    if found := _structure(words, ANATOMY):
        return Concept(codes.SCT.AnatomicalStructure, *found)
    if found := _structure(words, TISSUES):
        return Concept(codes.SCT.Tissue, *found)
    abnormal = codes.SCT.MorphologicallyAbnormalStructure
    lesions = _keywords(LESIONS)
    for length in range(len(words), 0, -1):  # the longest ending that is a lesion
        lesion, rest = lesions.get(_key(words[-length:])), words[:-length]
        if lesion is None:
            continue
        if not rest:
            return Concept(abnormal, _code(lesion))
        if place := _structure(rest, ANATOMY):
            return Concept(abnormal, _code(lesion), (), *place)
    of_lesion = any(word in lesions for word in words)
    return Concept(abnormal if of_lesion else codes.SCT.AnatomicalStructure, private_code(name))


def private_code(name: str) -> Code:
    """Return a code of our own scheme: the name itself where it can be a code value, else a part of it and a hash."""
    from pydicom.sr.coding import Code

    value = name
    if len(name) > _SHORT_STRING or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        start = re.sub(r"[^A-Za-z0-9]+", "", name)[: _SHORT_STRING - _HASH_LENGTH - 1]
        value = f"{start}_{hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]}"
    return Code(value, PRIVATE_SCHEME, long_string(name))


def long_string(text: str) -> str:
    """Return a text that DICOM's type LO can hold: 64 characters, no backslash, no control characters."""
    cleaned = "".join(letter if letter.isprintable() else " " for letter in text.replace("\\", "/"))
    return cleaned.strip()[:LONG_STRING].rstrip() or "unnamed"


def _beyond_ascii(name: str) -> bool:
    """Tell whether a name has letters, marks or digits that the tables cannot know: they may change its meaning."""
    return any(ord(letter) > 127 and unicodedata.category(letter)[0] in "LMN" for letter in name)


def _words(name: str) -> list[str]:
    """Split "LeftParotid", "parotid_left" and "Parotid (left)" into words of lower case, "T12" into "t" and "12"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z]+|[0-9]+", parted.lower())


def _key(words: Sequence[str]) -> str:
    """Join words, as "brain stem" is "brainstem"; with a number they stay apart, as "T1 2" is not "T12"."""
    return (" " if any(word.isdigit() for word in words) else "").join(words)


def _structure(words: list[str], table: Table) -> tuple[Code, tuple[Code, ...]] | None:
    """Return the code of a structure and its modifiers; None where the words name none of the table."""
    if (whole := _look_up(words, table)) is not None:  # "left atrium" is a code of its own
        return _code(whole), ()
    positions = [POSITIONS[word] for word in words if word in POSITIONS]
    keyword = _look_up([word for word in words if word not in POSITIONS], table)
    if keyword is None or any(sum(position in group for position in positions) > 1 for group in EXCLUSIVE):
        return None
    return _code(keyword), tuple(_code(position) for position in positions)


def _look_up(words: list[str], table: Table) -> str | None:
    """Find the keyword of a name in singular or plural; an "s" that stands alone is no plural."""
    known = _keywords(table)
    for ending in ("", "s", "es"):
        if words and words[-1].endswith(ending) and words[-1] != ending:
            keyword = known.get(_key([*words[:-1], words[-1].removesuffix(ending)]))
            if keyword is not None:
                return keyword
    return None


def _keywords(table: Table) -> dict[str, str]:
    """Return the keywords by the key of each name."""
    return {_key(_words(name)): keyword for keyword, names in table.items() for name in names}


def _code(keyword: str) -> Code:
    """Return the code that pydicom's dictionary has under a keyword, of SNOMED CT unless a scheme stands before it."""
    from pydicom.sr.codedict import codes

    scheme, _, name = keyword.rpartition(".")
    found: Code = getattr(getattr(codes, scheme or "SCT"), name)
    return found
