"""EECS codes as numbers, and as people read them."""

import pytest

from ledger.eecs import (
    FUELS,
    PHOTOVOLTAIC,
    SOLAR,
    TECHNOLOGIES,
    EecsCodeError,
    fuel_code,
    fuel_name,
    fuel_number,
    require_pair,
    technology_code,
    technology_name,
    technology_number,
)


def test_every_code_that_has_a_name_is_its_digits_and_back() -> None:
    assert all(technology_code(technology_number(code)) == code for code in TECHNOLOGIES)
    assert all(fuel_code(fuel_number(code)) == code for code in FUELS)


def test_photovoltaic_modules_are_of_sunlight() -> None:
    assert (technology_number(PHOTOVOLTAIC), fuel_number(SOLAR)) == (10_100, 1_040_100)
    require_pair(technology_number(PHOTOVOLTAIC), fuel_number(SOLAR))


def test_a_code_without_a_name_has_its_groups() -> None:
    assert technology_name(10_199) == "Solar: photovoltaic"
    assert technology_name(19_900) == "Solar"
    assert technology_name(990_000) == "T990000"
    assert fuel_name(2_030_200) == "Fossil"
    assert fuel_name(99_000_000) == "Unspecified"


@pytest.mark.parametrize("code", ["T01010", "T0101000", "F010100", "010100", "t010100", "T01010x", "T01010²", ""])
def test_what_is_no_technology_code_is_refused(code: str) -> None:
    with pytest.raises(EecsCodeError, match=r"'technology' is .*: must be T and 6 digits"):
        technology_number(code)


@pytest.mark.parametrize("code", ["F0104010", "T01040100", "F010401000", "F0104010 "])
def test_what_is_no_energy_source_code_is_refused(code: str) -> None:
    with pytest.raises(EecsCodeError, match=r"'fuel' is .*: must be F and 8 digits"):
        fuel_number(code)


@pytest.mark.parametrize(
    ("technology", "fuel"),
    [("T010100", "F01050100"), ("T020001", "F01040100"), ("T030100", "F01050100"), ("T060000", "F02010100")],
)
def test_a_technology_that_cannot_be_of_an_energy_source_is_refused(technology: str, fuel: str) -> None:
    with pytest.raises(EecsCodeError, match=f"'fuel' is {fuel}: must begin with"):
        require_pair(technology_number(technology), fuel_number(fuel))


@pytest.mark.parametrize("fuel", ["F01010000", "F02030100", "F00000000"])
def test_thermal_plants_burn_anything(fuel: str) -> None:
    require_pair(technology_number("T050000"), fuel_number(fuel))
