import dataclasses

import numpy as np
import pytest

from matching.book import InvalidBookError, from_arrays, from_orders
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Order, Side

COLUMNS = {
    "side": [0, 1, 1],
    "price": [5, 6, 7],
    "quantity_wh": [1, 2, 3],
    "account": [0, 0, 1],
    "received": [10, 30, 20],
    "rank": [2, 0, 1],
}
ORDER = Order(account=bytes(20), market=bytes(32), slot=900, side=Side.BID, price=1, quantity_wh=1)


@pytest.mark.parametrize(
    ("field", "bad", "row"),
    [
        ("side", [0, 2, 1], 1),
        ("price", [5, 6, -1], 2),
        ("price", [MAX_PRICE + 1, 6, 7], 0),
        ("quantity_wh", [1, 0, 0], 1),
        ("quantity_wh", [1, 1, MAX_QUANTITY_WH + 1], 2),
        ("account", [0, -1, 1], 1),
        ("received", [10, 20, 10], 2),
        ("received", np.array([2**64 - 1, 1, 2], dtype=np.uint64), 0),
        ("rank", [0, 1, 1], 2),
        ("rank", [0, 1, 3], 2),
        ("price", [5.0, 6.0, 7.0], None),
        ("price", [True, False, True], None),
        ("price", [5, 6, 2**70], None),
        ("price", [5, 6], None),
        ("price", [[5, 6, 7]], None),
        ("side", 0, None),
    ],
)
def test_a_bad_column_is_refused_naming_field_and_row(field: str, bad: object, row: int | None) -> None:
    with pytest.raises(InvalidBookError, match=f"'{field}'") as refusal:
        from_arrays(**{**COLUMNS, field: bad})
    assert (refusal.value.field, refusal.value.row) == (field, row)


def test_columns_are_copied_and_frozen() -> None:
    price = np.array([5, 6, 7])
    book = from_arrays(**{**COLUMNS, "price": price})
    price[0] = 99
    assert book.price.tolist() == [5, 6, 7]
    with pytest.raises(ValueError, match="read-only"):
        book.price[0] = 1


def test_left_out_columns_count_the_rows() -> None:
    book = from_arrays([0, 1], [5, 6], [1, 2])
    assert book.account.tolist() == book.received.tolist() == book.rank.tolist() == [0, 1]


def test_orders_become_rows_with_accounts_by_address_and_ranks_by_hash() -> None:
    orders = [
        dataclasses.replace(ORDER, account=b"\x02" * 20),
        dataclasses.replace(ORDER, account=b"\x01" * 20, side=Side.OFFER, price=9, quantity_wh=8),
        dataclasses.replace(ORDER, account=b"\x02" * 20, salt=1),
    ]
    book = from_orders(orders, [b"\x09" * 32, b"\x03" * 32, b"\x05" * 32])
    assert book.side.tolist() == [Side.BID, Side.OFFER, Side.BID]
    assert book.price.tolist() == [1, 9, 1]
    assert book.quantity_wh.tolist() == [1, 8, 1]
    assert book.account.tolist() == [1, 0, 1]
    assert book.rank.tolist() == [2, 0, 1]
    assert book.received.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("second", "second_hash", "field"),
    [
        (dataclasses.replace(ORDER, slot=1800), b"\x01" * 32, "slot"),
        (dataclasses.replace(ORDER, market=b"\x01" * 32), b"\x01" * 32, "market"),
        (ORDER, b"\x00" * 32, "hash"),
        (ORDER, b"\x01" * 31, "hash"),
    ],
)
def test_orders_that_do_not_belong_together_are_refused(second: Order, second_hash: bytes, field: str) -> None:
    with pytest.raises(InvalidBookError, match=f"'{field}', row 1"):
        from_orders([ORDER, second], [bytes(32), second_hash])


def test_a_missing_hash_is_refused() -> None:
    with pytest.raises(InvalidBookError, match="1 hashes for 2 orders"):
        from_orders([ORDER, ORDER], [bytes(32)])
