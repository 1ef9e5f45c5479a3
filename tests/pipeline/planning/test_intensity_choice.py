import pytest

from pipeline.planning.fingerprint import ChannelPrint
from pipeline.planning.intensity_choice import choose_intensities


def channel(name, lowest=0.0, maximum=4000.0):
    return ChannelPrint(name, lowest, maximum, lowest, 100.0, 10.0, (80.0, 120.0))


@pytest.mark.parametrize("name", ["CT", "ct", "Abdominal CT", "CBCT_planning", "HU"])
def test_a_channel_named_ct_is_in_hounsfield_units(name):
    assert choose_intensities([channel(name)], {"int16": 3}, directed=True).value == "ct"


@pytest.mark.parametrize("name", ["MRI", "T1", "T2w", "FLAIR", "ADC", "mr image"])
def test_a_channel_of_mr_is_standardised_by_itself_whatever_its_values(name):
    assert choose_intensities([channel(name, -1024.0)], {"int16": 3}, directed=True).value == "zscore"


def test_a_name_that_only_holds_the_letters_ct_says_nothing():
    assert choose_intensities([channel("fraction"), channel("doctor")], {"int16": 1}, directed=True).value == "zscore"


def test_without_a_name_air_and_bone_tell_ct():
    found = choose_intensities([channel("image", -1024.0)], {"int16": 3}, directed=True)
    assert found.value == "ct"
    assert "taken for CT" in found.reason
    assert choose_intensities([channel("image", -10.0)], {"int16": 3}, directed=True).value == "zscore"
    assert choose_intensities([channel("image", -1e6)], {"int16": 3}, directed=True).value == "zscore"


def test_pictures_are_brought_to_one_range():
    found = choose_intensities([channel("red", 0, 255)] * 3, {"uint8": 9}, directed=False)
    assert found.value == "rescale"
    assert "8-bit" in found.reason


def test_channels_that_differ_have_a_scheme_each():
    found = choose_intensities([channel("CT"), channel("PET")], {"int16": 2}, directed=True)
    assert found.value == ["ct", "zscore"]
