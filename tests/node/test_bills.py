"""Months of bills: every slot in exactly one, changes of the clock included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.readings import SignedReading
from node.api.services import Services
from node.bills import Billing, InvalidMonthError, Month
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, reading
from tests.node.progress import PRICE, TRADED_WH, certify, settle
from tests.node.small_node import TARIFF, TERMS

ZONES = ("UTC", "Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Asia/Kolkata", "America/Los_Angeles")
QUARTER_S = 900


@pytest.mark.parametrize(
    ("name", "zone", "quarters"),
    [
        ("2026-03", "Europe/Berlin", 31 * 96 - 4),
        ("2026-10", "Europe/Berlin", 31 * 96 + 4),
        ("2026-03", "America/Chicago", 31 * 96 - 4),
        ("2026-11", "America/Chicago", 30 * 96 + 4),
        ("2024-02", "UTC", 29 * 96),
        ("2026-04", "Australia/Lord_Howe", 30 * 96 + 2),
    ],
)
def test_a_month_is_as_long_as_its_calendar_says(name: str, zone: str, quarters: int) -> None:
    month = Month.of(name, zone)
    assert month.end_at - month.first_at == quarters * QUARTER_S


@given(st.sampled_from(ZONES), st.integers(2000, 2100), st.integers(1, 12))
def test_months_follow_one_another_without_gap_or_overlap(zone: str, year: int, number: int) -> None:
    following = f"{year + number // 12}-{number % 12 + 1:02}"
    assert Month.of(f"{year}-{number:02}", zone).end_at == Month.of(following, zone).first_at


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-00", "2026-13", "26-03", "2026-3", "1969-12", "9999-12", "٢٠٢٦-٠٣"]
)
def test_what_is_not_a_month_is_refused(name: str) -> None:
    with pytest.raises(InvalidMonthError, match="month"):
        Month.of(name, "UTC")


@pytest.mark.parametrize("zone", ["", "Berlin", "../etc/passwd", "America", "UTC\0"])
def test_what_is_not_a_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidMonthError, match="time_zone"):
        Month.of("2026-03", zone)


def billing(services: Services) -> Billing:
    return Billing(services.store, services.tariffs, TERMS.slot_length_s)


def meter(services: Services, *readings: SignedReading) -> None:
    services.clock.advance_to(TERMS.ends_at(SLOT))  # type: ignore[attr-defined]  # it is a stepped one
    for each in readings:
        services.metering.submit(each)


MONTH = Month.of("2025-06", "UTC")
assert MONTH.first_at < SLOT < MONTH.end_at


def test_before_delivery_only_trades_are_billed_and_nothing_is_final(services: Services) -> None:
    settle(services)
    bill = billing(services).bills(MONTH, [BOB.address])[0]
    assert (bill.charges.paid_nano, bill.charges.total_nano) == (TRADED_WH * PRICE, TRADED_WH * PRICE)
    assert bill.charges.utility_alone_nano == 0
    assert (bill.open_slots, bill.is_final) == (1, False)


def test_after_delivery_everything_is_billed(services: Services) -> None:
    settle(services)
    meter(services, reading(SOLAR), reading(LOAD))
    certify(services)
    alice, bob = billing(services).bills(MONTH, [ALICE.address, BOB.address])
    generated_wh, consumed_wh = reading(SOLAR).reading.energy_wh, reading(LOAD).reading.energy_wh
    assert (alice.charges.generation_wh, bob.charges.consumption_wh) == (generated_wh, consumed_wh)
    assert bob.charges.grid_fee_nano == TARIFF.grid_fee * TRADED_WH
    assert alice.charges.to_utility_wh == max(generated_wh - TRADED_WH, 0)
    assert (alice.open_slots, alice.is_final) == (0, False)  # the month has slots to come


def test_the_lines_of_a_bill_are_the_slots_of_its_account(services: Services) -> None:
    settle(services)
    meter(services, reading(SOLAR), reading(LOAD))
    certify(services)
    lines = billing(services).lines(MONTH, ALICE.address)
    assert [(line.slot, line.is_delivered, line.tariff) for line in lines] == [(SLOT, True, TARIFF)]
    assert billing(services).lines(MONTH, b"\x77" * 20) == []


def test_members_together_pay_the_utility_and_nobody_else(services: Services) -> None:
    settle(services)
    meter(services, reading(SOLAR), reading(LOAD))
    certify(services)
    bills = billing(services).bills(MONTH, [ALICE.address, BOB.address])
    assert sum(bill.charges.paid_nano - bill.charges.received_nano for bill in bills) == 0


def test_other_months_are_empty(services: Services) -> None:
    settle(services)
    empty = billing(services).bills(Month.of("2025-07", "UTC"), [BOB.address])[0]
    assert (empty.charges.total_nano, empty.is_final) == (0, False)
