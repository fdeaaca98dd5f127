"""The numbers and fields that docs/matching-247.md shows are those of the code."""

import csv
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from ledger.coverage.carbon import Carbon, TechnologyCertificates, community_mg, emissions
from ledger.coverage.claims import Claims
from ledger.coverage.factors import Basis, annual_factors, factors_by_year, fontana_carbon
from ledger.coverage.matching import Origins, by_members, pool
from ledger.coverage.periods import Granularity, Period
from ledger.coverage.table import FIELDS, csv_lines, rows
from matching.book import Ints
from simulation.fontana import load_fontana

PAGE = (Path(__file__).parents[3] / "docs" / "matching-247.md").read_text()
INPUT, OUTPUT = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)

ZONE = "Europe/Amsterdam"
NOON = int(datetime.fromisoformat("2023-06-01T12:00+02:00").timestamp())
HOURS = 4


def column(name: str) -> Ints:
    """A column of the example's input, (members, hours)."""
    values = [int(row[name]) for row in csv.DictReader(INPUT.splitlines())]
    return np.array(values, dtype=np.int64).reshape(-1, HOURS)


def test_the_example_is_what_the_code_computes() -> None:
    claims = Claims(
        members=tuple(dict.fromkeys(row["member"] for row in csv.DictReader(INPUT.splitlines()))),
        slots=NOON + np.arange(HOURS, dtype=np.int64) * 3_600,
        slot_s=3_600,
        consumption_wh=column("consumption_wh"),
        retired_wh=column("retired_wh"),
    )
    origins = Origins(*map(column, ("self_consumed_wh", "bought_wh", "from_storage_wh", "imported_wh")))
    factors = annual_factors()
    location, residual = (factors_by_year(factors, "NL", basis, claims, ZONE) for basis in Basis)
    assert (set(location.tolist()), set(residual.tolist())) == ({255}, {380})
    carbon = Carbon(location, residual, (TechnologyCertificates("solar", 0, claims.retired_wh),))
    table = rows(claims, ZONE, Granularity.YEAR, origins=origins, carbon=carbon)
    assert "".join(csv_lines(table)) == OUTPUT


def test_the_figures_of_fontana_are_what_the_code_computes() -> None:
    fontana = load_fontana()
    claims = Claims(
        members=tuple(home.name for home in fontana.homes),
        slots=fontana.slots,
        slot_s=fontana.slot_s,
        consumption_wh=np.array([home.consumption_wh for home in fontana.homes]),
        retired_wh=np.array([home.generation_wh for home in fontana.homes]),
    )
    year = (Period("all", 0, len(claims.slots)),)
    members, pooled = by_members(claims, year).at(0, 0), pool(claims, year).at(0, 0)
    hourly = fontana_carbon()
    by_hour = hourly.at(claims)
    mean = np.full_like(by_hour, round(hourly.mg_per_wh.mean()))
    kg = [
        community_mg(emissions(claims, Carbon(factor, factor, solar_of(claims)), year).location_based_mg)[0]
        // 1_000_000
        for factor in (by_hour, mean)
    ]
    section = PAGE.split("**A real year.**")[1].split("## Rows")[0]
    shown = dict(re.findall(r"^\| ([^|]*[a-z]) \| ([^|]+) \|$", section, re.MULTILINE))
    assert shown == {
        "consumed": f"{members.consumption_wh / 1000:,.3f} kWh",
        "annual score": percent(members.annual_ppm),
        "24/7 score of the members": percent(members.score_ppm),
        "24/7 score of the pool": percent(pooled.score_ppm),
        "location-based, by the hour": f"{kg[0]:,} kg",
        "location-based, with the mean of all hours": f"{kg[1]:,} kg",
    }
    assert members.annual_ppm == pooled.annual_ppm


def solar_of(claims: Claims) -> tuple[TechnologyCertificates, ...]:
    return (TechnologyCertificates("solar", 0, claims.retired_wh),)


def percent(ppm: int | None) -> str:
    assert ppm is not None
    return f"{ppm // 1_000 / 10:.1f} %"


def test_every_field_of_a_row_is_documented_in_its_order() -> None:
    fields = PAGE.split("## Rows")[1].split("## What")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE)) == FIELDS
