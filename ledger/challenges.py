"""Calldata for `contracts/challenges.vy`: what a member needs to challenge, and an operator to answer.

Everything is built from what either has anyway: receipts, signed orders, a slot's book, the chunks of fills.
"""

from collections.abc import Sequence

from ledger import merkle
from ledger.abi import Interface, interface
from ledger.batches import FilledOrder, fills_hash, posted_words, words_of
from ledger.eip712 import Receipt, SignedOrder
from matching.errors import WattbookError


class NoProofError(WattbookError):
    """What is to be proved does not follow from the book or the fills that were given."""

    code = "challenge.no_proof"


def challenge_missing_calldata(receipt: Receipt, signature: bytes) -> bytes:
    """Challenge a book that lacks an order the operator signed this receipt for (65-byte signature)."""
    fields = {"order": receipt.order_hash, "index": receipt.index, "received_at": receipt.received_at}
    return _interface().call("challenge_missing", receipt.market, receipt.slot, fields, _signature(signature))


def challenge_left_out_calldata(signed: SignedOrder, book: Sequence[bytes]) -> bytes:
    """Challenge a settlement that left out an order of the book (all its order hashes, ascending).

    Raises:
        NoProofError: the book does not hold the order.
    """
    order, place = signed.order, place_in_book(signed.hash, book)
    return _interface().call("challenge_left_out", order.market, order.slot, posted_words(signed), place)


def answer_in_book_calldata(number: int, order_hash: bytes, book: Sequence[bytes]) -> bytes:
    """Answer challenge `number`: the order is in the book.

    Raises:
        NoProofError: it is not.
    """
    return _interface().call("answer_in_book", number, place_in_book(order_hash, book))


def answer_cancelled_calldata(number: int, signed: SignedOrder, cancellation: bytes) -> bytes:
    """Answer challenge `number`: the order's account cancelled it, with this 65-byte signature."""
    return _interface().call("answer_cancelled", number, posted_words(signed), _signature(cancellation))


def answer_filled_calldata(number: int, order_hash: bytes, chunks: Sequence[Sequence[FilledOrder]]) -> bytes:
    """Answer challenge `number`: the order was filled in one of the chunks that the slot was settled in.

    Raises:
        NoProofError: it was filled in none of them.
    """
    before = bytes(32)
    for chunk, fills in enumerate(chunks):
        for place, fill in enumerate(fills):
            if fill.signed.hash == order_hash:
                links = [{"digest": each.signed.hash, "terms": words_of(each)["terms"]} for each in fills[place:]]
                start = fills_hash(fills[:place], before)
                return _interface().call("answer_filled", number, chunk, start, links)
        before = fills_hash(fills, before)
    raise NoProofError(f"order 0x{order_hash.hex()} is not among the fills of {len(chunks)} chunks")


def report_overdrawn_calldata(bids: Sequence[SignedOrder], book: Sequence[bytes]) -> bytes:
    """Report that one account's bids of a slot's book, in any order, come to more than its escrow.

    Raises:
        ValueError: there is none.
        NoProofError: the book does not hold one of them.
    """
    if not bids:
        raise ValueError("an account without bids cannot be overdrawn")
    order, ordered = bids[0].order, sorted(bids, key=lambda bid: bid.hash)
    places = _places_in_book([bid.hash for bid in ordered], book)
    words = [posted_words(bid) for bid in ordered]
    return _interface().call("report_overdrawn", order.market, order.slot, words, places)


def place_in_book(order_hash: bytes, book: Sequence[bytes]) -> dict[str, object]:
    """Where an order lies in a book, and the proof of it, as the contract takes it.

    Raises:
        NoProofError: the book does not hold the order.
    """
    return _places_in_book([order_hash], book)[0]


def _places_in_book(hashes: Sequence[bytes], book: Sequence[bytes]) -> list[dict[str, object]]:
    index_of = {order_hash: index for index, order_hash in enumerate(book)}
    for order_hash in hashes:
        if order_hash not in index_of:
            raise NoProofError(f"order 0x{order_hash.hex()} is not in the book of {len(book)} orders")
    indices, root = [index_of[order_hash] for order_hash in hashes], merkle.root(book)
    return [
        {"root": root, "size": len(book), "index": index, "path": path}
        for index, path in zip(indices, merkle.paths(book, indices), strict=True)
    ]


def _signature(signature: bytes) -> dict[str, int]:
    r, s = (int.from_bytes(signature[start : start + 32], "big") for start in (0, 32))
    return {"v": signature[64], "r": r, "s": s}


def _interface() -> Interface:
    return interface("challenges")
