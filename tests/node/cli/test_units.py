import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli import units


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    os.environ.pop("TZ")
    time.tzset()


@given(st.integers(0, 2**31 - 1))
def test_energy_and_price_are_read_exactly(number: int) -> None:
    assert units.energy_wh(f"{number // 1_000}.{number % 1_000:03}", least_wh=0) == number
    assert units.price(f"{number // 10_000}.{number % 10_000:04}") == number


@pytest.mark.parametrize(
    "text", ["1.2345", "a", "", "1,5", "nan", "sNaN", "inf", "1e-9", "1e9", "1e400", "1e999999999", "-1e400"]
)
def test_what_is_no_whole_number_of_watt_hours_is_refused(text: str) -> None:
    with pytest.raises(units.UnitError):
        units.energy_wh(text)


@pytest.mark.parametrize("text", ["0", "0.000", "-1"])
def test_less_energy_than_a_watt_hour_is_refused_in_kwh(text: str) -> None:
    with pytest.raises(units.UnitError, match=f"kWh is {text}: must be at least 0.001"):
        units.energy_wh(text)


def test_nothing_is_an_amount_where_it_may_be() -> None:
    assert units.energy_wh("0", least_wh=0) == 0
    with pytest.raises(units.UnitError, match=r"must be at least 0$"):
        units.energy_wh("-0.001", least_wh=0)


@pytest.mark.parametrize("text", ["14.50001", "cheap", "-inf", "-5", "429496.7296"])
def test_a_price_that_no_order_can_name_is_refused(text: str) -> None:
    with pytest.raises(units.UnitError):
        units.price(text)


def test_people_see_units_and_local_time() -> None:
    assert units.shown_energy(1_500) == "1.500 kWh"
    assert units.shown_price(145_000) == "14.50 ct/kWh"
    assert units.shown_money(12_345_678_901) == "12.3457 EUR"
    assert units.shown_money(-1_000_000_000) == "-1.0000 EUR"
    assert units.shown_time(1_750_000_500) == "2025-06-15 17:15 CEST"


@pytest.mark.parametrize(
    "text",
    ["1750000500", "2025-06-15T17:15", "2025-06-15 17:15:00", "2025-06-15T15:15:00Z", "2025-06-15T15:15+00:00"],
)
def test_a_time_is_unix_seconds_or_iso(text: str) -> None:
    assert units.second(text) == 1_750_000_500


@pytest.mark.parametrize(
    "text", ["tomorrow", "17:15", "-5", "²", "9" * 5_000, "253402300800", "1960-01-01", "0001-01-01"]
)
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(units.UnitError, match="must be"):
        units.second(text)


@pytest.mark.parametrize(("text", "at"), [("2025-06-15", 1_749_934_800), ("2025-06-15T00:00Z", 1_749_945_600)])
def test_a_time_without_a_zone_is_of_the_zone_that_was_named(text: str, at: int) -> None:
    assert units.second(text, units.time_zone("Asia/Tokyo")) == at - (0 if "Z" in text else 21_600)
    assert units.second("1750000500", units.time_zone("Asia/Tokyo")) == 1_750_000_500


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc", "UTC\0"])
def test_a_time_zone_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(units.UnitError, match="--time-zone"):
        units.time_zone(name)


def test_a_period_ends_after_its_start() -> None:
    utc = units.time_zone("UTC")
    assert units.period("2025-06-15", "2025-06-16", utc) == (1_749_945_600, 1_750_032_000)
    for until in ("2025-06-15", "2025-06-14"):
        with pytest.raises(units.UnitError, match="--until must be after --from"):
            units.period("2025-06-15", until, utc)
