"""What the store keeps, as values. Addresses, hashes and signatures are raw bytes; energy is in Wh."""

from dataclasses import dataclass

from ledger.devices import Device
from ledger.eip712 import SignedOrder
from ledger.evidence.evidence import Evidence, Register
from ledger.evidence.keys import MeterKey, MeterKeys
from ledger.evidence.tree import DAY_S
from ledger.metered import GIVING
from matching.orders import MAX_TIME
from node.states import OrderStatus, SlotState

__all__ = [
    "CertificateMoveRecord",
    "CertifiedSlot",
    "ConsumptionRecord",
    "DeviceRecord",
    "IssuanceRecord",
    "MatchRecord",
    "MemberRecord",
    "OrderRecord",
    "OrderStatus",
    "PrivateText",
    "ReadingRecord",
    "SentRecord",
    "SlotRecord",
    "SlotState",
    "StatementRecord",
    "TradeRecord",
]


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
        details: as it is registered on chain, with its first key's hash.
        keys: its meter's keys over time, in full, of which the chain keeps only hashes.
        metering_point: the metering point's id, of which the chain keeps only the hash.
        register: the register that counts it, if its meter speaks OCMF.
        first_slot: the first slot whose delivery waits for its reading, Unix seconds UTC.
        closed_day: the Unix day from which on it is closed; None while it is open.
        name: free text.
    """

    details: Device
    keys: MeterKeys
    metering_point: str
    register: Register | None = None
    first_slot: int = 0
    closed_day: int | None = None
    name: str = ""

    @property
    def device(self) -> int:
        """Its number."""
        return self.details.device

    @property
    def account(self) -> bytes:
        """The member who owns it."""
        return self.details.owner

    @property
    def technology(self) -> int:
        """The digits of its EECS technology code; 0 for what generates nothing."""
        return self.details.technology

    @property
    def generates(self) -> bool:
        """Whether its meter counts what it gives, rather than what it takes."""
        return self.details.kind in GIVING

    def is_metered(self, slot: int) -> bool:
        """Whether the slot's delivery needs a reading of it."""
        return self.first_slot <= slot and (self.closed_day is None or slot // DAY_S < self.closed_day)

    def is_signed_by(self, key: MeterKey, from_slot: int) -> bool:
        """Whether this key is valid for its meter in any slot from that one on."""
        closed_at = MAX_TIME + 1 if self.closed_day is None else self.closed_day * DAY_S
        ends = [*(start for start, _ in self.keys.spans[1:]), closed_at]
        return any(
            valid == key and min(end, closed_at) > from_slot
            for (_, valid), end in zip(self.keys.spans, ends, strict=True)
        )


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """Checked evidence of what a device metered in a slot.

    Attributes:
        evidence: the energy, and what it rests on.
        received_at: when it came, Unix seconds UTC.
        revision: 0 for what the slot was delivered with, one more for each correction.
    """

    evidence: Evidence
    received_at: int
    revision: int = 0

    @property
    def energy_wh(self) -> int:
        """What was metered, Wh."""
        return self.evidence.energy_wh


@dataclass(frozen=True, slots=True)
class IssuanceRecord:
    """What a device gave in a slot, Wh, and what of it its certificates were issued for."""

    slot: int
    device: int
    amount_wh: int
    certified_wh: int


@dataclass(frozen=True, slots=True)
class ConsumptionRecord:
    """What a device took in a slot, Wh, as it was put on chain for certificates to be claimed against."""

    slot: int
    device: int
    amount_wh: int


@dataclass(frozen=True, slots=True)
class CertificateMoveRecord:
    """Certificates of a device that went to an account in their slot's certification."""

    slot: int
    number: int
    device: int
    account: bytes
    amount_wh: int


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """Certificates of a device that were retired against what the device `consumption` took, or stored by it."""

    slot: int
    number: int
    device: int
    consumption: int
    amount_wh: int


@dataclass(frozen=True, slots=True)
class CertifiedSlot:
    """What a slot's certification put on chain, in its order there."""

    issuances: tuple[IssuanceRecord, ...] = ()
    consumptions: tuple[ConsumptionRecord, ...] = ()
    moves: tuple[CertificateMoveRecord, ...] = ()
    matches: tuple[MatchRecord, ...] = ()


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


@dataclass(frozen=True, slots=True)
class PrivateText:
    """What a retirement was for, in words that are not for everybody; the chain has only the salted hash."""

    hash: bytes
    account: bytes
    text: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A signed statement: its digest, and the compact JWS; numbered in the order in which they were made."""

    digest: bytes
    number: int
    jws: str
    made_at: int
