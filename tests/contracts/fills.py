"""Filled orders, for the tests of settlements."""

from ledger.batches import FilledOrder
from ledger.eip712 import SignedOrder
from tests.world import ONE_CREDIT, SLOT, World

PRICE = 150_000
ESCROW = 1_000 * ONE_CREDIT


def filled(signed: SignedOrder, fill_wh: int | None = None) -> FilledOrder:
    return FilledOrder(signed, signed.order.quantity_wh if fill_wh is None else fill_wh)


def pair(world: World, quantity_wh: int = 100, *, slot: int = SLOT) -> list[FilledOrder]:
    """Member 0 buys from member 1."""
    return [
        filled(world.bid(0, quantity_wh, PRICE, slot=slot)),
        filled(world.offer(1, quantity_wh, PRICE, slot=slot)),
    ]


def position(world: World, member: int, slot: int = SLOT) -> int:
    wh: int = world.read("position_of", world.members[member].address, slot)
    return wh
