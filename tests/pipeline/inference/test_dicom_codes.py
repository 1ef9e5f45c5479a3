"""Structures get the right code, or one of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import MAX_VALUE_LEN

from pipeline.inference.dicom_codes import PRIVATE_SCHEME, concept_of, long_string, private_code


def coded(name):
    """Category, type, modifiers, region and its modifiers in words."""
    concept = concept_of(name)
    region = concept.region.meaning if concept.region else None
    kind = (concept.kind.scheme_designator, concept.kind.value)
    modifiers = [code.meaning for code in concept.modifiers]
    return concept.category.meaning, kind, modifiers, region, [code.meaning for code in concept.region_modifiers]


ANATOMY, TISSUE, ABNORMAL = "Anatomical Structure", "Tissue", "Morphologically Abnormal Structure"


@pytest.mark.parametrize(
    ("name", "category", "code", "modifiers"),
    [
        ("Brainstem", ANATOMY, "119238007", []),
        ("SpinalCord", ANATOMY, "2748008", []),
        ("RightParotid", ANATOMY, "45289007", ["Right"]),
        ("parotid_l", ANATOMY, "45289007", ["Left"]),
        ("Parotid gland, left", ANATOMY, "45289007", ["Left"]),
        ("Mandible", ANATOMY, "91609006", []),
        ("hippocampus_anterior", ANATOMY, "5366008", ["Anterior"]),
        ("lungs", ANATOMY, "39607008", []),
        ("lung_upper_lobe_left", ANATOMY, "45653009", ["Left"]),
        ("left atrium", ANATOMY, "82471001", []),
        ("heart_atrium_left", ANATOMY, "82471001", []),
        ("liver", ANATOMY, "10200004", []),
        ("kidney_right", ANATOMY, "64033007", ["Right"]),
        ("vertebrae_L1", ANATOMY, "66794005", []),
        ("rib_left_4", ANATOMY, "113197003", ["Left"]),
        ("Femur_Head_L", ANATOMY, "2812003", ["Left"]),
        ("spine", ANATOMY, "421060004", []),
        ("bone", TISSUE, "3138006", []),
        ("Tumour", ABNORMAL, "108369006", []),
        ("lesions", ABNORMAL, "52988006", []),
    ],
)
def test_known_structures_have_their_snomed_code(name, category, code, modifiers):
    assert coded(name) == (category, ("SCT", code), modifiers, None, [])


def test_a_lesion_in_an_organ_names_the_organ_as_its_region():
    assert coded("liver tumour") == (ABNORMAL, ("SCT", "108369006"), [], "Liver", [])
    assert coded("left kidney cyst") == (ABNORMAL, ("SCT", "367643001"), [], "Kidney", ["Left"])
    assert coded("enhancing tumor")[1] == ("NCIt", "C113842")


@pytest.mark.parametrize(
    "name", ["vertebra_T1_2", "vertebrae T1-2", "vertebral_1", "rib_1_2", "liver_segment_1_2", "vertebra_t1_left_2"]
)
def test_numbers_that_stand_apart_are_never_read_as_one(name):
    assert coded(name)[1] == (PRIVATE_SCHEME, private_code(name).value)


@pytest.mark.parametrize("name", ["liver 腫瘍", "lung结节", "левый kidney", "lung\u0301", "rib ٣", "œdema"])
def test_a_name_with_letters_beyond_ascii_is_not_read_by_the_rest_of_it(name):
    assert coded(name) == (ANATOMY, (PRIVATE_SCHEME, private_code(name).value), [], None, [])


@pytest.mark.parametrize(
    "name",
    [
        *("kidney_left_right", "lt_rt kidney", "L kidney r", "kidney left bilateral", "lung anterior posterior"),
        *("left kidney right cyst", "left main bronchus right", "kidney_left_l", "kidney_s"),
    ],
)
def test_a_name_that_contradicts_itself_gets_a_code_of_our_own(name):
    assert coded(name)[1] == (PRIVATE_SCHEME, private_code(name).value)


def test_one_side_and_one_part_go_together():
    assert coded("left anterior thalamus")[1:3] == (("SCT", "42695009"), ["Left", "Anterior"])


@pytest.mark.parametrize("name", ["left ventricle", "ventricle_right", "csf"])
def test_what_may_be_of_heart_or_brain_and_what_is_no_structure_get_a_code_of_our_own(name):
    assert coded(name)[1][0] == PRIVATE_SCHEME
    assert coded("heart_ventricle_left")[1] == ("SCT", "87878005")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("vertebra_T12", "23215003"),
        ("rib4", "113197003"),
        ("liver_segment_1", "71133005"),
        ("3rd ventricle", "49841001"),
    ],
)
def test_numbers_that_belong_to_a_name_are_read(name, code):
    assert coded(name)[1] == ("SCT", code)


@pytest.mark.parametrize("name", ["Anterior", "T2", "c2", "membrane", "left", "left left lung", "spacecraft", "x" * 70])
def test_what_is_not_known_gets_a_code_of_our_own(name):
    category, (scheme, _), modifiers, region, _ = coded(name)
    assert (category, scheme, modifiers, region) == (ANATOMY, PRIVATE_SCHEME, [], None)


def test_an_unknown_part_of_a_lesion_is_abnormal_still():
    assert coded("tumor core")[:2] == (ABNORMAL, (PRIVATE_SCHEME, private_code("tumor core").value))


def test_private_values_are_the_name_where_it_can_be_one():
    assert private_code("cell_2").value == "cell_2"
    long, longer = private_code("posterior part 1 of it").value, private_code("posterior part 2 of it").value
    assert long.startswith("posteri_")
    assert long != longer


@given(name=st.text(min_size=1, max_size=120))
def test_any_name_gives_values_that_dicom_holds(name):
    concept = concept_of(name)
    assert 0 < len(concept.kind.value) <= MAX_VALUE_LEN["SH"]
    for text in (concept.kind.meaning, long_string(name)):
        assert 0 < len(text) <= MAX_VALUE_LEN["LO"]
        assert "\\" not in text
        assert text.isprintable()
    assert concept_of(name) == concept
