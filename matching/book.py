"""The orders of one slot as columns, frozen and checked once, so that clearing need not check again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matching.errors import WattbookError
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Order, Side

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MAX_ORDERS = 2**22
"""Most orders of one slot. With `MAX_QUANTITY_WH` it keeps every sum of quantities at or below 2**53, which
leaves 64-bit arithmetic ten bits to spare (`matching.exact` uses eight), and which floats hold exactly."""

MAX_INDEX = 2**63 - 1

HASH_BYTES = 32

_SPREAD = 8
"""Numbers spread at most so much wider than there are of them are counted rather than sorted to find repeats."""


class InvalidBookError(WattbookError):
    """A column of a book, or one entry of it, is not acceptable.

    Attributes:
        field: the column's name.
        row: the first offending row, or None if the column as a whole is wrong.
    """

    code = "book.invalid"

    def __init__(self, field: str, row: int | None, problem: str) -> None:
        where = "" if row is None else f", row {row}"
        super().__init__(f"book field '{field}'{where}: {problem}")
        self.field = field
        self.row = row


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """The orders of one slot, one row each; every column is a read-only int64 array of the same length.

    Make one with `from_arrays` or `from_orders`, which check it.

    Attributes:
        side: `Side.BID` (0) or `Side.OFFER` (1).
        price: limit price, nano-credit per Wh.
        quantity_wh: the most the order trades, Wh.
        account: any number that is the same for all orders of one account.
        received: the order's place in time; unique; the lower, the earlier.
        rank: the order's position, from 0, in ascending order of the orders' hashes: the canonical order,
            which the chain uses too.
    """

    side: Ints
    price: Ints
    quantity_wh: Ints
    account: Ints
    received: Ints
    rank: Ints

    def __len__(self) -> int:
        return len(self.side)

    @property
    def bids(self) -> Ints:
        """Rows of the bids, ascending."""
        return np.flatnonzero(self.side == Side.BID)

    @property
    def offers(self) -> Ints:
        """Rows of the offers, ascending."""
        return np.flatnonzero(self.side == Side.OFFER)

    @property
    def signs(self) -> Ints:
        """-1 for each bid, which pays, and +1 for each offer, which is paid."""
        return 2 * self.side - 1

    def rows_by_rank(self) -> Ints:
        """All rows in canonical order: row `rows_by_rank()[i]` has rank `i`."""
        rows = np.empty(len(self), dtype=np.int64)
        rows[self.rank] = np.arange(len(self))
        return rows


def from_arrays(
    side: npt.ArrayLike,
    price: npt.ArrayLike,
    quantity_wh: npt.ArrayLike,
    *,
    account: npt.ArrayLike | None = None,
    received: npt.ArrayLike | None = None,
    rank: npt.ArrayLike | None = None,
) -> Book:
    """The book of these columns, copied.

    Columns are one-dimensional integer arrays (or sequences) of one length. A column left out counts the
    rows: each order of an account of its own, received and ranked in row order.

    Raises:
        InvalidBookError: a column has the wrong type, shape or length; an entry is outside its limits;
            `received` is not unique; `rank` is not a permutation of 0 … n-1; or there are more than
            `MAX_ORDERS` rows.
    """
    n = len(_integers("side", side))
    if n > MAX_ORDERS:
        raise InvalidBookError("side", None, f"{n} orders: at most {MAX_ORDERS}")
    rows = np.arange(n)
    book = Book(
        side=column("side", side, n, 0, 1),
        price=column("price", price, n, 0, MAX_PRICE),
        quantity_wh=column("quantity_wh", quantity_wh, n, 1, MAX_QUANTITY_WH),
        account=column("account", rows if account is None else account, n, 0, MAX_INDEX),
        received=column("received", rows if received is None else received, n, 0, MAX_INDEX),
        rank=column("rank", rows if rank is None else rank, n, 0, n - 1),
    )
    if received is not None:
        _require_unique("received", book.received)
    if rank is not None:
        _require_unique("rank", book.rank)
    return book


def from_orders(
    orders: Sequence[Order], hashes: Sequence[bytes], *, received: Sequence[int] | None = None
) -> Book:
    """The book of signed orders; row `i` is `orders[i]`.

    Accounts are numbered in ascending order of their addresses, ranks follow the hashes. `received`
    defaults to the place in the sequence.

    Raises:
        InvalidBookError: the orders are not all of one market and slot, a hash is not 32 bytes or occurs
            twice, or the sequences' lengths differ.
    """
    if len(hashes) != len(orders):
        raise InvalidBookError("hash", None, f"{len(hashes)} hashes for {len(orders)} orders")
    seen: set[bytes] = set()
    for row, order in enumerate(orders):
        if order.market != orders[0].market:
            raise InvalidBookError("market", row, f"{order.market.hex()} differs from row 0's")
        if order.slot != orders[0].slot:
            raise InvalidBookError("slot", row, f"{order.slot} differs from row 0's {orders[0].slot}")
        if len(hashes[row]) != HASH_BYTES:
            raise InvalidBookError("hash", row, f"is {len(hashes[row])} bytes long: must be {HASH_BYTES}")
        if hashes[row] in seen:
            raise InvalidBookError("hash", row, f"{hashes[row].hex()} occurs twice")
        seen.add(hashes[row])
    ranks = {order_hash: rank for rank, order_hash in enumerate(sorted(hashes))}
    accounts = {address: index for index, address in enumerate(sorted({order.account for order in orders}))}
    return from_arrays(
        [int(order.side) for order in orders],
        [order.price for order in orders],
        [order.quantity_wh for order in orders],
        account=[accounts[order.account] for order in orders],
        received=received,
        rank=[ranks[order_hash] for order_hash in hashes],
    )


def _integers(field: str, values: npt.ArrayLike) -> npt.NDArray[np.integer]:
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.int64)
    if array.ndim != 1:
        raise InvalidBookError(field, None, f"has {array.ndim} dimensions: must have one")
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidBookError(field, None, f"has type {array.dtype}: must be integers of at most 64 bits")
    return array


def column(field: str, values: npt.ArrayLike, length: int, low: int, high: int) -> Ints:
    """A read-only int64 copy of a column, once its type, length and entries are seen to be within bounds.

    Raises:
        InvalidBookError: they are not.
    """
    array = _integers(field, values)
    if len(array) != length:
        raise InvalidBookError(field, None, f"has {len(array)} rows: must have {length}")
    if length and not (low <= int(array.min()) and int(array.max()) <= high):
        row = int(np.flatnonzero((array < low) | (array > high))[0])
        raise InvalidBookError(field, row, f"{array[row]} is not between {low} and {high}")
    checked = array.astype(np.int64)
    checked.setflags(write=False)
    return checked


def _require_unique(field: str, values: Ints) -> None:
    if not len(values) or (values[1:] > values[:-1]).all():
        return
    if int(values.max()) < _SPREAD * len(values):
        unique = np.bincount(values).max() == 1
    else:
        ordered = np.sort(values)
        unique = (ordered[1:] != ordered[:-1]).all()
    if unique:
        return
    order = np.argsort(values, kind="stable")
    row = int(order[1:][values[order[1:]] == values[order[:-1]]].min())
    raise InvalidBookError(field, row, f"{values[row]} occurs twice: must be unique")
