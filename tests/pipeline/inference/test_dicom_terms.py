"""Every term leads to a code that exists, and no name to two."""

import itertools

import pytest
from pydicom.sr.codedict import codes

from pipeline.inference.dicom_codes import PRIVATE_SCHEME, concept_of
from pipeline.inference.dicom_terms import ANATOMY, LESIONS, POSITIONS, TISSUES

TABLES = {"anatomy": ANATOMY, "tissues": TISSUES, "lesions": LESIONS}
# the general classes that SNOMED CT concepts for body structures and findings are not
WRONG = ("breed", "procedure", "operation", "observable", "device", "waveform", "route", "projection")


@pytest.mark.parametrize("table", TABLES)
def test_every_keyword_is_a_code_for_what_its_names_say(table):
    for keyword, names in TABLES[table].items():
        scheme, _, word = keyword.rpartition(".")
        code = getattr(getattr(codes, scheme or "SCT"), word)
        assert not any(wrong in code.meaning.lower() for wrong in WRONG), keyword
        for name in names:
            assert concept_of(name).kind == code, name


def test_positions_are_codes():
    assert {getattr(codes.SCT, keyword).value for keyword in POSITIONS.values()} == {
        *("7771000", "24028007", "51440002", "255549009", "255551008")
    }


def test_no_name_stands_in_two_places():
    names = [name for table in TABLES.values() for names in table.values() for name in names]
    squeezed = sorted("".join(name.lower().split()) for name in names)
    assert [one for one, other in itertools.pairwise(squeezed) if one == other] == []
    assert all(concept_of(name).kind.scheme_designator != PRIVATE_SCHEME for name in names)
