"""Slots settled in chunks, for the tests of settlements: chunk by chunk, void, and unwound."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec

from ledger.batches import FilledOrder, settle_calldata, unwind_calldata
from ledger.chain import CallRevertedError, Receipt
from ledger.deployment import transact
from ledger.eip712 import SignedOrder
from ledger.keys import Key
from tests.contracts.fills import PRICE, filled
from tests.world import SLOT, TERMS, World

P = ParamSpec("P")
Fills = list[FilledOrder]
LAST_SECOND = SLOT + TERMS.settle_within_s
PARTIAL, UNWINDING = 4, 5


def split(fills: Sequence[FilledOrder], *sizes: int) -> list[Fills]:
    """Chunks of these sizes, and one of what remains; the digests ascend from the first to the last."""
    rest = sorted(fills, key=lambda fill: fill.signed.hash)
    chunks = []
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    return [chunk for chunk in (*chunks, rest) if chunk]


def settle_chunk(
    world: World,
    fills: Sequence[FilledOrder],
    *,
    more: bool = True,
    price: int = PRICE,
    slot: int = SLOT,
    approvals: Sequence[bytes] = (),
) -> Receipt:
    """Settle exactly these fills, in this order."""
    selector = world.exchange.interface.selector("settle")
    data = settle_calldata(selector, world.market, slot, price, fills, more=more, approvals=approvals)
    return transact(world.exchange, world.keys["operator"], data)


def settle_chunks(
    world: World, chunks: Sequence[Fills], *, more: bool = True, price: int = PRICE, slot: int = SLOT
) -> None:
    """Settle these chunks; unless there are `more`, the last of them finishes the slot."""
    for place, fills in enumerate(chunks):
        settle_chunk(world, fills, more=more or place + 1 < len(chunks), price=price, slot=slot)


def run_by(world: World, operator: Key) -> World:
    """The same world as somebody else would run it."""
    return replace(world, keys=world.keys | {"operator": operator})


def void_late(world: World, slot: int = SLOT) -> Receipt:
    """Void a slot as soon as that can be done."""
    world.time.now = max(world.time.now, slot + TERMS.settle_within_s + 1)
    return world.act(world.strangers[0], "void", world.market, slot)


def unwind(world: World, fills: Sequence[FilledOrder], *, slot: int = SLOT, who: Key | None = None) -> Receipt:
    data = unwind_calldata(world.exchange.interface.selector("unwind"), world.market, slot, fills)
    return transact(world.exchange, who or world.strangers[0], data)


def reason_of(attempt: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> str | None:
    """Why the contract refuses an attempt, None if it does not; for where one cannot say beforehand."""
    try:
        attempt(*arguments, **named)
    except CallRevertedError as refusal:
        return refusal.reason
    return None


def ascending(*make: Callable[[], SignedOrder]) -> Fills:
    """Filled orders whose hashes ascend in this order; salts are tried until they do."""
    fills: Fills = []
    for each in make:
        signed = each()
        # The room that is left for those that follow halves each time, unless one is picky.
        share = 2**256 * (len(fills) + 1) // len(make)
        while int.from_bytes(signed.hash, "big") > share or (fills and signed.hash < fills[-1].signed.hash):
            signed = each()
        fills.append(filled(signed))
    return fills


def state(world: World, slot: int = SLOT) -> dict[str, int]:
    found: dict[str, int] = world.read("slot_of", world.market, slot)
    return found


def accounts(world: World) -> list[dict[str, int]]:
    """Every account of the market as far as a slot that came to nothing must not have changed it."""
    keys = [*world.members, world.keys["utility"]]
    found = [world.read("account_of", key.address) for key in keys]
    return [{name: value for name, value in each.items() if name != "latest_slot_index"} for each in found]
