"""`/v1/orders/{order_hash}/receipt`: the operator's signed word that it took an order."""

from fastapi import APIRouter

from node.api.fields import Hash
from node.api.orders import ReceiptOut, receipt_out
from node.api.services import Parts
from node.store.errors import UnknownOrderError

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("/{order_hash}/receipt")
def read_receipt(order_hash: Hash, parts: Parts) -> ReceiptOut:
    """An order's receipt; orders that were only posted on chain have none."""
    record = parts.store.order(order_hash)
    receipt = None if record is None else receipt_out(parts, record)
    if receipt is None:
        raise UnknownOrderError(f"no order 0x{order_hash.hex()} was placed here")
    return receipt
