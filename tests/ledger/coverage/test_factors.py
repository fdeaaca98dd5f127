import hashlib
import lzma
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ledger.coverage.errors import InvalidFactorsError, UnknownFactorError
from ledger.coverage.factors import (
    AnnualFactor,
    Basis,
    annual_factor,
    annual_factors,
    factors_by_year,
    fontana_carbon,
    parse_annual,
    parse_hourly,
)
from simulation.fontana import load_fontana
from tests.ledger.coverage.strategies import claims_of

DATA = files("ledger.coverage").joinpath("data")
FONTANA_SHA256 = "f36372a86f59bbea86f3627d6bafd677b3d00d2f9d22f6257558ff053953ea65"
SCRIPT = Path(__file__).parents[3] / "scripts/make_fontana_carbon.py"

HOURLY_HEADER = "start_at,mg_per_wh\n"
ANNUAL_HEADER = "region,year,basis,gas,value,unit,source\n"


def test_the_shipped_hours_are_the_recorded_file() -> None:
    assert hashlib.sha256(DATA.joinpath("fontana_carbon.csv.xz").read_bytes()).hexdigest() == FONTANA_SHA256
    assert FONTANA_SHA256 in DATA.joinpath("README.md").read_text()


@pytest.mark.slow
def test_the_script_makes_the_shipped_file_byte_for_byte(tmp_path: Path) -> None:
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path), "citylearn==1.8.0"]
    if subprocess.run(fetch, check=False, capture_output=True).returncode:
        pytest.skip("the wheel citylearn==1.8.0 cannot be downloaded here")
    (wheel,) = tmp_path.glob("*.whl")
    output = tmp_path / "made.csv.xz"
    subprocess.run([sys.executable, str(SCRIPT), "--wheel", str(wheel), "--output", str(output)], check=True)
    assert output.read_bytes() == DATA.joinpath("fontana_carbon.csv.xz").read_bytes()


def test_the_shipped_hours_are_those_of_the_fontana_consumption() -> None:
    factors, slots = fontana_carbon(), load_fontana().slots
    assert factors.start_at == slots[0]
    assert len(factors.mg_per_wh) * 4 == len(slots)
    claims = claims_of([[0] * len(slots)], [[0] * len(slots)], start_at=int(slots[0]))
    assert (factors.at(claims) == np.repeat(factors.mg_per_wh, 4)).all()


def test_the_hour_that_the_clock_shows_twice_has_the_same_factor_twice() -> None:
    factors = fontana_carbon()
    first = (1_478_419_200 - factors.start_at) // 3_600  # 2016-11-06 08:00 UTC, 01:00 local, shown twice
    before, once, again, after = factors.mg_per_wh[first - 1 : first + 3].tolist()
    assert once == again
    assert before != once != after


def test_the_readmes_figures_are_those_of_the_shipped_hours() -> None:
    mg_per_wh = fontana_carbon().mg_per_wh
    readme = DATA.joinpath("README.md").read_text()
    figures = f"Smallest {mg_per_wh.min()}, largest {mg_per_wh.max()}, mean {mg_per_wh.mean():.1f}."
    assert figures in readme


def test_factors_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        fontana_carbon().mg_per_wh[0] = 0


def test_each_slot_has_the_factor_of_its_hour() -> None:
    factors = parse_hourly(f"{HOURLY_HEADER}3600,100\n7200,200\n")
    quarters = claims_of([[0] * 3], [[0] * 3], start_at=6_300)
    assert factors.at(quarters).tolist() == [100, 200, 200]
    hours = claims_of([[0] * 2], [[0] * 2], start_at=3_600, slot_s=3_600)
    assert factors.at(hours).tolist() == [100, 200]


@pytest.mark.parametrize("start_at", [2_700, 10_800 - 900])
def test_a_slot_outside_of_the_hours_has_no_factor(start_at: int) -> None:
    factors = parse_hourly(f"{HOURLY_HEADER}3600,100\n7200,200\n")
    with pytest.raises(UnknownFactorError, match="known from 3600 to before 10800"):
        factors.at(claims_of([[0] * 2], [[0] * 2], start_at=start_at))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "fields and units are"),
        ("start_at,lb_per_mwh\n3600,100\n", "line 1: fields and units are"),
        (HOURLY_HEADER, "no factors"),
        (f"{HOURLY_HEADER}3600,100\n10800,100\n", "line 3: start_at is 10800: must be 7200"),
        (f"{HOURLY_HEADER}3600,100\n3600,100\n", "line 3: start_at is 3600: must be 7200"),
        (f"{HOURLY_HEADER}7200,100\n3600,100\n", "line 3: start_at is 3600: must be 10800"),
        (f"{HOURLY_HEADER}900,100\n", "line 2: start_at is 900: must be the start of an hour"),
        (f"{HOURLY_HEADER}-3600,100\n", "line 2: start_at is '-3600'"),
        (f"{HOURLY_HEADER}{10**18},100\n", "line 2: start_at is '1000000000000000000'"),
        (f"{HOURLY_HEADER}3600,2001\n", "line 2: mg_per_wh is '2001': must be a whole number, 0 to 2000"),
        (f"{HOURLY_HEADER}3600,-1\n", "line 2: mg_per_wh is '-1'"),
        (f"{HOURLY_HEADER}3600,0.17\n", "line 2: mg_per_wh is '0.17'"),
        (f"{HOURLY_HEADER}3600,\n", "line 2: mg_per_wh is ''"),
        (f"{HOURLY_HEADER}3600,nan\n", "line 2: mg_per_wh is 'nan'"),
        (f"{HOURLY_HEADER}3600\n", "line 2: 1 fields: must be 2"),
        (f"{HOURLY_HEADER}3600,100\n\n7200,100\n", "line 3: 0 fields: must be 2"),
    ],
)
def test_a_defective_file_of_hours_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidFactorsError, match=message):
        parse_hourly(text)


