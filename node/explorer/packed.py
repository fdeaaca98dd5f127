"""Arguments in which several values are packed into one word, taken apart by `ledger`.

ABIs say nothing of what is in a word, so this is the one place where the explorer knows some arguments by name. Of
words that hold no such thing, it says nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ledger.batches import unpack_fill, unpack_reading
from ledger.certificates.ids import CertificateId, CertificateIdError
from ledger.chain import ZERO_ADDRESS
from ledger.eip712 import Domain
from matching.orders import MARKET_BYTES, InvalidOrderError

_CERTIFICATES = frozenset({"id", "ids", "_id", "_ids", "consumption_id", "source", "sources"})
_ISSUING = ("certificates", "issuance")
_ORDER_WORDS = {"who", "terms"}
_SIGNATURE_WORDS = {"r", "s"}
# Neither the domain nor the market is in the words: they matter to the order's hash only, which nobody is told.
_DOMAIN = Domain(0, ZERO_ADDRESS)
_MARKET = bytes(MARKET_BYTES)


def unpacked_struct(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """The order in a struct of words, and how much of it was filled; None if it is another struct."""
    if value.keys() - _SIGNATURE_WORDS != _ORDER_WORDS:
        return None
    try:
        filled = unpack_fill(_DOMAIN, _MARKET, 0, {"r": 0, "s": 0, **value})
    except (InvalidOrderError, ValueError):
        return None
    order = filled.signed.order
    return {
        "account": order.account,
        "side": order.side.name.lower(),
        "price": order.price,
        "quantity_wh": order.quantity_wh,
        "fill_wh": filled.fill_wh,
        "amount_nano": filled.amount_nano,
        "certificates": order.certificates.name.lower().replace("_", " "),
        "epoch": order.epoch,
        "expires_at": order.expires_at,
        "salt": order.salt,
        "is_posted": filled.is_posted,
    }


def unpacked_word(contract: str, name: str, value: int) -> dict[str, Any] | None:
    """The readings of a member in a word of a delivery; None if it is another number."""
    return asdict(unpack_reading(value)) if (contract, name) == ("exchange", "readings") else None


def certificate_of(contract: str, name: str, value: int) -> CertificateId | None:
    """The certificate that a token id names; None if it is another number."""
    if contract not in _ISSUING or name not in _CERTIFICATES:
        return None
    try:
        return CertificateId.of(value)
    except CertificateIdError:
        return None
