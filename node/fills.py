"""What the store holds of a slot's clearing, as the ledger takes it."""

from ledger.batches import FilledOrder
from ledger.trades import Trade
from node.store import Store


def fills_of(store: Store, slot: int) -> dict[bytes, FilledOrder]:
    """The slot's filled orders by hash, as they settle."""
    return {
        order.signed.hash: FilledOrder(order.signed, order.fill_wh, order.amount_nano, is_posted=order.posted)
        for order in store.orders_to_clear(slot)
        if order.fill_wh > 0
    }


def trades_of(store: Store, slot: int) -> list[Trade]:
    """The slot's trades, by number."""
    fills = fills_of(store, slot)
    records = sorted(store.trades(slot=slot), key=lambda record: record.number)
    return [
        Trade(record.number, fills[record.seller_order], fills[record.buyer_order], record.quantity_wh)
        for record in records
    ]
