import hashlib
import subprocess
import sys
from datetime import date
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from simulation.groene_mient import load_groene_mient
from simulation.localtime import between, local_days
from simulation.results import Results, bills_nano
from simulation.run import CONVENTIONAL, run
from simulation.scenarios.groene_mient import BATTERY, TARIFF, THRESHOLDS, groene_mient, with_battery
from simulation.scenarios.groene_mient_reference import (
    EVENING,
    SHOWN_DAY,
    SUNNY,
    compare,
    price_inside,
    self_sufficiency,
    shown,
    smallest_and_largest_producer,
)

FILE_SHA256 = "51a61d3592b10a468bb4616c84936f578ac469d9ba8fc3729201dbed97f817b1"
SCRIPT = Path(__file__).parents[2] / "scripts/make_groene_mient.py"
COMMUNITY = load_groene_mient()


@pytest.fixture(scope="module")
def year() -> dict[str, Results]:
    scenario = groene_mient()
    return {
        "conventional": run(scenario, strategy=CONVENTIONAL),
        "market": run(scenario),
        "battery": run(with_battery(scenario)),
    }


def shipped() -> bytes:
    return files("simulation").joinpath("data/groene-mient/shapes.csv.xz").read_bytes()


def test_the_shipped_file_is_the_recorded_one_and_carries_its_licence() -> None:
    assert hashlib.sha256(shipped()).hexdigest() == FILE_SHA256
    readme = files("simulation").joinpath("data/groene-mient/README.md").read_text()
    assert FILE_SHA256 in readme
    assert "Open Database License (ODbL) 1.0" in readme


@pytest.mark.slow
def test_the_script_makes_the_shipped_file_byte_for_byte(tmp_path: Path) -> None:
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path), "simbench==1.6.3"]
    if subprocess.run(fetch, check=False, capture_output=True).returncode:
        pytest.skip("the wheel simbench==1.6.3 cannot be downloaded here")
    (wheel,) = tmp_path.glob("*.whl")
    output = tmp_path / "made.csv.xz"
    subprocess.run([sys.executable, str(SCRIPT), "--wheel", str(wheel), "--output", str(output)], check=True)
    assert output.read_bytes() == shipped()


def test_33_households_consume_20_percent_more_than_they_generate() -> None:
    consumption = sum(int(home.consumption_wh.sum()) for home in COMMUNITY.homes)
    generation = sum(int(home.generation_wh.sum()) for home in COMMUNITY.homes)
    assert (len(COMMUNITY.homes), consumption, generation) == (33, 118_800_000, 99_000_000)
    assert Fraction(consumption, generation) == Fraction(6, 5)
    assert len({home.name for home in COMMUNITY.homes}) == 33


def test_the_year_is_35_040_slots_of_local_days() -> None:
    assert len(COMMUNITY.slots) == 35_040
    days = COMMUNITY.days
    assert (len(days), days[date(2016, 3, 27)], days[date(2016, 12, 30)].stop) == (
        365,
        slice(8_256, 8_348),
        35_040,
    )
    assert days[date(2016, 10, 30)].stop - days[date(2016, 10, 30)].start == 100


def test_no_two_households_are_alike_and_none_generates_at_night_or_above_its_nameplate() -> None:
    night = between(COMMUNITY.slots, "Europe/Amsterdam", *(EVENING[1], EVENING[1].replace(hour=23)))
    winter_night = night[(night < 40 * 96) | (night > 330 * 96)]
    for number, home in enumerate(COMMUNITY.homes):
        assert not home.generation_wh[winter_night].any()
        assert 0 <= home.generation_wh.min() <= home.generation_wh.max() <= home.pv_nameplate_w // 4
        assert home.consumption_wh.min() >= 0
        for other in COMMUNITY.homes[:number]:
            assert np.corrcoef(home.consumption_wh, other.consumption_wh)[0, 1] < 0.9


def test_the_shown_day_is_the_one_nearest_to_the_years_balance() -> None:
    def off(day: date) -> float:
        consumption, generation = (
            sum(int(getattr(home, what)[COMMUNITY.days[day]].sum()) for home in COMMUNITY.homes)
            for what in ("consumption_wh", "generation_wh")
        )
        return abs(5 * consumption - 6 * generation) / consumption

    assert min(COMMUNITY.days, key=off) == SHOWN_DAY


