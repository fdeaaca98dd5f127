"""What a clearing returns: one type for every market design."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

from matching.book import Book, Ints
from matching.errors import WattbookError
from matching.exact import exact_sum
from matching.trades import NO_TRADES, Trades


class Reason(StrEnum):
    """Why a design refused an order instead of leaving it unfilled."""

    POST_ONLY = "post-only order would have traded at once"
    FILL_OR_KILL = "fill-or-kill order could not be filled whole"
    SELF_TRADE = "order would have traded with another of its account, which is newer"
    NOT_RESTING = "order is not in the book"
    NO_COUNTERPARTY = "order's restrictions exclude every counterparty"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One order that a design refused, by row, and why."""

    row: int
    reason: Reason


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """Fills, money and trades of one slot; per-row arrays are read-only int64 in the book's row order.

    `amounts_nano` is what the order's account receives (offers: zero or more) or pays (bids: zero or less).
    It fits 64 bits, as a limit price times a quantity is below 2**63 and nobody pays more, or gets more
    than some bid pays.

    Attributes:
        design: the market design's name, as in `matching.designs`.
        price: the one price of all trades, nano-credit per Wh; None if nothing trades or trades differ in
            price.
        fills_wh: how much of each order trades, Wh.
        amounts_nano: credits to (+) or from (-) each order's account, nano-credit.
        trades: who with whom, how much, at which price.
        welfare_nano: what buyers would at most have paid less what sellers would at least have taken (and
            less grid fees or plus stated premiums in the designs that know them), nano-credit; any size.
        rejected: refused orders in row order.
    """

    design: str
    price: int | None
    fills_wh: Ints
    amounts_nano: Ints
    trades: Trades
    welfare_nano: int
    rejected: tuple[Rejection, ...] = ()

    @property
    def volume_wh(self) -> int:
        """Traded energy, Wh."""
        return int(self.trades.quantity_wh.sum())

    @property
    def surplus_nano(self) -> int:
        """What the market keeps: what buyers pay less what sellers receive, nano-credit; never negative."""
        return -exact_sum(self.amounts_nano)


class BrokenClearingError(WattbookError):
    """A clearing broke an invariant: a defect of the design's code, never of the orders."""

    code = "matching.broken"


C = TypeVar("C", bound=Clearing)


def verified(book: Book, clearing: C) -> C:
    """The clearing itself, once it is seen to keep every design's promises and its arrays are frozen.

    Raises:
        BrokenClearingError: fills outside 0 … quantity, bought and sold energy differ, a limit price is not
            kept, or the market pays in.
    """
    fills, amounts = clearing.fills_wh, clearing.amounts_nano
    checks = {
        "a fill is outside 0 … quantity": ((fills < 0) | (fills > book.quantity_wh)).any(),
        "a limit is not kept": (amounts < book.signs * book.price * fills).any(),
        "bought and sold energy differ": (book.signs * fills).sum() != 0,
        "a buyer receives or a seller pays": (book.signs * amounts < 0).any(),
        "the market pays in": clearing.surplus_nano < 0,
    }
    for problem, broken in checks.items():
        if broken:
            raise BrokenClearingError(f"{clearing.design}: {problem}")
    fills.setflags(write=False)
    amounts.setflags(write=False)
    return clearing


def cleared(book: Book, design: str, fills: Ints, trades: Trades) -> Clearing:
    """The verified clearing of these fills, Wh per row, whose money and welfare follow from fills and trades.

    Raises:
        BrokenClearingError: as `verified`.
    """
    return verified(
        book,
        Clearing(
            design=design,
            price=trades.single_price,
            fills_wh=fills,
            amounts_nano=trades.amounts_nano(len(book)),
            trades=trades,
            welfare_nano=-exact_sum(book.signs * fills * book.price),
        ),
    )


def nothing_trades(book: Book, design: str) -> Clearing:
    """The clearing in which no order is filled."""
    return cleared(book, design, np.zeros(len(book), dtype=np.int64), NO_TRADES)
