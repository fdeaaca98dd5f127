"""What orders say about whom they trade with, and the kinds of orders that this makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from matching.book import Book, Ints, Mask
from matching.errors import WattbookError
from matching.orders import MAX_PRICE, Side
from matching.settings import InvalidSettingError

MAX_COMBINATIONS = 2**20
"""Most combinations of a kind of bid and a kind of offer: each is a variable of the linear program."""


class Trait(StrEnum):
    """What a wish looks at in the order on the other side."""

    SOURCE = "source"
    AREA = "area"
    ACCOUNT = "account"


class InvalidWishError(WattbookError):
    """A wish is not acceptable.

    Attributes:
        row: the row of the order that states it.
    """

    code = "wish.invalid"

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(f"wish of row {row}: {problem}")
        self.row = row


@dataclass(frozen=True, slots=True)
class Wish:
    """What one order says about whom it trades with; an order may state several.

    A bid's limit price is for energy that meets all its wishes, so that it never pays more than it signed.

    Attributes:
        row: the order.
        trait: what it looks at: the offer's source, or the other order's area or account.
        accepted: the sources, areas or accounts it likes.
        premium: how much less a bid pays for other energy, nano-credit per Wh; None: it trades with no other.
            An offer can only restrict its buyers, by area or account: its premium is None.
    """

    row: int
    trait: Trait
    accepted: frozenset[int]
    premium: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Orders that wish and are wished for alike, taken together.

    Attributes:
        of: each order's kind; bids and offers are counted apart, each from 0.
        discount: for each kind of bid (row) and of offer (column) the premiums not paid, nano-credit per Wh.
        allowed: for each kind of bid and of offer, whether they may trade.
    """

    of: Ints
    discount: Ints
    allowed: Mask


_Test = tuple[Trait, tuple[int, ...]]
_Statement = tuple[int, int]
"""A test's number and the premium; -1 stands for None, to be sortable."""

_NO_OTHER = -1


def kinds(book: Book, wishes: Sequence[Wish], traits: Mapping[Trait, Ints]) -> Kinds:
    """Sort the orders into kinds, numbered in an order that does not depend on the orders' rows.

    `traits` holds each order's value of each trait.

    Raises:
        InvalidWishError: a wish names no order, accepts nothing, has a premium outside 1 … `MAX_PRICE`, or
            is an offer's and more than a restriction by area or account.
    """
    for wish in wishes:
        _require_valid(book, wish)
    tests: list[_Test] = sorted({(wish.trait, tuple(sorted(wish.accepted))) for wish in wishes})
    number = {test: i for i, test in enumerate(tests)}
    meets = np.zeros((len(book), len(tests)), dtype=np.bool_)
    for i, (trait, accepted) in enumerate(tests):
        meets[:, i] = np.isin(traits[trait], np.array(accepted))
    stated: dict[int, list[_Statement]] = {}
    for wish in wishes:
        test = number[wish.trait, tuple(sorted(wish.accepted))]
        premium = _NO_OTHER if wish.premium is None else wish.premium
        stated.setdefault(wish.row, []).append((test, premium))
    of = np.zeros(len(book), dtype=np.int64)
    bid_of_kind = _number_kinds(book.bids, book.offers, stated, meets, of)
    offer_of_kind = _number_kinds(book.offers, book.bids, stated, meets, of)
    if len(bid_of_kind) * len(offer_of_kind) > MAX_COMBINATIONS:
        combinations = f"{len(bid_of_kind)} kinds of bids times {len(offer_of_kind)} of offers"
        raise InvalidSettingError("wishes", combinations, f"must be at most {MAX_COMBINATIONS}")
    discount = np.zeros((len(bid_of_kind), len(offer_of_kind)), dtype=np.int64)
    allowed = np.ones(discount.shape, dtype=np.bool_)
    for kind, row in enumerate(bid_of_kind):
        for test, premium in stated.get(row, ()):
            unmet = ~meets[offer_of_kind, test]
            if premium == _NO_OTHER:
                allowed[kind] &= ~unmet
            else:
                discount[kind] += unmet * premium
    for kind, row in enumerate(offer_of_kind):
        for test, _ in stated.get(row, ()):
            allowed[:, kind] &= meets[bid_of_kind, test]
    return Kinds(of=of, discount=discount, allowed=allowed & (discount <= MAX_PRICE))


def _number_kinds(
    rows: Ints, others: Ints, stated: Mapping[int, list[_Statement]], meets: Mask, of: Ints
) -> list[int]:
    """Enter the kind of each of these orders into `of` and return one order's row for each kind.

    Two orders are of one kind if they state the same and the wishes of the other side look at them alike.
    """
    asked = sorted({test for row in others.tolist() for test, _ in stated.get(row, ())})
    seen = meets[:, asked]
    keys = {row: (sorted(stated.get(row, ())), seen[row].tobytes()) for row in rows.tolist()}
    first: list[int] = []
    for row in sorted(keys, key=keys.__getitem__):
        if not first or keys[row] != keys[first[-1]]:
            first.append(row)
        of[row] = len(first) - 1
    return first


def _require_valid(book: Book, wish: Wish) -> None:
    if not 0 <= wish.row < len(book):
        raise InvalidWishError(wish.row, f"there are {len(book)} orders")
    if not wish.accepted:
        raise InvalidWishError(wish.row, "accepts nothing")
    whole = isinstance(wish.premium, int) and 1 <= wish.premium <= MAX_PRICE
    if wish.premium is not None and not whole:
        raise InvalidWishError(wish.row, f"premium {wish.premium!r} is not an integer between 1 and {MAX_PRICE}")
    if book.side[wish.row] == Side.OFFER and (wish.premium is not None or wish.trait is Trait.SOURCE):
        raise InvalidWishError(wish.row, "an offer can only restrict its buyers, by area or account")
