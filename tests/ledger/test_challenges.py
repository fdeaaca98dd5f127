"""The calls of challenges and answers hold what their makers were given.

What the contract makes of them is in `tests/contracts/test_challenges.py`.
"""

import pytest

from ledger import merkle
from ledger.abi import interface
from ledger.batches import FilledOrder, fills_hash, posted_words
from ledger.challenges import (
    NoProofError,
    answer_cancelled_calldata,
    answer_filled_calldata,
    answer_in_book_calldata,
    challenge_left_out_calldata,
    challenge_missing_calldata,
    place_in_book,
    report_overdrawn_calldata,
)
from ledger.eip712 import Receipt, SignedOrder, sign_order
from ledger.keys import Key
from matching.orders import Order, Side
from tests.ledger.orders import DOMAIN

KEY = Key(b"\x01" * 32)
MARKET = b"\x02" * 32
SIGNATURE = bytes(range(65))


def signed(salt: int) -> SignedOrder:
    order = Order(account=KEY.address, market=MARKET, slot=900, side=Side.BID, price=3, quantity_wh=4, salt=salt)
    return sign_order(DOMAIN, order, KEY)


ORDERS = sorted((signed(salt) for salt in range(5)), key=lambda each: each.hash)
BOOK = [each.hash for each in ORDERS]
R, S, V = int.from_bytes(SIGNATURE[:32], "big"), int.from_bytes(SIGNATURE[32:64], "big"), 64


def decoded(data: bytes) -> tuple[str, dict[str, object]]:
    return interface("challenges").decode_call(data)


def test_a_missing_order_is_challenged_with_its_receipt() -> None:
    receipt = Receipt(order_hash=BOOK[0], market=MARKET, slot=900, index=6, received_at=7)
    assert decoded(challenge_missing_calldata(receipt, SIGNATURE)) == (
        "challenge_missing",
        {
            "market": MARKET,
            "slot": 900,
            "receipt": {"order": BOOK[0], "index": 6, "received_at": 7},
            "signature": {"v": V, "r": R, "s": S},
        },
    )


def test_an_order_left_out_is_shown_in_its_book() -> None:
    assert decoded(challenge_left_out_calldata(ORDERS[3], BOOK)) == (
        "challenge_left_out",
        {"market": MARKET, "slot": 900, "order": posted_words(ORDERS[3]), "place": place_in_book(BOOK[3], BOOK)},
    )


@pytest.mark.parametrize("index", range(5))
def test_a_place_in_a_book_leads_to_its_root(index: int) -> None:
    place = place_in_book(BOOK[index], BOOK)
    assert (place["root"], place["size"], place["index"]) == (merkle.root(BOOK), 5, index)
    assert merkle.root_by_path(BOOK[index], index, 5, merkle.path(BOOK, index)) == place["root"]
    assert place["path"] == merkle.path(BOOK, index)
    name, arguments = decoded(answer_in_book_calldata(8, BOOK[index], BOOK))
    assert (name, arguments) == ("answer_in_book", {"number": 8, "place": place})


def test_a_cancellation_is_shown_with_its_order() -> None:
    name, arguments = decoded(answer_cancelled_calldata(8, ORDERS[0], SIGNATURE))
    signature = {"v": V, "r": R, "s": S}
    expected = {"number": 8, "order": posted_words(ORDERS[0]), "signature": signature}
    assert (name, arguments) == ("answer_cancelled", expected)


@pytest.mark.parametrize("place", range(5))
def test_a_filled_order_is_shown_with_all_that_follow_in_its_chunk(place: int) -> None:
    fills = [FilledOrder(each, 4) for each in ORDERS]
    chunks = [fills[:2], fills[2:]]
    _, arguments = decoded(answer_filled_calldata(8, BOOK[place], chunks))
    chunk = 0 if place < 2 else 1
    links = arguments["links"]
    assert isinstance(links, list)
    assert (arguments["number"], arguments["chunk"]) == (8, chunk)
    assert [link["digest"] for link in links] == BOOK[place : 2 if chunk == 0 else 5]
    assert arguments["before"] == fills_hash(fills[:place])


def test_bids_are_reported_in_ascending_order_of_their_hashes() -> None:
    name, arguments = decoded(report_overdrawn_calldata(ORDERS[::-1], BOOK))
    assert name == "report_overdrawn"
    assert arguments == {
        "market": MARKET,
        "slot": 900,
        "bids": [posted_words(each) for each in ORDERS],
        "places": [place_in_book(each.hash, BOOK) for each in ORDERS],
    }
    with pytest.raises(ValueError, match="without bids"):
        report_overdrawn_calldata([], BOOK)
    with pytest.raises(NoProofError, match="is not in the book"):
        report_overdrawn_calldata(ORDERS, BOOK[1:])


def test_what_is_not_there_is_not_proved() -> None:
    with pytest.raises(NoProofError, match="is not in the book of 4 orders"):
        place_in_book(BOOK[0], BOOK[1:])
    with pytest.raises(NoProofError, match="not among the fills of 2 chunks"):
        answer_filled_calldata(8, BOOK[0], [[FilledOrder(ORDERS[1], 4)], [FilledOrder(ORDERS[2], 4)]])
