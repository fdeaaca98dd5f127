"""Design 3, continuous double auction, on columns: a book's events, and what they lead to.

The rules are those of `matching.orderbook`, which takes one event at a time; here millions a second are
replayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from matching import kernel
from matching.book import MAX_INDEX, Book, Ints, InvalidBookError, column
from matching.exact import exact_sum
from matching.orderbook import MAX_EVENTS, Action, Event, RestingOrder, Snapshot
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Side
from matching.result import Clearing, Reason, Rejection, verified
from matching.trades import Trades

DESIGN = "continuous"

REASONS = {
    kernel.NOT_RESTING: Reason.NOT_RESTING,
    kernel.REFUSED_FOK: Reason.FILL_OR_KILL,
    kernel.REFUSED_POST_ONLY: Reason.POST_ONLY,
}
"""Why an event was refused, by its `Replay.outcome`; 0 means it was not."""


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events as read-only int64 columns, in order of arrival; see `matching.orderbook.Event` for their meaning."""

    action: Ints
    side: Ints
    price: Ints
    quantity_wh: Ints
    account: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.action)


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What a book's events lead to.

    Attributes:
        resting: for each trade the number of the order that waited in the book, and
        incoming: of the one that came in.
        price: the trade's price, the resting order's, nano-credit per Wh.
        quantity_wh: traded energy, Wh.
        left_wh: for each event what of the order it put into the book is still there, Wh.
        outcome: for each event 0, or why it was refused (a key of `REASONS`).
        removed: for each event 1 if its order was taken out of the book to prevent trade with its own
            account.
        side: for each event its order's side, filled in for amendments that entered it anew; likewise
        limit: its limit price, nano-credit per Wh, and
        account: its account.
    """

    resting: Ints
    incoming: Ints
    price: Ints
    quantity_wh: Ints
    left_wh: Ints
    outcome: Ints
    removed: Ints
    side: Ints
    limit: Ints
    account: Ints

    def final(self) -> Snapshot:
        """The book's state after the last event."""
        rows = np.flatnonzero(self.left_wh)
        waiting = (values[rows].tolist() for values in (self.side, self.limit, self.left_wh, self.account))
        return Snapshot(
            orders=tuple(
                RestingOrder(number, Side(side), price, left_wh, account)
                for number, side, price, left_wh, account in zip(rows.tolist(), *waiting, strict=True)
            ),
            events=len(self.left_wh),
            last_price=int(self.price[-1]) if len(self.price) else None,
        )


def events_from_arrays(
    action: npt.ArrayLike,
    side: npt.ArrayLike,
    price: npt.ArrayLike,
    quantity_wh: npt.ArrayLike,
    account: npt.ArrayLike,
    *,
    number: npt.ArrayLike | None = None,
) -> Events:
    """These columns, copied; `number` may be left out if there are no amendments and cancellations.

    Raises:
        InvalidBookError: a column has the wrong type, shape or length, or an entry is outside its limits.
    """
    n = np.size(action)
    if n > MAX_EVENTS:
        raise InvalidBookError("action", None, f"{n} events: at most {MAX_EVENTS}")
    events = Events(
        action=column("action", action, n, 0, max(Action)),
        side=column("side", side, n, 0, 1),
        price=column("price", price, n, 0, MAX_PRICE),
        quantity_wh=column("quantity_wh", quantity_wh, n, 0, MAX_QUANTITY_WH),
        account=column("account", account, n, 0, MAX_INDEX),
        number=column("number", np.zeros(n, dtype=np.int64) if number is None else number, n, 0, MAX_INDEX),
    )
    empty = np.flatnonzero((events.quantity_wh == 0) & (events.action != Action.CANCEL))
    if len(empty):
        raise InvalidBookError("quantity_wh", int(empty[0]), "0 is not between 1 and " + str(MAX_QUANTITY_WH))
    return events


def events_from_list(events: Iterable[Event]) -> Events:
    """The same events as columns.

    Raises:
        InvalidBookError: a field is outside its limits.
    """
    recorded = list(events)
    *columns, number = ([getattr(event, field.name) for event in recorded] for field in fields(Events))
    return events_from_arrays(*columns, number=number)


def replay(events: Events) -> Replay:
    """What these events lead to, starting from an empty book.

    Takes about 200 bytes of memory an event.
    """
    columns = kernel.Columns(
        action=events.action,
        side=events.side.copy(),
        price=events.price.copy(),
        quantity_wh=events.quantity_wh,
        account=events.account.copy(),
        number=events.number,
    )
    state, log = kernel.empty_state(len(events)), kernel.empty_log(len(events))
    trades = kernel.run(columns, state, log)
    return Replay(
        resting=log.resting[:trades],
        incoming=log.incoming[:trades],
        price=log.price[:trades],
        quantity_wh=log.quantity_wh[:trades],
        left_wh=state.left_wh,
        outcome=state.outcome,
        removed=state.removed,
        side=columns.side,
        limit=columns.price,
        account=columns.account,
    )


def clear(book: Book, *, action: npt.ArrayLike | None = None) -> Clearing:
    """Trade a slot's orders one by one as they were received, each at the resting order's price.

    `action` is each order's type (`Action.LIMIT` … `Action.POST_ONLY`); all are limit orders if it is left
    out. Rejected are orders that their type forbade to enter the book, and orders taken out of it (they may
    have traded before) because a later order of their account would have traded with them. The order of
    rows changes nothing.

    Raises:
        InvalidBookError: `action` is not an order's type for each order.
    """
    n = len(book)
    actions = column("action", np.zeros(n, dtype=np.int64) if action is None else action, n, 0, Action.POST_ONLY)
    arrived = np.argsort(book.received)
    columns = (values[arrived] for values in (actions, book.side, book.price, book.quantity_wh, book.account))
    run = replay(events_from_arrays(*columns))
    resting, incoming = arrived[run.resting], arrived[run.incoming]
    came_to_buy = book.side[incoming] == Side.BID
    trades = Trades(
        seller=np.where(came_to_buy, resting, incoming),
        buyer=np.where(came_to_buy, incoming, resting),
        quantity_wh=run.quantity_wh,
        buyer_price=run.price,
        seller_price=run.price,
    )
    fills = trades.fills_wh(n)
    rejected = [Rejection(int(arrived[event]), Reason.SELF_TRADE) for event in np.flatnonzero(run.removed)]
    rejected += [
        Rejection(int(arrived[event]), REASONS[int(run.outcome[event])]) for event in np.flatnonzero(run.outcome)
    ]
    return verified(
        book,
        Clearing(
            design=DESIGN,
            price=trades.single_price,
            fills_wh=fills,
            amounts_nano=trades.amounts_nano(n),
            trades=trades,
            welfare_nano=-exact_sum(book.signs * fills * book.price),
            rejected=tuple(sorted(rejected, key=lambda rejection: rejection.row)),
        ),
    )
