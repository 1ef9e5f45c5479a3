"""The conformance page says what the program does."""

import re
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import tag_for_keyword

from datamodules.formats.dicom.decoders import _DECODERS, _TWELVE_BITS
from pipeline.inference.dicom_codes import PRIVATE_SCHEME, concept_of
from pipeline.inference.dicom_terms import ANATOMY, LESIONS, TISSUES

PAGE = (Path(__file__).parents[2] / "docs" / "dicom.md").read_text(encoding="utf-8")
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
ENCODED = re.findall(r"^\| [^|]+ \| (1\.2\.840\.10008\.1\.2\.(?:5|4\.\d+)) \| ([^|]+) \|$", PAGE, re.M)


def test_the_table_has_every_transfer_syntax_with_its_package():
    assert {uid for uid, _ in ENCODED} == set(_DECODERS)
    for uid, package in ENCODED:
        usual = _DECODERS[uid][1].split()[-1]
        assert usual in package or (uid == JPEG_EXTENDED and _TWELVE_BITS[1].split()[2] in package), uid


def test_transfer_syntaxes_are_those_of_the_standard():
    for uid, _ in ENCODED:
        assert pydicom.uid.UID(uid).is_transfer_syntax


def test_attributes_are_those_of_the_standard():
    tables = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    words = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}(?:UID|ID)?\b", tables)) - {"LeftParotid", "PlanePosition"}
    words -= {"PixelMeasures", "PlaneOrientation", "FrameContent", "SegmentIdentification"}  # functional groups
    unknown = [word for word in words if tag_for_keyword(word) is None]
    assert unknown == []
    assert len(words) > 40


def test_the_number_of_codes_is_as_said():
    (said,) = re.findall(r"some (\d+) \[SNOMED", PAGE)
    assert abs(len({**ANATOMY, **TISSUES, **LESIONS}) - int(said)) <= 10


@pytest.mark.parametrize(("name", "code"), [("LeftParotid", "45289007"), ("liver tumour", "108369006")])
def test_examples_of_codes_are_true(name, code):
    assert f"`{name}`" in PAGE
    assert code in PAGE
    assert concept_of(name).kind.value == code
    assert PRIVATE_SCHEME in PAGE
