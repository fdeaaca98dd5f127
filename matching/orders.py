"""What a member may ask of a slot: a bid or an offer."""

from dataclasses import dataclass
from enum import IntEnum

from matching.errors import WattbookError

ACCOUNT_BYTES = 20
MARKET_BYTES = 32

MAX_PRICE = 2**32 - 1
"""Highest limit price, nano-credit per Wh (about 4,295 EUR/kWh). With `MAX_QUANTITY_WH` it keeps
price x quantity below 2**63, so that one order's money always fits a signed 64-bit integer."""

MAX_QUANTITY_WH = 2**31 - 1
"""Largest order, Wh (about 2.1 GWh): a position is kept on chain as a signed 32-bit integer."""

MAX_EPOCH = 2**32 - 1
MAX_SALT = 2**64 - 1
MAX_TIME = 2**40 - 1
"""Latest Unix second an order may name: the year 36812."""


class Side(IntEnum):
    """Which way the energy goes: a bid buys, an offer sells."""

    BID = 0
    OFFER = 1


class CertificatePreference(IntEnum):
    """What happens to the certificates of the energy an order trades.

    They follow a trade only if neither side says UNBUNDLED; then the buyer holds them (BUNDLED) or they are
    retired at once against the buyer's metered consumption (AUTO_RETIRE).
    """

    UNBUNDLED = 0
    BUNDLED = 1
    AUTO_RETIRE = 2


class InvalidOrderError(WattbookError):
    """An order's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "order.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"order field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Order:
    """One member's bid or offer for one slot.

    Attributes:
        account: the member's 20-byte address.
        market: the market's 32-byte id.
        slot: start of the delivery period, Unix seconds UTC.
        side: bid or offer.
        price: limit price, nano-credit per Wh, grid fee excluded: the most a bid pays, the least an offer takes.
        quantity_wh: the most it trades, Wh.
        certificates: what happens to the certificates of the traded energy.
        epoch: the account's epoch when it signed; raising the epoch on chain cancels all earlier orders.
        expires_at: last Unix second at which the order may settle.
        salt: any number; makes two otherwise equal orders two orders.

    Raises:
        InvalidOrderError: a field is outside its limits.
    """

    account: bytes
    market: bytes
    slot: int
    side: Side
    price: int
    quantity_wh: int
    certificates: CertificatePreference = CertificatePreference.AUTO_RETIRE
    epoch: int = 0
    expires_at: int = MAX_TIME
    salt: int = 0

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        _check_bytes("account", self.account, ACCOUNT_BYTES)
        _check_bytes("market", self.market, MARKET_BYTES)
        _check_range("slot", self.slot, 0, MAX_TIME)
        _check_range("price", self.price, 0, MAX_PRICE)
        _check_range("quantity_wh", self.quantity_wh, 1, MAX_QUANTITY_WH)
        _check_range("epoch", self.epoch, 0, MAX_EPOCH)
        _check_range("expires_at", self.expires_at, 0, MAX_TIME)
        _check_range("salt", self.salt, 0, MAX_SALT)
        if not isinstance(self.side, Side):
            raise InvalidOrderError("side", self.side, "must be a Side")
        if not isinstance(self.certificates, CertificatePreference):
            raise InvalidOrderError("certificates", self.certificates, "must be a CertificatePreference")


def _check_bytes(field: str, value: object, length: int) -> None:
    if not isinstance(value, bytes) or len(value) != length:
        raise InvalidOrderError(field, value, f"must be {length} bytes")


def _check_range(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidOrderError(field, value, "must be an integer")
    if not low <= value <= high:
        raise InvalidOrderError(field, value, f"must be between {low} and {high}")
