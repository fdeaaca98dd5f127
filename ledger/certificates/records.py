"""What a history keeps of certificates, devices and requests: values that the events of the chain add up to."""

from collections import Counter
from dataclasses import dataclass, field

from ledger.certificates.claims import Claim, Topic, claim_of, consumption_of
from ledger.certificates.ids import CertificateId
from ledger.certificates.issuer import Import
from ledger.certificates.occurrences import Point
from ledger.certificates.selection import Part
from ledger.devices import Device, DeviceKey


@dataclass(frozen=True, slots=True)
class Transfer:
    """Certificates that one account gave to another."""

    sender: bytes
    receiver: bytes
    amount_wh: int
    point: Point


@dataclass(frozen=True, slots=True)
class Retirement:
    """Certificates that were used up.

    Attributes:
        holder: who held them.
        subject: whose claim it is.
        data: what the event says of it; see `claim` and `consumption`.
    """

    id: CertificateId
    holder: bytes
    subject: bytes
    topic: Topic
    amount_wh: int
    data: bytes
    point: Point

    @property
    def claim(self) -> Claim | None:
        """What its holder retired it for; None if it was matched, stored or exported."""
        return claim_of(self.data, self.subject) if self.topic is Topic.RETIRED else None

    @property
    def consumption(self) -> CertificateId | None:
        """The consumption that it was matched with, or that charged a storage with it; else None."""
        if self.topic in (Topic.RETIRED, Topic.EXPORTED):
            return None
        return CertificateId.of(consumption_of(self.data))


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When a certificate was found wrong, what of it was not retired, and why it was withdrawn."""

    frozen_wh: int
    reason: str
    point: Point


@dataclass(frozen=True, slots=True)
class Source:
    """A part of what a storage gave: the certificate of what had charged it, None if it had none; in µWh."""

    id: CertificateId | None
    output_uwh: int


@dataclass(frozen=True, slots=True)
class Correction:
    """How a revision came about.

    Attributes:
        corrected_wh: what should have been issued in the first place.
        shortfall_wh: what had been retired beyond that, which the device owes from now on.
    """

    corrected_wh: int
    shortfall_wh: int


@dataclass(slots=True)
class Record:
    """One certificate, as it is at the history's last block.

    Attributes:
        owner: its device's owner, or who it was imported for: got all of it first.
        issued_wh: what was issued, after the device paid what it owed.
        paid_wh: what it paid of this one.
        issued: where and when.
        held: what each account holds, Wh; it may transfer or retire that unless it is withdrawn or expired. Of
            consumption: what no certificate is claimed against yet.
        claimed: what was used up in each account's name, Wh.
        retirements: what it was used up for.
        matches: of consumption, the retirements of certificates that it was matched with.
        transfers: in their order.
        withdrawal: None unless it was withdrawn.
        correction: of a revision, how it came about.
        metered_wh: of a storage's discharge, all that it gave, of which only the part with an origin is certified.
        sources: of a storage's discharge, what that consists of.
        imported: of an imported certificate, where it comes from.
    """

    id: CertificateId
    owner: bytes
    issued_wh: int
    issued: Point
    held: Counter[bytes] = field(default_factory=Counter)
    claimed: Counter[bytes] = field(default_factory=Counter)
    retirements: tuple[Retirement, ...] = ()
    matches: tuple[Retirement, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    withdrawal: Withdrawal | None = None
    correction: Correction | None = None
    metered_wh: int | None = None
    sources: tuple[Source, ...] = ()
    imported: Import | None = None
    paid_wh: int = 0

    @property
    def retired_wh(self) -> int:
        """What was used up in all accounts' names."""
        return self.claimed.total()

    def expires_at(self, lifetime_s: int) -> int:
        """The first Unix second at which it can no longer be transferred or retired."""
        return self.id.slot + lifetime_s


@dataclass(slots=True)
class RegisteredDevice:
    """A device on chain: its meter's keys, one after another, and from which Unix day on it is closed, or None."""

    device: Device
    registered: Point
    keys: list[DeviceKey]
    closed_day: int | None = None

    def key_at(self, slot: int) -> DeviceKey | None:
        """The key that signs for a slot; None if none does."""
        begun = [key for key in self.keys if key.from_slot <= slot]
        return begun[-1] if begun and begun[-1].is_valid else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the issuer decided of a request."""

    approved: bool
    reason: str
    point: Point


@dataclass(slots=True)
class Request:
    """What an owner asked to be certified, and what became of it; `evidence` is the hash of what shows it."""

    number: int
    device: int
    first_slot: int
    last_slot: int
    evidence: bytes
    made: Point
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class AnchoredDay:
    """What a device's evidence of a day is anchored to; `revision` counts corrections from 0."""

    device: int
    day: int
    revision: int
    root: bytes
    leaves: int
    point: Point


@dataclass(frozen=True, slots=True)
class CommittedDay:
    """A market's day that certificates are minted from."""

    market: bytes
    day: int
    root: bytes
    leaves: int
    total_wh: int
    point: Point


@dataclass(frozen=True, slots=True)
class Exported:
    """Certificates that another registry certifies from here on, under its serial number."""

    holder: bytes
    registry: str
    serial: str
    parts: tuple[Part, ...]
    point: Point
