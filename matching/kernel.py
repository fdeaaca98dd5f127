"""The continuous book on plain arrays: the same rules as `matching.orderbook`, for millions of events a second.

Compiled by numba where it is installed (and kept on disk between runs); otherwise the same functions run as
they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from matching.book import Ints
from matching.orderbook import NUMBER_BITS, Action
from matching.orders import MAX_PRICE

F = TypeVar("F", bound=Callable[..., Any])

try:
    from numba import njit

    COMPILES = True
except ImportError:
    COMPILES = False


def compiled(function: F) -> F:
    """The function compiled, or, without numba, the function itself."""
    return cast(F, njit(cache=True)(function)) if COMPILES else function


NUMBER_MASK = 2**NUMBER_BITS - 1
BID, OFFER = 0, 1
IOC, FOK, POST_ONLY, AMEND, CANCEL = (
    int(action) for action in (Action.IOC, Action.FOK, Action.POST_ONLY, Action.AMEND, Action.CANCEL)
)
DONE, NOT_RESTING, REFUSED_FOK, REFUSED_POST_ONLY = 0, 1, 2, 3
"""What became of an event, in `State.outcome`."""


class Columns(NamedTuple):
    """The events, a row each.

    `side`, `price` and `account` are written to: an amendment that enters its order anew fills in its own
    row.
    """

    action: Ints
    side: Ints
    price: Ints
    quantity_wh: Ints
    account: Ints
    number: Ints


class State(NamedTuple):
    """The book: columns with a row for each event, and the two heaps of keys, best first.

    `left_wh` is what of the order that an event put into the book is still there; keys of orders with
    nothing left stay in their heap until they surface. `pending` is working space for `within_reach`.
    """

    left_wh: Ints
    outcome: Ints
    removed: Ints
    heaps: Ints
    sizes: Ints
    pending: Ints


class Log(NamedTuple):
    """The trades, a row each."""

    resting: Ints
    incoming: Ints
    price: Ints
    quantity_wh: Ints


def empty_state(events: int) -> State:
    """The state of an empty book, with room for so many events."""
    left_wh, outcome, removed = np.zeros((3, events), dtype=np.int64)
    return State(
        left_wh=left_wh,
        outcome=outcome,
        removed=removed,
        heaps=np.empty((2, events), dtype=np.int64),
        sizes=np.zeros(2, dtype=np.int64),
        pending=np.empty(events + 2, dtype=np.int64),
    )


def empty_log(events: int) -> Log:
    """Room for all trades: each uses up its resting or its incoming order, so there are at most two an event."""
    return Log(*np.empty((4, 2 * events), dtype=np.int64))


@compiled
def run(columns: Columns, state: State, log: Log) -> int:
    """Apply all events, in order, and return the number of trades written to the log."""
    trades = 0
    for event in range(len(columns.action)):
        if columns.action[event] >= AMEND and not leaves_its_place(columns, state, event):
            continue
        if refused(columns, state, event):
            continue
        trades = enter(columns, state, log, event, trades)
    return trades


@compiled
def leaves_its_place(columns: Columns, state: State, event: int) -> bool:
    """Cancel or amend an order; whether it is now to be entered anew, as the order of this event."""
    order = columns.number[event]
    if order >= event or state.left_wh[order] == 0:
        state.outcome[event] = NOT_RESTING
        return False
    same_price = columns.price[event] == columns.price[order]
    if columns.action[event] == AMEND and same_price and columns.quantity_wh[event] <= state.left_wh[order]:
        state.left_wh[order] = columns.quantity_wh[event]
        return False
    state.left_wh[order] = 0
    columns.side[event], columns.account[event] = columns.side[order], columns.account[order]
    return bool(columns.action[event] == AMEND)


@compiled
def refused(columns: Columns, state: State, event: int) -> bool:
    """Whether the order's type forbids it to enter the book as it is."""
    kind = columns.action[event]
    if kind == FOK:
        wanted_wh = columns.quantity_wh[event]
        if within_reach(columns, state, event, wanted_wh) < wanted_wh:
            state.outcome[event] = REFUSED_FOK
            return True
    elif kind == POST_ONLY and within_reach(columns, state, event, 1) > 0:
        state.outcome[event] = REFUSED_POST_ONLY
        return True
    return False


@compiled
def enter(columns: Columns, state: State, log: Log, event: int, trades: int) -> int:
    """Trade an order with the other side and let the rest wait; return the number of trades so far."""
    side, price, wanted_wh = columns.side[event], columns.price[event], columns.quantity_wh[event]
    facing = 1 - side
    heap = state.heaps[facing]
    limit = worst_key(side, price)
    while wanted_wh > 0 and state.sizes[facing] > 0 and heap[0] <= limit:
        best = heap[0] & NUMBER_MASK
        if state.left_wh[best] > 0 and columns.account[best] == columns.account[event]:
            state.left_wh[best] = 0
            state.removed[best] = 1
        traded_wh = min(wanted_wh, state.left_wh[best])
        if traded_wh > 0:
            log.resting[trades], log.incoming[trades] = best, event
            log.price[trades], log.quantity_wh[trades] = columns.price[best], traded_wh
            trades += 1
            wanted_wh -= traded_wh
            state.left_wh[best] -= traded_wh
        if state.left_wh[best] == 0:
            pop(heap, state.sizes[facing])
            state.sizes[facing] -= 1
    if wanted_wh > 0 and columns.action[event] != IOC:
        state.left_wh[event] = wanted_wh
        key = price if side == OFFER else MAX_PRICE - price
        push(state.heaps[side], state.sizes[side], (key << NUMBER_BITS) | event)
        state.sizes[side] += 1
    return trades


@compiled
def worst_key(side: int, price: int) -> int:
    """The greatest key on the other side that an order of this side and price trades with."""
    reach = price if side == BID else MAX_PRICE - price
    key: int = (reach << NUMBER_BITS) | NUMBER_MASK
    return key


@compiled
def within_reach(columns: Columns, state: State, event: int, enough_wh: int) -> int:
    """What other accounts' orders would trade with this one, Wh, counted until it is enough.

    Looks only at the part of the heap within reach: below a key out of reach there are only worse ones.
    """
    facing = 1 - columns.side[event]
    heap, size = state.heaps[facing], state.sizes[facing]
    limit = worst_key(columns.side[event], columns.price[event])
    pending = state.pending
    found_wh = 0
    waiting = 1
    pending[0] = 0
    while waiting > 0 and found_wh < enough_wh:
        waiting -= 1
        place = pending[waiting]
        if place >= size or heap[place] > limit:
            continue
        order = heap[place] & NUMBER_MASK
        if columns.account[order] != columns.account[event]:
            found_wh += state.left_wh[order]
        pending[waiting], pending[waiting + 1] = 2 * place + 2, 2 * place + 1
        waiting += 2
    return found_wh


@compiled
def push(heap: Ints, size: int, key: int) -> None:
    """Put a key into the heap whose first `size` places are used."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= key:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = key


@compiled
def pop(heap: Ints, size: int) -> None:
    """Take the least key out of the heap whose first `size` places are used."""
    last = size - 1
    place, child = 0, 1
    while child < last:
        if child + 1 < last and heap[child + 1] < heap[child]:
            child += 1
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    push(heap, place, heap[last])
