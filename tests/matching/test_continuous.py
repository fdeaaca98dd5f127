import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import continuous, kernel
from matching.book import Book, InvalidBookError, from_arrays
from matching.continuous import REASONS, events_from_arrays, events_from_list, replay
from matching.orderbook import Action, Event, LimitOrderBook
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Side
from matching.result import Reason, Rejection
from tests.matching.books import assert_keeps_promises, random_book, select, small_books
from tests.matching.test_orderbook import event_lists

BID, OFFER = 0, 1


def plain_kernel() -> ModuleType:
    """The kernel as it is on a machine without numba."""
    spec = importlib.util.spec_from_file_location("plain_kernel", str(kernel.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["compiled", "plain"], scope="module", autouse=True)
def _each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every test of this module with the compiled kernel and with the plain one."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setattr(continuous, "kernel", plain_kernel())
        replay(events_from_list([]))  # compiles, so that no example is slow
        yield


@settings(max_examples=300)
@given(event_lists())
def test_columns_lead_to_the_same_trades_and_book_as_one_event_at_a_time(events: list[Event]) -> None:
    book = LimitOrderBook()
    outcomes = [book.apply(event) for event in events]
    run = replay(events_from_list(events))
    trades = list(
        zip(run.resting.tolist(), run.incoming.tolist(), run.price.tolist(), run.quantity_wh.tolist(), strict=True)
    )
    assert trades == [(m.resting, i, m.price, m.quantity_wh) for i, o in enumerate(outcomes) for m in o.executions]
    assert run.final() == book.snapshot()
    assert [REASONS.get(code) for code in run.outcome.tolist()] == [outcome.refused for outcome in outcomes]
    removed = sorted(number for outcome in outcomes for number in outcome.removed)
    assert np.flatnonzero(run.removed).tolist() == removed


def test_extreme_prices_and_quantities_are_exact() -> None:
    events = [
        Event(Action.LIMIT, Side.OFFER, MAX_PRICE, MAX_QUANTITY_WH, 1),
        Event(Action.LIMIT, Side.OFFER, 0, MAX_QUANTITY_WH, 2),
        Event(Action.LIMIT, Side.BID, 0, MAX_QUANTITY_WH, 3),
        Event(Action.LIMIT, Side.BID, MAX_PRICE, MAX_QUANTITY_WH, 4),
    ]
    run = replay(events_from_list(events))
    assert run.price.tolist() == [0, MAX_PRICE]
    assert run.quantity_wh.tolist() == [MAX_QUANTITY_WH] * 2
    assert run.final().orders == ()


@given(small_books(accounts=4), st.data())
def test_clearing_keeps_every_promise(orders: Book, data: st.DataObject) -> None:
    n = len(orders)
    action = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    clearing = continuous.clear(orders, action=action)
    assert_keeps_promises(orders, clearing)
    assert clearing.surplus_nano == 0
    assert (orders.account[clearing.trades.seller] != orders.account[clearing.trades.buyer]).all()


@given(small_books(), st.data())
def test_the_order_of_rows_changes_nothing(orders: Book, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.permutations(range(len(orders)))), dtype=np.int64)
    straight, shuffled = continuous.clear(orders), continuous.clear(select(orders, rows))
    assert shuffled.amounts_nano.tolist() == straight.amounts_nano[rows].tolist()


def test_orders_trade_in_the_order_in_which_they_were_received() -> None:
    orders = from_arrays([BID, OFFER, OFFER], [10, 9, 8], [5, 5, 5], received=[3, 1, 2])
    clearing = continuous.clear(orders)
    assert clearing.fills_wh.tolist() == [5, 0, 5]
    assert clearing.price == 8


def test_refused_and_removed_orders_are_rejected_with_their_reasons() -> None:
    orders = from_arrays(
        [OFFER, BID, BID, BID, OFFER, BID], [9, 9, 9, 5, 20, 20], [5, 5, 9, 1, 1, 6], account=[1, 2, 3, 4, 5, 5]
    )
    action = [Action.LIMIT, Action.POST_ONLY, Action.FOK, Action.LIMIT, Action.LIMIT, Action.LIMIT]
    assert continuous.clear(orders, action=action).rejected == (
        Rejection(1, Reason.POST_ONLY),
        Rejection(2, Reason.FILL_OR_KILL),
        Rejection(4, Reason.SELF_TRADE),
    )


def test_a_large_book_keeps_every_promise() -> None:
    orders = random_book(seed=3, orders=2_000)
    assert_keeps_promises(orders, continuous.clear(orders))


@pytest.mark.parametrize("action", [[Action.AMEND, 0], [0], [7, 0]])
def test_actions_that_are_no_order_types_are_refused(action: list[int]) -> None:
    with pytest.raises(InvalidBookError, match="'action'"):
        continuous.clear(from_arrays([BID, OFFER], [1, 1], [1, 1]), action=action)


@pytest.mark.parametrize(
    ("field", "bad", "row"),
    [
        ("action", [0, 6], 1),
        ("side", [2, 0], 0),
        ("price", [0, MAX_PRICE + 1], 1),
        ("quantity_wh", [1, 0], 1),
        ("account", [-1, 0], 0),
        ("number", [0, -1], 1),
        ("price", [1], None),
    ],
)
def test_a_bad_column_of_events_is_refused_naming_field_and_row(
    field: str, bad: list[int], row: int | None
) -> None:
    columns = {name: [1, 1] for name in ("side", "price", "quantity_wh", "account", "number")} | {"action": [0, 0]}
    with pytest.raises(InvalidBookError) as refusal:
        events_from_arrays(**(columns | {field: bad}))
    assert (refusal.value.field, refusal.value.row) == (field, row)
