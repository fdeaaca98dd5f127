from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.coverage.claims import Claims
from ledger.coverage.errors import InvalidCoverageError
from ledger.coverage.periods import Granularity, Period, periods_of
from tests.ledger.coverage.strategies import claims_of


def empty_claims(start: str, slots: int, slot_s: int = 900) -> Claims:
    """Nobody's zero consumption in so many slots from this time (with its offset) on."""
    zeros = [[0] * slots]
    return claims_of(zeros, zeros, start_at=int(datetime.fromisoformat(start).timestamp()), slot_s=slot_s)


def lengths(periods: tuple[Period, ...]) -> dict[str, int]:
    return {period.name: period.end - period.first for period in periods}


def test_the_days_on_which_the_clock_changes_have_92_and_100_quarter_hours() -> None:
    spring = empty_claims("2023-03-25T00:00+01:00", 96 + 92 + 96)
    assert lengths(periods_of(spring, "Europe/Amsterdam", Granularity.DAY)) == {
        "2023-03-25": 96,
        "2023-03-26": 92,
        "2023-03-27": 96,
    }
    autumn = empty_claims("2023-10-29T00:00+02:00", 100 + 96)
    assert lengths(periods_of(autumn, "Europe/Amsterdam", Granularity.DAY)) == {
        "2023-10-29": 100,
        "2023-10-30": 96,
    }


def test_a_local_year_has_all_its_months() -> None:
    year = empty_claims("2023-01-01T00:00+01:00", 365 * 96)
    months = lengths(periods_of(year, "Europe/Amsterdam", Granularity.MONTH))
    assert list(months) == [f"2023-{month:02}" for month in range(1, 13)]
    assert (months["2023-03"], months["2023-10"], months["2023-02"]) == (31 * 96 - 4, 31 * 96 + 4, 28 * 96)
    assert lengths(periods_of(year, "Europe/Amsterdam", Granularity.YEAR)) == {"2023": 35_040}


def test_the_same_slots_fall_in_other_months_elsewhere() -> None:
    claims = empty_claims("2023-12-31T23:00+00:00", 2, 3_600)
    assert lengths(periods_of(claims, "Europe/Amsterdam", Granularity.YEAR)) == {"2024": 2}
    assert lengths(periods_of(claims, "UTC", Granularity.YEAR)) == {"2023": 1, "2024": 1}
    assert lengths(periods_of(claims, "America/Los_Angeles", Granularity.MONTH)) == {"2023-12": 2}


def test_slots_are_named_with_their_offset_so_that_a_repeated_hour_has_two_names() -> None:
    claims = empty_claims("2023-10-29T02:00+02:00", 2, 3_600)
    names = [period.name for period in periods_of(claims, "Europe/Amsterdam", Granularity.SLOT)]
    assert names == ["2023-10-29T02:00:00+02:00", "2023-10-29T02:00:00+01:00"]


def test_a_day_whose_midnight_the_clock_skips_begins_at_the_change() -> None:
    claims = empty_claims("2023-04-27T23:00+02:00", 24, 3_600)  # Cairo: 28 April 2023 began at 01:00
    assert lengths(periods_of(claims, "Africa/Cairo", Granularity.DAY)) == {"2023-04-27": 1, "2023-04-28": 23}


def test_a_day_that_a_country_skipped_does_not_occur() -> None:
    claims = empty_claims("2011-12-29T23:00-10:00", 2, 3_600)  # Samoa had no 30 December 2011
    assert lengths(periods_of(claims, "Pacific/Apia", Granularity.DAY)) == {"2011-12-29": 1, "2011-12-31": 1}


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../UTC", "America", "/UTC"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidCoverageError, match="IANA time zone"):
        periods_of(empty_claims("2023-01-01T00:00+00:00", 1), name, Granularity.DAY)


@given(
    start=st.integers(0, 2**33 // 900).map(lambda quarter: quarter * 900),
    slots=st.integers(1, 400),
    zone=st.sampled_from(["Europe/Amsterdam", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    granularity=st.sampled_from([Granularity.DAY, Granularity.MONTH, Granularity.YEAR]),
)
def test_every_slot_is_in_the_period_of_the_local_time_at_which_it_starts(
    start: int, slots: int, zone: str, granularity: Granularity
) -> None:
    claims = claims_of([[0] * slots], [[0] * slots], start_at=start)
    periods = periods_of(claims, zone, granularity)
    assert periods[0].first == 0
    assert periods[-1].end == slots
    assert all(before.end == after.first for before, after in pairwise(periods))
    names = np.repeat([period.name for period in periods], [period.end - period.first for period in periods])
    for slot, name in zip(claims.slots.tolist(), names, strict=True):
        assert datetime.fromtimestamp(slot, tz=UTC).astimezone(ZoneInfo(zone)).isoformat().startswith(name)
