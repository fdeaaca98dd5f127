"""`/v1/trades`: who sold how much to whom."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from node.api.caching import LASTING_RESPONSES, IfNoneMatch, is_slot_final, lasting
from node.api.fields import Address, Hash, Nano, Slot
from node.api.onchain import OnChain, on_chain
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts
from node.api.tables import BATCH_ROWS, TABLE_RESPONSES, AskedForm, Column, Form, Table, batches, streamed, text
from node.store.records import TradeRecord

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


_TABLE: Table[TradeOut] = Table(
    "trades",
    (
        Column("slot_unix_s", lambda trade: trade.slot),
        Column("number", lambda trade: trade.number),
        text("seller", lambda trade: f"0x{trade.seller.hex()}"),
        text("buyer", lambda trade: f"0x{trade.buyer.hex()}"),
        text("seller_order", lambda trade: f"0x{trade.seller_order.hex()}"),
        text("buyer_order", lambda trade: f"0x{trade.buyer_order.hex()}"),
        Column("quantity_wh", lambda trade: trade.quantity_wh),
        Column("price_nano_per_wh", lambda trade: trade.price),
        Column("amount_nano", lambda trade: trade.amount),
        Column("settled_block", lambda trade: None if trade.settlement is None else trade.settlement.block),
        text(
            "settled_transaction",
            lambda trade: None if trade.settlement is None else f"0x{trade.settlement.transaction.hex()}",
        ),
    ),
)


@router.get("", response_model=Page[TradeOut], responses=TABLE_RESPONSES | LASTING_RESPONSES)
def list_trades(
    parts: Parts,
    request: Request,
    *,
    slot: Slot | None = None,
    account: Address | None = None,
    first_slot: Slot | None = None,
    last_slot: Slot | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Trades, the latest slot's first; `account` selects what it sold and what it bought.

    Those of one `slot` that is certified for good come with an `ETag`.
    """

    def fetch(after: tuple[int, int] | None, count: int) -> list[TradeRecord]:
        return parts.store.trades(
            slot=slot, account=account, first_slot=first_slot, last_slot=last_slot, after=after, limit=count
        )

    if form is not Form.JSON:
        found = batches(lambda after: fetch(after, BATCH_ROWS), _place)
        return streamed(_TABLE, form, (_shown(parts, rows) for rows in found))
    is_final = slot is not None and is_slot_final(parts, slot)
    page, following = cut(fetch(numbers(cursor), limit + 1), limit, _place)
    return lasting(request, Page[TradeOut](items=_shown(parts, page), next=following), is_final=is_final)


def _place(trade: TradeRecord) -> tuple[int, int]:
    return trade.slot, trade.number


def _shown(parts: Parts, trades: Sequence[TradeRecord]) -> list[TradeOut]:
    orders = parts.store.orders_by_hash(
        {side for trade in trades for side in (trade.seller_order, trade.buyer_order)}
    )
    confirmed = parts.store.confirmed({trade.slot for trade in trades})
    return [
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
        for trade in trades
    ]
