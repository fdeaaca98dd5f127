"""A bill is what the Exchange's own rules take from a member, to the last nano-credit."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.bills import Charges, SlotMetered, SlotTrades, charges_of, summed
from matching.tariff import Tariff

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=20_000)

energies = st.integers(0, 50_000)
trades_of_a_slot = st.builds(SlotTrades, energies, energies, st.integers(0, 10**11), st.integers(0, 10**11))
metered_in_a_slot = st.builds(SlotMetered, energies, energies)
tariffs = st.integers(0, 400_000).flatmap(
    lambda retail: st.builds(Tariff, st.just(retail), st.integers(0, retail), st.integers(0, 100_000))
)
slots = st.lists(st.tuples(trades_of_a_slot, metered_in_a_slot, tariffs), max_size=30)
Slots = Sequence[tuple[SlotTrades, SlotMetered, Tariff]]


class Escrow:
    """A member's account, moved by what `settle` and `deliver` of the Exchange say, step by step."""

    def __init__(self, balance_nano: int) -> None:
        self.balance_nano = balance_nano
        self.debt_nano = 0
        self.utility_nano = 0

    def settle(self, trades: SlotTrades) -> None:
        self.balance_nano += trades.received_nano - trades.paid_nano

    def deliver(self, position_wh: int, metered: SlotMetered, tariff: Tariff) -> None:
        imbalance_wh = metered.consumption_wh - metered.generation_wh - position_wh
        due = self.debt_nano
        if position_wh > 0:
            due += tariff.grid_fee * position_wh
        if imbalance_wh > 0:
            due += tariff.retail_price * imbalance_wh
        else:
            self.balance_nano += tariff.feed_in_price * -imbalance_wh
            self.utility_nano -= tariff.feed_in_price * -imbalance_wh
        payment = min(due, self.balance_nano)
        self.balance_nano -= payment
        self.debt_nano = due - payment
        self.utility_nano += payment


@given(slots, st.integers(0, 10**15))
def test_bills_are_what_left_the_escrow_or_became_debt(taken: Slots, extra_nano: int) -> None:
    deposited = sum(trades.paid_nano for trades, _, _ in taken) + extra_nano
    escrow = Escrow(deposited)
    for trades, metered, tariff in taken:
        escrow.settle(trades)
        escrow.deliver(trades.bought_wh - trades.sold_wh, metered, tariff)
    bill = summed([Charges(), *(charges_of(*slot) for slot in taken)])
    assert bill.total_nano == deposited - (escrow.balance_nano - escrow.debt_nano)
    with_utility = bill.grid_fee_nano + bill.from_utility_nano - bill.to_utility_nano
    assert with_utility == escrow.utility_nano + escrow.debt_nano


@given(slots, st.integers(0, 30))
def test_a_month_cut_in_two_comes_to_the_same(taken: Slots, cut: int) -> None:
    charges = [charges_of(*slot) for slot in taken]
    halves = [summed([Charges(), *charges[:cut]]), summed([Charges(), *charges[cut:]])]
    assert summed(halves) == summed([Charges(), *charges])


@given(slots)
def test_energy_is_balanced_in_every_bill(taken: Slots) -> None:
    bill = summed([Charges(), *(charges_of(*slot) for slot in taken)])
    came = bill.generation_wh + bill.bought_wh + bill.from_utility_wh
    assert came == bill.consumption_wh + bill.sold_wh + bill.to_utility_wh


@given(energies, tariffs, st.data())
def test_nobody_pays_more_for_what_it_needs_within_the_utilitys_prices(
    needed_wh: int, tariff: Tariff, data: st.DataObject
) -> None:
    bought_wh = data.draw(st.integers(0, needed_wh))
    price = data.draw(st.integers(0, max(tariff.retail_price - tariff.grid_fee, 0)))
    bill = charges_of(SlotTrades(bought_wh, 0, price * bought_wh), SlotMetered(needed_wh), tariff)
    assert bill.saving_nano == (tariff.retail_price - tariff.grid_fee - price) * bought_wh


def test_a_slot_without_readings_is_billed_its_trades_only() -> None:
    charges = charges_of(SlotTrades(600, 100, 90_000_000, 15_000_000), None, TARIFF)
    assert charges == Charges(600, 100, 90_000_000, 15_000_000)
    assert charges.total_nano == 75_000_000


@pytest.mark.parametrize(
    ("trades", "metered", "total_nano", "saving_nano"),
    [
        # Bought what it needed: 600 Wh at 15 ct/kWh and the fee of 2 ct/kWh, instead of 22 ct/kWh.
        (SlotTrades(600, 0, 90_000_000, 0), SlotMetered(600, 0), 102_000_000, 30_000_000),
        # Sold 600 of 1,000 Wh; the rest went to the utility at 9 ct/kWh.
        (SlotTrades(0, 600, 0, 90_000_000), SlotMetered(0, 1_000), -126_000_000, 36_000_000),
        # Bought 600 Wh that it did not need, and sold them on to the utility.
        (SlotTrades(600, 0, 90_000_000, 0), SlotMetered(0, 0), 48_000_000, -48_000_000),
        # The fee is for what remains of buying and selling in the same slot.
        (SlotTrades(600, 500, 90_000_000, 75_000_000), SlotMetered(100, 0), 17_000_000, 5_000_000),
    ],
)
def test_charges_by_example(trades: SlotTrades, metered: SlotMetered, total_nano: int, saving_nano: int) -> None:
    charges = charges_of(trades, metered, TARIFF)
    assert (charges.total_nano, charges.saving_nano) == (total_nano, saving_nano)
