"""Orders that members put on chain themselves, which the operator cannot settle a slot without."""

from dataclasses import dataclass

from ledger.abi import Event
from ledger.batches import unpack_fill
from ledger.chain import ChainError
from ledger.deployment import Contracts
from ledger.eip712 import Domain, SignedOrder, order_signer

_FIRST_SEARCH_BLOCKS = 1_024


class PostedOrderError(ChainError):
    """The chain says that an order was posted, and does not show one that its account signed."""

    code = "chain.posted_order"


@dataclass(frozen=True, slots=True)
class PostedOrder:
    """An order that its account put on chain, and when: the timestamp of its block."""

    signed: SignedOrder
    posted_at: int


def read_posted(contracts: Contracts, market: bytes, slot: int) -> list[PostedOrder]:
    """The orders that were posted for a slot, in their order on chain.

    Once a block of gate closure or later is mined, no more can come.

    Raises:
        PostedOrderError: an order that the contract lists is not in its events, or not its account's.
    """
    if not contracts.exchange.read("slot_of", market, slot)["posted"]:
        return []
    listed = [entry["digest"] for entry in contracts.escrow.read("posted_orders", market, slot)]
    events = {event.arguments["digest"]: event for event in _events(contracts, market, slot, len(listed))}
    missing = [digest for digest in listed if digest not in events]
    if missing:
        raise PostedOrderError(f"posted order 0x{missing[0].hex()} of slot {slot} is in no event")
    return [_checked(contracts, market, slot, events[digest]) for digest in listed]


def _events(contracts: Contracts, market: bytes, slot: int, wanted: int) -> list[Event]:
    """Events of the latest blocks, of ever more of them until there are as many as wanted."""
    escrow, found = contracts.escrow, list[Event]()
    last, span = escrow.chain.head().number, _FIRST_SEARCH_BLOCKS
    while last >= 0 and len(found) < wanted:
        first = max(last - span + 1, 0)
        topics = [market, slot.to_bytes(32, "big")]
        found += escrow.events(["OrderPosted"], first_block=first, last_block=last, topics=topics)
        last, span = first - 1, 2 * span
    return found


def _checked(contracts: Contracts, market: bytes, slot: int, event: Event) -> PostedOrder:
    chain, arguments = contracts.exchange.chain, event.arguments
    signed = unpack_fill(
        Domain(chain.chain_id, contracts.exchange.address), market, slot, arguments["order"]
    ).signed
    if signed.hash != arguments["digest"] or order_signer(signed) != signed.order.account:
        raise PostedOrderError(f"posted order 0x{arguments['digest'].hex()} is not one that its account signed")
    block = chain.block(event.log.block_number)
    if block is None:
        raise PostedOrderError(f"block {event.log.block_number}, of a posted order, is no longer there")
    return PostedOrder(signed, block.timestamp)
