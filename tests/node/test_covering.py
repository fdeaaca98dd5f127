"""Coverage from the store and the chain's history: what counts, and local days when the clock changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ledger.certificates.history import CertificateHistory
from ledger.coverage.periods import Granularity
from ledger.coverage.table import rows
from node.api.services import Services
from node.covering import MAX_PERIOD_S, CoveragePeriodError, claims_of
from tests.node.parts import BOB, LOAD, evidence

# Clocks in Amsterdam go forward on 30 March 2025 at 01:00 UTC, and back on 26 October 2025.
SPRING_DAY, AUTUMN_DAY = 1_743_289_200, 1_761_429_600


class NothingRetired:
    """A chain on which no certificate was ever issued."""

    @contextmanager
    def history(self) -> Iterator[CertificateHistory]:
        yield CertificateHistory()


def claims(services: Services, first_slot: int, end_slot: int) -> Any:
    return claims_of(
        services.store,
        NothingRetired(),  # type: ignore[arg-type]  # all that is asked of it
        slot_length_s=900,
        first_slot=first_slot,
        end_slot=end_slot,
        account=BOB.address,
    )


@pytest.mark.parametrize(("day", "slots"), [(SPRING_DAY, 92), (AUTUMN_DAY, 100)])
def test_a_day_on_which_the_clock_changes_has_all_its_slots(services: Services, day: int, slots: int) -> None:
    end = day + slots * 900
    for number, slot in enumerate(range(day - 900, end + 900, 900)):
        one_wh = evidence(LOAD, slot=slot, energy_wh=1, register_wh=number + 1, sequence=number + 1)
        services.store.add_reading(one_wh, slot + 900)
    found = rows(claims(services, day - 900, end + 900), "Europe/Amsterdam", Granularity.DAY)
    days = [row for row in found if row["scope"] == "member"]
    assert [row["consumption_wh"] for row in days] == [1, slots, 1]
    assert [(row["start_at"], row["end_at"]) for row in days][1] == (day, end)
    assert {row["score_ppm"] for row in days} == {0}


@pytest.mark.parametrize(("first", "end"), [(0, 0), (900, 0), (0, 901), (1, 900), (0, MAX_PERIOD_S + 900)])
def test_a_period_must_be_of_whole_slots_and_not_too_long(services: Services, first: int, end: int) -> None:
    with pytest.raises(CoveragePeriodError):
        claims(services, first, end)