def test_every_trade_is_priced_between_feed_in_and_retail(year: dict[str, Results]) -> None:
    for name in ("market", "battery"):
        slots = year[name].slots
        traded = slots["traded_wh"] > 0
        assert traded.sum() > 10_000
        assert slots["price"][traded].min() >= TARIFF.feed_in_price
        assert slots["price"][traded].max() <= TARIFF.retail_price


def test_the_price_inside_falls_while_the_sun_shines(year: dict[str, Results]) -> None:
    for name in ("market", "battery"):
        sunny, evening = (price_inside(year[name], shown(year[name], *interval)) for interval in (SUNNY, EVENING))
        assert sunny is not None
        assert evening is not None
        assert sunny < Fraction(65, 100) * evening


def test_the_battery_raises_the_sunny_and_lowers_the_evening_price(year: dict[str, Results]) -> None:
    def price(name: str, interval: tuple[object, object]) -> Fraction:
        found = price_inside(year[name], shown(year[name], *interval))  # type: ignore[arg-type]
        assert found is not None
        return found

    assert price("battery", SUNNY) > price("market", SUNNY) + 10_000
    assert price("battery", EVENING) < price("market", EVENING) - 10_000
    assert price("battery", EVENING) < TARIFF.retail_price


def test_no_household_pays_more_than_in_the_conventional_scenario(year: dict[str, Results]) -> None:
    bills = {name: bills_nano(results) for name, results in year.items()}
    for home in range(33):
        assert bills["market"][home] < bills["conventional"][home]
        assert bills["battery"][home] < bills["market"][home]


def test_smallest_and_largest_producer_both_gain(year: dict[str, Results]) -> None:
    for home in smallest_and_largest_producer():
        bills = [bills_nano(year[name])[home] for name in ("conventional", "market", "battery")]
        assert bills[0] > bills[1] > bills[2]


def test_self_sufficiency_rises_strongly_with_the_battery(year: dict[str, Results]) -> None:
    with_, without = self_sufficiency(year["battery"]), self_sufficiency(year["market"])
    assert with_ - without > Fraction(15, 100)
    assert without > self_sufficiency(year["conventional"])


def test_the_utility_alone_is_the_closed_form(year: dict[str, Results]) -> None:
    expected = 0
    for home in COMMUNITY.homes:
        net = home.consumption_wh - home.generation_wh
        expected += 220_000 * int(np.maximum(net, 0).sum()) - 90_000 * int(np.maximum(-net, 0).sum())
    assert sum(bills_nano(year["conventional"])) == expected


def test_the_battery_keeps_to_its_thresholds_and_capacity(year: dict[str, Results]) -> None:
    battery = year["battery"].info.members.index("community-battery")
    m = {name: column[battery] for name, column in year["battery"].members.items()}
    assert 0 <= m["stored_wh"].min() <= m["stored_wh"].max() <= BATTERY.capacity_wh
    assert m["charged_wh"].max() <= BATTERY.max_charge_w // 4
    assert (-m["amount_nano"] <= m["bought_wh"] * THRESHOLDS.buy_price).all()
    assert (m["amount_nano"][m["sold_wh"] > 0] >= m["sold_wh"][m["sold_wh"] > 0] * THRESHOLDS.sell_price).all()
    assert not (m["bought_wh"].astype(bool) & m["sold_wh"].astype(bool)).any()


def test_the_battery_is_seldom_filled_in_winter_as_the_comparison_says(year: dict[str, Results]) -> None:
    results = year["battery"]
    stored = results.column("stored_wh", "community-battery")
    days = local_days(results.slots["slot"], results.info.time_zone)
    winter = [positions for day, positions in days.items() if day.month in (11, 12, 1, 2)]
    filled = sum(int(stored[positions].max()) >= BATTERY.capacity_wh - 1_000 for positions in winter)
    assert (filled, len(winter)) == (14, 120)
    explained = [row.explanation for row in compare(year) if row.quantity.startswith("self-sufficiency with 80")]
    assert "14 of the 120 days" in explained[0]


def test_the_comparison_with_the_study_names_every_number_and_a_reason(year: dict[str, Results]) -> None:
    rows = compare(year)
    assert [row.ours for row in rows[:5]] == ["10.6 ct/kWh", "12.6 ct/kWh", "20.6 ct/kWh", "37 %", "54 %"]
    assert all(row.reference and row.explanation for row in rows)
