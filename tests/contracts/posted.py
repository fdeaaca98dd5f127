"""Orders that members put on chain themselves, for the tests of them."""

from dataclasses import replace

from ledger.batches import FilledOrder, posted_words
from ledger.chain import Receipt
from ledger.eip712 import SignedOrder
from ledger.keys import Key
from matching.orders import Side
from tests.contracts.fills import ESCROW, filled
from tests.world import SLOT, TARIFF, TERMS, World

DEADLINE = SLOT + TERMS.settle_within_s


def post(
    world: World, signed: SignedOrder, who: str | Key | None = None, words: dict[str, int] | None = None
) -> Receipt:
    """Put an order on chain as its owner, or as somebody else, or with some words changed."""
    owner = next((key for key in world.members if key.address == signed.order.account), "deployer")
    order = posted_words(signed) | (words or {})
    return world.act(who or owner, "post_order", world.market, signed.order.slot, order)


def posted(signed: SignedOrder, fill_wh: int | None = None) -> FilledOrder:
    return replace(filled(signed, fill_wh), is_posted=True)


def cover(signed: SignedOrder) -> int:
    """What a posted order may cost: at its limit, or to make up for it at the retail price."""
    order = signed.order
    price = order.price if order.side is Side.BID else max(TARIFF.retail_price - order.price, 0)
    return price * order.quantity_wh


def changes(world: World) -> list[int]:
    return [world.balance(key.address) - ESCROW for key in world.members]


def set_aside(world: World) -> int:
    """Credits that the escrow holds and no account has."""
    accounts = [*world.members, world.keys["utility"]]
    held: int = world.contracts.credit.read("balanceOf", world.contracts.escrow.address)
    return held - sum(world.balance(key.address) for key in accounts)
