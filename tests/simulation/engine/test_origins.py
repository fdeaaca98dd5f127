from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.book import Ints

UTILITY_COLUMN = -1
INITIAL_COLUMN = -2


def flows(fast: SimpleNamespace, **columns: list[list[int]]) -> SimpleNamespace:
    """Flows of these columns by member and slot; the others are zero."""
    shape = np.shape(next(iter(columns.values())))
    arrays = {
        name: np.array(columns.get(name, np.zeros(shape)), dtype=np.int64) for name in fast.slots.Flows._fields
    }
    stored = (arrays["charged_wh"] - arrays["lost_wh"] - arrays["discharged_wh"]).cumsum(axis=1)
    arrays["stored_wh"] = stored + np.array(columns.get("initial", [[0]] * shape[0]), dtype=np.int64)
    return fast.slots.Flows(**arrays)


def traced(fast: SimpleNamespace, given_flows: object, initial: list[int]) -> tuple[list[Ints], Ints, Ints]:
    """Columns of origin, what the storages hold in the end, and what was consumed, by source."""
    holdings = fast.origins.initial_holdings(np.array(initial, dtype=np.int64))
    columns = fast.origins.trace(given_flows, holdings)
    return list(columns), holdings.stored_wh, holdings.consumed_wh


def test_energy_stored_in_a_neighbours_battery_is_counted_once(fast: SimpleNamespace) -> None:
    """Member 0 sells 100 Wh to a battery, which sells them back: a quarter of 400 Wh is local, not half."""
    example = flows(
        fast,
        generation_wh=[[100, 0], [0, 0]],
        consumption_wh=[[0, 400], [0, 0]],
        sold_wh=[[100, 0], [0, 100]],
        bought_wh=[[0, 100], [100, 0]],
        charged_wh=[[0, 0], [100, 0]],
        discharged_wh=[[0, 0], [0, 100]],
    )
    (generation, storage, initial, utility), stored, consumed = traced(fast, example, [0, 0])
    assert storage.tolist() == [[0, 100], [0, 0]]
    assert utility.tolist() == [[0, 300], [0, 0]]
    assert not generation.any()
    assert not initial.any()
    assert not stored.any()
    assert consumed[0].tolist() == [100, 0, 0, 300]


def test_what_a_battery_held_at_the_start_is_neither_local_nor_the_utilitys(fast: SimpleNamespace) -> None:
    example = flows(fast, consumption_wh=[[100]], discharged_wh=[[60]], initial=[[80]])
    (_, storage, initial, utility), stored, _ = traced(fast, example, [80])
    assert (storage.tolist(), initial.tolist(), utility.tolist()) == ([[0]], [[60]], [[40]])
    assert stored[0, INITIAL_COLUMN] == 20


def test_energy_of_the_utility_stays_the_utilitys_in_a_battery(fast: SimpleNamespace) -> None:
    example = flows(
        fast, consumption_wh=[[0, 90]], charged_wh=[[100, 0]], lost_wh=[[10, 0]], discharged_wh=[[0, 90]]
    )
    (_, storage, _, utility), _, _ = traced(fast, example, [0])
    assert storage.tolist() == [[0, 0]]
    assert utility.tolist() == [[0, 90]]


def test_a_battery_gives_and_loses_the_mix_it_took_in(fast: SimpleNamespace) -> None:
    """50 Wh of its own and 50 of the utility's come in, a tenth is lost, and half of the rest is consumed."""
    example = flows(
        fast,
        generation_wh=[[50, 0]],
        consumption_wh=[[0, 45]],
        charged_wh=[[100, 0]],
        lost_wh=[[10, 0]],
        discharged_wh=[[0, 45]],
    )
    (_, storage, _, utility), stored, _ = traced(fast, example, [0])
    assert storage[0, 1] + utility[0, 1] == 45
    assert abs(int(storage[0, 1]) - 22) <= 1
    assert stored.sum() == 45
    assert abs(int(stored[0, 0]) - 22) <= 1


def test_buyers_share_the_mix_that_is_sold(fast: SimpleNamespace) -> None:
    """Members 0 and 1 sell 30 and 10 Wh; 2 and 3 buy half each."""
    example = flows(
        fast,
        generation_wh=[[30], [10], [0], [0]],
        consumption_wh=[[0], [0], [20], [50]],
        sold_wh=[[30], [10], [0], [0]],
        bought_wh=[[0], [0], [20], [20]],
    )
    (generation, _, _, utility), _, consumed = traced(fast, example, [0] * 4)
    assert generation.ravel().tolist() == [0, 0, 20, 20]
    assert utility.ravel().tolist() == [0, 0, 0, 30]
    assert consumed[2].tolist() == [15, 5, 0, 0, 0, 0]
    assert consumed[3].tolist() == [15, 5, 0, 0, 0, 30]


def test_energy_bought_and_sold_in_one_slot_passes_through(fast: SimpleNamespace) -> None:
    example = flows(
        fast,
        generation_wh=[[10], [0], [0]],
        consumption_wh=[[0], [0], [10]],
        sold_wh=[[10], [10], [0]],
        bought_wh=[[0], [10], [10]],
    )
    (generation, _, _, _), _, consumed = traced(fast, example, [0] * 3)
    assert generation.ravel().tolist() == [0, 0, 10]
    assert consumed[2, 0] == 10


def test_a_storage_that_gives_what_it_does_not_hold_is_refused(fast: SimpleNamespace) -> None:
    example = flows(fast, consumption_wh=[[10]], discharged_wh=[[10]], initial=[[5]])
    with pytest.raises(fast.results.BrokenRunError, match="more than it holds"):
        fast.origins.trace(example, fast.origins.initial_holdings(np.array([5])))


@settings(max_examples=200)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.data())
def test_a_mix_is_drawn_in_proportion_to_the_wh(
    fast: SimpleNamespace, mix: list[int], data: st.DataObject
) -> None:
    total = sum(mix)
    amount = data.draw(st.integers(0, total))
    left, drawn = np.array(mix, dtype=np.int64), np.zeros(len(mix), dtype=np.int64)
    fast.origins.draw(left, amount, drawn)
    assert drawn.sum() == amount
    assert (left + drawn).tolist() == mix
    assert (left >= 0).all()
    assert all(
        abs(part * total - whole * amount) < total
        for part, whole in zip(drawn.tolist(), mix, strict=True)
        if total
    )