def test_published_values_are_converted_exactly_and_rounded_to_even() -> None:
    rows = "A,2023,grid_average,CO2e,40.5,g/kWh,x\nB,2023,residual_mix,CO2,2205.72,lb/MWh,y\n"
    assert parse_annual(ANNUAL_HEADER + rows) == (
        AnnualFactor("A", 2023, Basis.GRID_AVERAGE, "CO2e", 40, "x"),
        AnnualFactor("B", 2023, Basis.RESIDUAL_MIX, "CO2", 1_000, "y"),  # 1000.498 mg/Wh
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("NL,2023,grid_average,CO2,255,kg/MWh,x", "unit is 'kg/MWh': must be one of g/kWh, lb/MWh"),
        ("NL,2023,marginal,CO2,255,g/kWh,x", "basis is 'marginal'"),
        ("NL,2023,grid_average,CH4,255,g/kWh,x", "gas is 'CH4'"),
        ("NL,1823,grid_average,CO2,255,g/kWh,x", "year is '1823'"),
        ("NL,2023,grid_average,CO2,2000.1,g/kWh,x", "value is 2000.1 g/kWh: must be at most 2000 mg/Wh"),
        ("NL,2023,grid_average,CO2,4410,lb/MWh,x", "value is 4410 lb/MWh"),
        ("NL,2023,grid_average,CO2,-1,g/kWh,x", "value is '-1'"),
        ("NL,2023,grid_average,CO2,1e2,g/kWh,x", "value is '1e2'"),
        ("NL,2023,grid_average,CO2,NaN,g/kWh,x", "value is 'NaN'"),
        ('NL,2023,grid_average,CO2,"379,89",g/kWh,x', "value is '379,89'"),
        (",2023,grid_average,CO2,255,g/kWh,x", "region and source must not be empty"),
        ("NL,2023,grid_average,CO2,255,g/kWh,", "region and source must not be empty"),
        ("NL,2023,grid_average,CO2,255,g/kWh", "6 fields: must be 7"),
    ],
)
def test_a_defective_row_of_annual_factors_is_refused(row: str, message: str) -> None:
    with pytest.raises(InvalidFactorsError, match=f"line 2: {message}"):
        parse_annual(f"{ANNUAL_HEADER}{row}\n")


def test_two_factors_for_the_same_are_refused() -> None:
    row = "NL,2023,grid_average,CO2,255,g/kWh,x\n"
    with pytest.raises(InvalidFactorsError, match="line 3: a second grid_average factor of NL for 2023"):
        parse_annual(ANNUAL_HEADER + row + row)


def test_the_shipped_annual_factors_are_read() -> None:
    factors = annual_factors()
    assert annual_factor(factors, "NL", 2023, Basis.RESIDUAL_MIX).mg_per_wh == 380  # 379.89 g/kWh
    assert annual_factor(factors, "NL", 2023, Basis.GRID_AVERAGE).mg_per_wh == 255
    assert annual_factor(factors, "US-CAMX", 2022, Basis.GRID_AVERAGE).mg_per_wh == 226  # 497.443 lb/MWh


def test_every_source_of_the_shipped_factors_is_cited_in_the_readme() -> None:
    readme = DATA.joinpath("README.md").read_text()
    for source in {factor.source for factor in annual_factors()}:
        assert f"| {source} |" in readme


def test_the_factor_of_another_year_is_never_taken() -> None:
    with pytest.raises(UnknownFactorError, match=r"'NL' for 2022: known of \[2023\]"):
        annual_factor(annual_factors(), "NL", 2022, Basis.RESIDUAL_MIX)
    with pytest.raises(UnknownFactorError, match="'AT' for 2023: known of no year"):
        annual_factor(annual_factors(), "AT", 2023, Basis.RESIDUAL_MIX)


def test_slots_have_the_factor_of_their_local_year() -> None:
    rows = "X,2023,grid_average,CO2,100,g/kWh,x\nX,2024,grid_average,CO2,200,g/kWh,x\n"
    claims = claims_of([[0] * 3], [[0] * 3], start_at=1_704_060_000, slot_s=3_600)  # 2023-12-31 22:00 UTC
    factors = parse_annual(ANNUAL_HEADER + rows)
    assert factors_by_year(factors, "X", Basis.GRID_AVERAGE, claims, "UTC").tolist() == [100, 100, 200]
    local = factors_by_year(factors, "X", Basis.GRID_AVERAGE, claims, "Europe/Amsterdam")
    assert local.tolist() == [100, 200, 200]


def test_the_shipped_file_of_hours_is_compressed_text_of_the_documented_fields() -> None:
    text = lzma.decompress(DATA.joinpath("fontana_carbon.csv.xz").read_bytes()).decode()
    assert text.startswith(HOURLY_HEADER)
    assert "\r" not in text
