"""Clears a proposed slot again from its orders and the chain, and finds out what a validator may sign.

Nothing that the node says is taken on trust: every order's signature and the committed book bind the order set,
posted orders come from the chain, receipts bind the order of arrival, and an order is left out only for a reason
that the chain bears out. What is signed in the end is the validator's own result.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ledger import merkle
from ledger.batches import FilledOrder
from ledger.deployment import Contracts
from ledger.eip712 import Domain, Receipt, order_hash, order_signer, receipt_hash
from ledger.keys import InvalidSignatureError, recover
from ledger.market import Market
from ledger.posted import read_posted
from ledger.settlement import NO_BOOK, SlotPhase, approval_hash
from ledger.validators import may_have_taken
from matching.errors import WattbookError
from node.design import Design
from node.store.records import OrderRecord
from node.validating.errors import RefusalError, require
from node.validating.proposal import StatedOrder, StatedProposal
from node.validating.rejections import check_rejections
from node.wishes import decoded


def digest_to_sign(contracts: Contracts, market: Market, design: Design, proposal: StatedProposal) -> bytes:
    """The hash of the one settlement of the slot that is right, which is also the proposed one.

    Args:
        contracts: the exchange's, on the validator's own endpoint.
        market: the market's terms, from there.
        design: how the market clears; its devices from there, too.
        proposal: what the node says.

    Raises:
        RefusalError: the proposed settlement is not right, or not now.
        ChainUnavailableError: the chain is out of reach.
    """
    slot = proposal.slot
    book = _check_slot(contracts, market, slot)
    domain = Domain(contracts.exchange.chain.chain_id, contracts.exchange.address)
    _check_orders(contracts, domain, market, proposal)
    records = [stated.record for stated in proposal.orders]
    in_book = [stated.record.signed.hash for stated in proposal.orders if stated.in_book]
    found = merkle.commitment(merkle.root(in_book), len(in_book))
    require(found == book, "book", f"these {len(in_book)} orders are not the book that is committed on chain")
    _check_posted(contracts, market, slot, proposal.orders)
    _check_arrivals(proposal.orders)
    check_rejections(contracts, market, slot, records)
    price, fills = _cleared(design, records)
    _compare(records, fills)
    require(price == proposal.price, "price", f"price is {proposal.price}: must be {price}")
    digest = approval_hash(domain, market=market.id, slot=slot, book=book, price=price, fills=fills)
    require(digest == proposal.digest, "digest", f"0x{proposal.digest.hex()} is not the hash of this settlement")
    return digest


def _check_slot(contracts: Contracts, market: Market, slot: int) -> bytes:
    """Whether the slot can be settled now; its committed book."""
    exchange = contracts.exchange
    require(market.is_aligned(slot), "slot", f"no slot begins at {slot}")
    book: bytes = exchange.read("books", market.id, slot)
    require(book != NO_BOOK, "slot", f"slot {slot} has no committed book")
    phase = exchange.read("slot_of", market.id, slot)["state"]
    require(phase in (SlotPhase.OPEN, SlotPhase.PARTIAL), "slot", f"slot {slot} is closed on chain")
    require(not contracts.markets.read("is_frozen", market.id), "frozen", "the market is frozen")
    now, latest = exchange.chain.head().timestamp, market.void_after(slot)
    require(now <= latest, "late", f"slot {slot} had to be settled by {latest}: it is {now}")
    return book


def _check_orders(contracts: Contracts, domain: Domain, market: Market, proposal: StatedProposal) -> None:
    hashes = [stated.record.signed.hash for stated in proposal.orders]
    ascending = all(first < second for first, second in pairwise(hashes))
    require(ascending, "order", "orders are not in ascending order of their hashes, each once")
    operators: dict[bytes, bool] = {market.operator: True}
    for stated in proposal.orders:
        record, order = stated.record, stated.record.signed.order
        name = f"order 0x{record.signed.hash.hex()}"
        is_here = (order.market, order.slot) == (market.id, proposal.slot)
        require(is_here, "order", f"{name} is for another market or slot")
        require(order_hash(domain, order) == record.signed.hash, "order", f"{name} has another hash")
        require(_signer(record) == order.account, "signature", f"{name} is not signed by its account")
        if record.wishes is not None:
            _check_wishes(record, name)
        if record.receipt_signature is not None:
            signer = _receipt_signer(domain, record)
            if signer not in operators:
                operators[signer] = may_have_taken(contracts, market.id, signer, proposal.slot)
            require(operators[signer], "receipt", f"the receipt of {name} is not signed by the operator")


def _signer(record: OrderRecord) -> bytes:
    try:
        return order_signer(record.signed)
    except InvalidSignatureError:
        return b""


def _receipt_signer(domain: Domain, record: OrderRecord) -> bytes:
    order, signature = record.signed.order, record.receipt_signature or b""
    receipt = Receipt(record.signed.hash, order.market, order.slot, record.index, record.received_at)
    try:
        return recover(receipt_hash(domain, receipt), signature)
    except (InvalidSignatureError, OverflowError) as error:
        raise RefusalError("receipt", f"the receipt of order 0x{record.signed.hash.hex()}: {error}") from error


def _check_wishes(record: OrderRecord, name: str) -> None:
    try:
        salt = decoded(record.wishes or "").salt
    except WattbookError as error:
        raise RefusalError("wishes", f"{name}: {error}") from error
    require(salt == record.signed.order.salt, "wishes", f"{name} was signed with other wishes")


def _check_posted(contracts: Contracts, market: Market, slot: int, orders: Iterable[StatedOrder]) -> None:
    """Whether exactly the orders that are posted on chain are said to be, and those without a receipt last."""
    on_chain = [posted.signed.hash for posted in read_posted(contracts, market.id, slot)]
    stated = {each.record.signed.hash: each.record for each in orders if each.record.posted}
    for digest in sorted(stated.keys() ^ set(on_chain)):
        raise RefusalError(
            "posted", f"order 0x{digest.hex()} is posted as only one side says: the node or the chain"
        )
    arrivals = [stated[digest].index for digest in on_chain if stated[digest].receipt_signature is None]
    require(arrivals == sorted(arrivals), "posted", "posted orders are not in their order on chain")


def _check_arrivals(orders: Sequence[StatedOrder]) -> None:
    """Whether each order has a place of its own: the operator's receipt gives it, or else it comes last."""
    placed = [each.record.index for each in orders if each.record.receipt_signature is not None]
    only_posted = [each.record.index for each in orders if each.record.receipt_signature is None]
    indices = [*placed, *only_posted]
    require(len(set(indices)) == len(indices), "arrival", "two orders are said to have come at the same place")
    are_last = not placed or not only_posted or max(placed) < min(only_posted)
    require(are_last, "arrival", "an order without a receipt is said to have come before one with it")
    for each in orders:
        is_known = each.record.receipt_signature is not None if each.in_book else each.record.posted
        name = f"order 0x{each.record.signed.hash.hex()}"
        require(is_known, "receipt", f"{name} is neither posted nor in the book with a receipt")


def _cleared(design: Design, records: Sequence[OrderRecord]) -> tuple[int, tuple[FilledOrder, ...]]:
    accepted = [record for record in records if record.reason is None]
    try:
        cleared = design.clear(accepted)
        return design.settlement_price(cleared.price, accepted), cleared.fills
    except WattbookError as error:
        raise RefusalError("clearing", f"these orders cannot be cleared: {error}") from error


def _compare(records: Sequence[OrderRecord], fills: Iterable[FilledOrder]) -> None:
    expected: dict[bytes, tuple[int, int]] = defaultdict(lambda: (0, 0))
    expected |= {fill.signed.hash: (fill.fill_wh, fill.amount_nano) for fill in fills}
    for record in records:
        found, right = (record.fill_wh, record.amount_nano), expected[record.signed.hash]
        require(
            found == right,
            "fill",
            f"order 0x{record.signed.hash.hex()} is filled {found[0]} Wh for {found[1]}: "
            f"must be {right[0]} Wh for {right[1]}",
        )
