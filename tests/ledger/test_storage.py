"""What a storage's discharge is certified for: worked examples, and what holds for any sequence."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.storage import (
    MAX_LOTS_PER_DISCHARGE,
    NO_ORIGIN,
    Discharge,
    Lot,
    SlotOrderError,
    Storage,
    StorageError,
    check_slot_order,
)

SUN, WIND = 7, 8
SLOT = 900


def at(number: int) -> int:
    return number * SLOT


def test_what_goes_in_comes_out_less_what_is_lost() -> None:
    storage = Storage(efficiency_ppm=900_000).charged(at(1), SUN, 100)
    assert storage.lots == (Lot(SUN, 90_000_000),)
    discharge, after = storage.discharged(at(2), 90)
    assert discharge == Discharge(90, 90, (Lot(SUN, 90_000_000),))
    assert (after.lots, after.carry_uwh, after.slot) == ((), 0, at(2))


def test_what_went_in_first_comes_out_first() -> None:
    storage = Storage(1_000_000).charged(at(1), SUN, 10).charged(at(1), WIND, 10)
    discharge, after = storage.discharged(at(2), 15)
    assert discharge.taken == (Lot(SUN, 10_000_000), Lot(WIND, 5_000_000))
    assert after.lots == (Lot(WIND, 5_000_000),)


def test_energy_without_an_origin_takes_its_turn_and_is_not_certified() -> None:
    storage = Storage(1_000_000).charged(at(1), NO_ORIGIN, 10).charged(at(2), SUN, 10)
    discharge, after = storage.discharged(at(3), 12)
    assert (discharge.metered_wh, discharge.certified_wh) == (12, 2)
    assert after.discharged(at(4), 8)[0].certified_wh == 8


def test_energy_that_nobody_saw_going_in_is_not_certified() -> None:
    storage = Storage(1_000_000).charged(at(1), SUN, 10)
    discharge, after = storage.discharged(at(2), 25)
    assert (discharge.certified_wh, after.lots) == (10, ())
    assert after.discharged(at(3), 5)[0] == Discharge(5, 0, ())


def test_fractions_of_a_wh_are_carried_to_the_next_discharge() -> None:
    storage = Storage(700_000)
    certified = []
    for number in range(10):
        storage = storage.charged(at(2 * number), SUN, 1)
        discharge, storage = storage.discharged(at(2 * number + 1), 1)
        certified.append(discharge.certified_wh)
    assert certified == [0, 1, 1, 0, 1, 1, 0, 1, 1, 1]  # 0.7, 1.4, 2.1, … 7.0
    assert storage.carry_uwh == 0


def test_a_discharge_takes_a_limited_number_of_lots_and_leaves_the_others() -> None:
    storage = Storage(1_000_000)
    for number in range(MAX_LOTS_PER_DISCHARGE + 2):
        storage = storage.charged(at(number), SUN, 1)
    discharge, after = storage.discharged(at(1_000), 1_000)
    assert (discharge.certified_wh, len(discharge.taken)) == (MAX_LOTS_PER_DISCHARGE, MAX_LOTS_PER_DISCHARGE)
    assert len(after.lots) == 2


def test_slots_of_a_storage_only_ascend() -> None:
    storage = Storage(1_000_000).charged(at(2), SUN, 10).charged(at(2), WIND, 10)
    with pytest.raises(SlotOrderError, match="slot is 900: must be 1800 or later"):
        storage.charged(at(1), SUN, 10)
    with pytest.raises(SlotOrderError, match="slot is 1800: must be 1801 or later"):
        storage.discharged(at(2), 10)
    _, after = storage.discharged(at(3), 10)
    assert after.charged(at(3), SUN, 5).lots[-1] == Lot(SUN, 5_000_000)
    with pytest.raises(SlotOrderError, match="slot is 2700: must be 2701 or later"):
        after.discharged(at(3), 10)


def test_amounts_and_efficiencies_have_limits() -> None:
    for efficiency_ppm in (0, 1_000_001):
        with pytest.raises(StorageError, match=f"efficiency_ppm is {efficiency_ppm}: must be 1 to 1000000"):
            Storage(efficiency_ppm)
    with pytest.raises(StorageError, match="amount_wh of a charge is 0: must be above 0"):
        Storage(1).charged(at(1), SUN, 0)
    with pytest.raises(StorageError, match="metered_wh of a discharge is -1: must be above 0"):
        Storage(1).discharged(at(1), -1)


def test_a_slot_with_storages_waits_for_earlier_slots() -> None:
    with pytest.raises(SlotOrderError, match=r"slot 1800 has storages \(5 first\): slot 900 must be"):
        check_slot_order(at(2), {9, 5}, [at(3), at(1)])
    check_slot_order(at(2), set(), [at(1)])
    check_slot_order(at(2), {5}, [at(2), at(3)])
    check_slot_order(at(2), {5}, [])


# ------------------------------------------------------------------------------------- any sequence

charges = st.tuples(st.just("charge"), st.sampled_from((NO_ORIGIN, SUN, WIND)), st.integers(1, 40))
discharges = st.tuples(st.just("discharge"), st.just(NO_ORIGIN), st.integers(1, 60))
histories = st.lists(st.one_of(charges, discharges), max_size=40)
efficiencies = st.integers(1, 1_000_000) | st.sampled_from((1, 333_333, 900_000, 1_000_000))


@given(efficiencies, histories)
def test_no_more_is_certified_than_went_in_with_an_origin_times_the_efficiency(
    efficiency_ppm: int, history: list[tuple[str, int, int]]
) -> None:
    storage = Storage(efficiency_ppm)
    charged_wh = certified_wh = taken_uwh = 0
    for number, (what, source, wh) in enumerate(history):
        if what == "charge":
            storage = storage.charged(at(number), source, wh)
            charged_wh += wh * (source != NO_ORIGIN)
        else:
            discharge, storage = storage.discharged(at(number), wh)
            assert 0 <= discharge.certified_wh <= wh
            assert sum(lot.output_uwh for lot in discharge.taken) <= wh * 1_000_000
            certified_wh += discharge.certified_wh
            taken_uwh += sum(lot.output_uwh for lot in discharge.taken if lot.source != NO_ORIGIN)
        assert certified_wh <= charged_wh * Fraction(efficiency_ppm, 1_000_000)
        assert certified_wh == taken_uwh // 1_000_000
        assert 0 <= storage.carry_uwh < 1_000_000
        held_uwh = sum(lot.output_uwh for lot in storage.lots if lot.source != NO_ORIGIN)
        assert held_uwh + taken_uwh == charged_wh * efficiency_ppm
        assert all(lot.output_uwh > 0 for lot in storage.lots)


@given(efficiencies, histories)
def test_lots_come_out_in_the_order_in_which_they_went_in(
    efficiency_ppm: int, history: list[tuple[str, int, int]]
) -> None:
    storage = Storage(efficiency_ppm)
    went_in: list[int] = []
    came_out: list[int] = []
    for number, (what, source, wh) in enumerate(history):
        if what == "charge":
            storage = storage.charged(at(number), source, wh)
            went_in += [source] * (wh * efficiency_ppm // 10_000)
        else:
            discharge, storage = storage.discharged(at(number), wh)
            came_out += [lot.source for lot in discharge.taken]
    changes = [source for i, source in enumerate(came_out) if i == 0 or source != came_out[i - 1]]
    order = [source for i, source in enumerate(went_in) if i == 0 or source != went_in[i - 1]]
    if efficiency_ppm >= 10_000:
        assert changes == order[: len(changes)]
