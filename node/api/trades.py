"""`/v1/trades`: who sold how much to whom, and for how much."""

from fastapi import APIRouter
from pydantic import BaseModel

from node.api.fields import Address, Hash, Nano
from node.api.onchain import OnChain, on_chain
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts

router = APIRouter(prefix="/trades", tags=["trades"])


class TradeOut(BaseModel):
    """A trade; `settlement` is null until its slot is settled. The buyer's grid fee comes on top of the amount."""

    slot: int
    number: int
    seller: Address
    buyer: Address
    seller_order: Hash
    buyer_order: Hash
    quantity_wh: int
    price: int
    amount: Nano
    settlement: OnChain | None


@router.get("")
def list_trades(
    parts: Parts,
    *,
    slot: int | None = None,
    account: Address | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TradeOut]:
    """Trades, the latest slot's first; `account` selects what it sold and what it bought."""
    rows = parts.store.trades(slot=slot, account=account, after=numbers(cursor), limit=limit + 1)
    page, following = cut(rows, limit, lambda trade: (trade.slot, trade.number))
    orders = parts.store.orders_by_hash(
        {side for trade in page for side in (trade.seller_order, trade.buyer_order)}
    )
    confirmed = parts.store.confirmed({trade.slot for trade in page})
    items = [
        TradeOut(
            slot=trade.slot,
            number=trade.number,
            seller=orders[trade.seller_order].signed.order.account,
            buyer=orders[trade.buyer_order].signed.order.account,
            seller_order=trade.seller_order,
            buyer_order=trade.buyer_order,
            quantity_wh=trade.quantity_wh,
            price=trade.price,
            amount=trade.price * trade.quantity_wh,
            settlement=on_chain(confirmed.get((trade.slot, "settle"))),
        )
        for trade in page
    ]
    return Page(items=items, next=following)
