"""What the store keeps, as values. Addresses, hashes and signatures are raw bytes; energy is in Wh."""

from dataclasses import dataclass
from enum import StrEnum

from ledger.eip712 import SignedOrder
from matching.readings import SignedReading


class OrderStatus(StrEnum):
    """Where an order is; `open` and `closed` are not final."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    FILLED = "filled"
    UNFILLED = "unfilled"
    REJECTED = "rejected"
    VOIDED = "voided"


class SlotState(StrEnum):
    """How far a slot is. It only moves down this list, and passes by `settled` or by `voided`, not both."""

    OPEN = "open"
    CLOSED = "closed"
    COMMITTED = "committed"
    CLEARED = "cleared"
    VOIDED = "voided"
    SETTLED = "settled"
    DELIVERED = "delivered"
    CERTIFIED = "certified"


class Technology(StrEnum):
    """What a device is."""

    LOAD = "load"
    SOLAR = "solar"


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as taken, as posted on chain, or both.

    Attributes:
        signed: the order, its hash and its owner's signature.
        index: position of arrival in its slot, from 0; orders that were only posted come after all others.
        received_at: when the node took it, or else when it was posted, Unix seconds UTC.
        receipt_signature: the operator's 65-byte signature of the receipt; None if it was only posted.
        status: where the order is.
        fill_wh: how much of it trades; final once the status is.
        amount_nano: what it pays or receives for that, nano-credits; 0 where one price holds for all fills.
        reason: why clearing rejected it; None unless it did.
        cancellation_signature: the owner's 65-byte signature of the cancellation; None unless cancelled. A
            cancelled order is not in the book, but trades all the same if it was posted.
        wishes: what it says about whom it trades with, as `node.wishes` encodes it; None if nothing.
        posted: whether its owner put it on chain.
    """

    signed: SignedOrder
    index: int
    received_at: int
    receipt_signature: bytes | None
    status: OrderStatus
    fill_wh: int = 0
    amount_nano: int = 0
    reason: str | None = None
    cancellation_signature: bytes | None = None
    wishes: str | None = None
    posted: bool = False

    @property
    def is_in_book(self) -> bool:
        """Whether it is one of those that the operator commits to, once its slot is closed."""
        return self.receipt_signature is not None and self.cancellation_signature is None


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot and its results so far.

    Attributes:
        slot: start of the delivery period, Unix seconds UTC.
        state: how far it is.
        book_root: Merkle root committed on chain; None before.
        book_size: number of committed orders; None before.
        price: the one price of its trades, nano-credit per Wh; None if nothing traded, or before clearing.
        bought_wh: energy traded, Wh; None before clearing, and if voided.
    """

    slot: int
    state: SlotState
    book_root: bytes | None = None
    book_size: int | None = None
    price: int | None = None
    bought_wh: int | None = None


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """One seller, one buyer, one quantity, one price (nano-credit per Wh); orders are named by their hashes."""

    slot: int
    number: int
    seller_order: bytes
    buyer_order: bytes
    quantity_wh: int
    price: int


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member: its account and the name the operator knows it by."""

    account: bytes
    name: str


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device and its meter.

    Attributes:
        device: its number, 0 to 2**64 - 1.
        account: the member who owns it.
        technology: whether it generates.
        nameplate_w: nominal power, W.
        meter_key: the meter's 32-byte Ed25519 public key.
        first_slot: the first slot whose delivery waits for its reading, Unix seconds UTC.
        name: free text.
    """

    device: int
    account: bytes
    technology: Technology
    nameplate_w: int
    meter_key: bytes
    first_slot: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """A verified meter reading and when it came, Unix seconds UTC."""

    signed: SignedReading
    received_at: int


@dataclass(frozen=True, slots=True)
class IssuanceRecord:
    """The certificates issued for a device's generation in a slot."""

    slot: int
    device: int
    amount_wh: int


@dataclass(frozen=True, slots=True)
class CertificateMoveRecord:
    """Certificates of a device's generation that went to an account, or were retired for it at once."""

    slot: int
    number: int
    device: int
    account: bytes
    amount_wh: int
    retired: bool


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A member's signed transaction that the node was asked to send.

    Attributes:
        hash: the transaction's hash.
        sender: who signed it.
        nonce: of the sender.
        to: the contract that it calls.
        raw: the signed bytes, to be sent any number of times.
        received_at: Unix seconds UTC.
    """

    hash: bytes
    sender: bytes
    nonce: int
    to: bytes
    raw: bytes
    received_at: int
