"""Requests' bodies, as clients send them."""

from typing import Any

from ledger.eip712 import SignedOrder


def body_of(signed: SignedOrder) -> dict[str, Any]:
    """An order to post."""
    content = signed.order
    return {
        "account": "0x" + content.account.hex(),
        "market": "0x" + content.market.hex(),
        "slot": content.slot,
        "side": content.side.name.lower(),
        "price": content.price,
        "quantity_wh": content.quantity_wh,
        "certificates": content.certificates.name.lower(),
        "epoch": content.epoch,
        "expires_at": content.expires_at,
        "salt": str(content.salt),
        "signature": "0x" + signed.signature.hex(),
    }
