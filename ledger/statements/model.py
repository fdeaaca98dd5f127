"""What a statement says: a retirement statement, or a month's disclosure; values only.

Energy in Wh, power in W, time in Unix seconds UTC, emissions in mg CO2, coordinates in hundredths of a degree.
Everything follows from the chain up to one block and from what the scope asks for, and nothing else is in it: no
clock of the maker, no remarks. `docs/statements.md` maps the fields to those of EN 16325, EECS and EnergyTag.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.statements.errors import InvalidStatementError
from ledger.statements.times import zone_of

FORMAT = "wattbook.statement/2"
"""Of the fields and what they mean. Format 1 counted what was retired by hand as cover of consumption."""

MAX_LINES = 10_000
"""Most retirements in one statement."""

MAX_TIME = 253_339_228_800
"""Latest Unix second in a statement, at the end of 9997: calendars end with 9999."""
_MAX_DAY = 2**16 - 1
_MAX_AMOUNT = 2**53 - 1
_TECHNOLOGY = re.compile(r"(T[0-9]{6})?", re.ASCII)
_FUEL = re.compile(r"(F[0-9]{8})?", re.ASCII)


class Kind(StrEnum):
    """What a statement is for."""

    RETIREMENT = "retirement"
    """What was retired for one account: in the terms of EECS, a cancellation statement."""
    DISCLOSURE = "disclosure"
    """What a member or a community consumed in a period, and which certificates cover it."""


class Origin(StrEnum):
    """Where certified energy came from, as its consumer sees it."""

    SELF_CONSUMED = "self-consumed"
    BOUGHT = "bought"
    STORAGE = "storage"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class ChainPoint:
    """The block that a statement was made at, and the contracts it was read from.

    Attributes:
        exchange: the other contracts are found from it; its deliveries say what members consumed.
        time: the block's time.
    """

    chain_id: int
    exchange: bytes
    certificates: bytes
    devices: bytes
    block: int
    block_hash: bytes
    time: int

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        _check_range("chain.chain_id", self.chain_id, 1, 2**53 - 1)
        _check_length("chain.devices", self.devices, 20)
        _check_length("chain.certificates", self.certificates, 20)
        _check_length("chain.exchange", self.exchange, 20)
        _check_range("chain.block", self.block, 0, 2**53 - 1)
        _check_length("chain.block_hash", self.block_hash, 32)
        _check_range("chain.time", self.time, 0, MAX_TIME)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a statement was asked to say.

    Attributes:
        account: whose retirements, or which member's disclosure; None for the community of `market`.
        market: the market whose members are the community; None otherwise.
        first_slot: start of the first slot.
        end_slot: end of the last slot. A certificate belongs to the slot of its generation.
        time_zone: IANA name, for local days.
        transactions: only the retirements in these transactions, ascending; none named, all. Retirements only.
        factors: the name of the emission factors, see `ledger.statements.factors`; None without. Disclosures only.
    """

    account: bytes | None
    market: bytes | None
    first_slot: int
    end_slot: int
    time_zone: str
    transactions: tuple[bytes, ...]
    factors: str | None

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        if (self.account is None) == (self.market is None):
            raise InvalidStatementError("scope", "must name either an account or a market")
        if self.account is not None:
            _check_length("scope.account", self.account, 20)
        if self.market is not None:
            _check_length("scope.market", self.market, 32)
        _check_range("scope.first_slot", self.first_slot, 0, MAX_TIME)
        _check_range("scope.end_slot", self.end_slot, self.first_slot + 1, MAX_TIME)
        for each in self.transactions:
            _check_length("scope.transactions", each, 32)
        if list(self.transactions) != sorted(set(self.transactions)):
            raise InvalidStatementError("scope.transactions", "must ascend, each named once")
        zone_of(self.time_zone)


@dataclass(frozen=True, slots=True)
class Device:
    """The device behind certificates, as it was registered.

    Attributes:
        technology: EECS technology code, such as `T010101`; empty for a load.
        fuel: EECS energy source code, such as `F01010100`; empty for a load.
        zone: EIC code of its bidding zone or grid area.
        commissioned_day: Unix day it went into operation.
        support: public support received: `none`, `investment`, `production`, `investment and production`.
    """

    device: int
    owner: bytes
    kind: str
    technology: str
    fuel: str
    nameplate_w: int
    slot_length_s: int
    latitude: int
    longitude: int
    market: bytes
    zone: str
    commissioned_day: int
    support: str

    def __post_init__(self) -> None:
        """Check what the pages are made from."""
        _check_codes("devices", self.technology, self.fuel)
        _check_range("devices.commissioned_day", self.commissioned_day, 0, _MAX_DAY)


@dataclass(frozen=True, slots=True)
class ImportedFrom:
    """Where an imported certificate came from."""

    number: int
    registry: str
    serial: str
    zone: str
    slot_length_s: int
    technology: str
    fuel: str

    def __post_init__(self) -> None:
        """Check what the pages are made from."""
        _check_codes("imports", self.technology, self.fuel)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what a storage gave back; `source` is the certificate that went in, None without origin.

    `output_uwh`: what of it came out, in µWh.
    """

    source: CertificateId | None
    output_uwh: int


@dataclass(frozen=True, slots=True)
class Discharge:
    """What a storage's certificate was made of."""

    certificate: CertificateId
    metered_wh: int
    certified_wh: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Retirement:
    """One claim of one certificate, as the chain logged it.

    Attributes:
        holder: who held and retired the certificate.
        beneficiary: whom it was retired for.
        consumption: the consumption it was claimed against, if it was.
        purpose, country, first_slot, last_slot: what the holder declared, if it was retired by hand.
        text_hash: salted hash of a private text, if there is one.
        text, salt: the text, if the holder revealed it; they hash to `text_hash`.
        withdrawn: whether the certificate had been withdrawn for correction by the statement's block; what was
            retired before remains retired.
    """

    certificate: CertificateId
    amount_wh: int
    origin: Origin
    holder: bytes
    beneficiary: bytes
    consumption: CertificateId | None
    purpose: str | None
    country: str | None
    first_slot: int | None
    last_slot: int | None
    text_hash: bytes | None
    text: str | None
    salt: bytes | None
    withdrawn: bool
    block: int
    time: int
    transaction: bytes

    def __post_init__(self) -> None:
        """Check what the pages are made from."""
        _check_range("retirements.amount_wh", self.amount_wh, 0, _MAX_AMOUNT)
        for name in ("first_slot", "last_slot", "time"):
            at = getattr(self, name)
            if at is not None:
                _check_range(f"retirements.{name}", at, 0, MAX_TIME)


@dataclass(frozen=True, slots=True)
class Share:
    """Consumption covered by certificates of one origin and technology, in Wh."""

    origin: Origin
    technology: str
    fuel: str
    matched_wh: int

    def __post_init__(self) -> None:
        """Check what the pages are made from."""
        _check_codes("disclosure.shares", self.technology, self.fuel)


@dataclass(frozen=True, slots=True)
class Flow:
    """Where the certificates of the period's slots came from and went, by the statement's block, in Wh.

    issued + received = given + retired + stored + exported + frozen + expired + held.

    Attributes:
        issued_wh: issued for its own devices' generation and discharge, or imported to it.
        received_wh, given_wh: transfers, those between the community's own members left out.
        retired_wh: out of its own holdings, for itself or another beneficiary.
        stored_wh: put into a storage.
        frozen_wh: withdrawn for correction.
        expired_wh: still held, and too old to be transferred or retired.
    """

    issued_wh: int
    received_wh: int
    given_wh: int
    retired_wh: int
    stored_wh: int
    exported_wh: int
    frozen_wh: int
    expired_wh: int
    held_wh: int


@dataclass(frozen=True, slots=True)
class Carbon:
    """Emissions of the consumption by the two methods of the GHG Protocol's Scope 2 Guidance.

    Attributes:
        factors: name and source of the factors.
        location_mg_per_wh, residual_mg_per_wh: grid average and residual mix, mg CO2 per Wh (= g/kWh).
        location_mg: consumption x grid average.
        market_mg: uncovered consumption x residual mix + covered consumption x its technology's direct emissions.
    """

    factors: str
    location_mg_per_wh: int
    residual_mg_per_wh: int
    location_mg: int
    market_mg: int


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A period's consumption and what covers it, in Wh; scores in millionths, rounded down, None if undefined.

    Attributes:
        members: how many accounts it is about.
        consumption_wh: final consumption, what storages took left out.
        retired_wh: certificates matched with it in its slot and zone; more than it where a reading was corrected
            downwards afterwards.
        matched_wh: what they cover slot by slot, each member for itself.
        claimed_wh: certificates of these slots that were retired for the members by hand, whatever for: they are
            claimed, not matched, and cover nothing here.
        score_ppm: matched / consumption: the 24/7 score.
        annual_ppm: the volumetric score of the same period, which nets across slots; for comparison.
        pool_score_ppm: the community's 24/7 score if certificates were shared within each slot.
    """

    members: int
    consumption_wh: int
    retired_wh: int
    matched_wh: int
    claimed_wh: int
    score_ppm: int | None
    annual_ppm: int | None
    pool_score_ppm: int | None
    shares: tuple[Share, ...]
    flow: Flow
    carbon: Carbon | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, not yet signed.

    Attributes:
        issuer: who was issuer in the Devices contract at the block.
        retirements: of a retirement statement, block by block, in a block by certificate; a disclosure has none.
        devices, imports, discharges: what the retired certificates certify; of a disclosure, everything it counts.
        disclosure: of a disclosure.
    """

    format: str
    kind: Kind
    chain: ChainPoint
    issuer: bytes
    scope: Scope
    total_wh: int
    retirements: tuple[Retirement, ...]
    devices: tuple[Device, ...]
    imports: tuple[ImportedFrom, ...]
    discharges: tuple[Discharge, ...]
    disclosure: Disclosure | None

    def __post_init__(self) -> None:
        """Check that the kind has its parts."""
        if self.format != FORMAT:
            raise InvalidStatementError("format", f"is {self.format!r}: must be {FORMAT!r}")
        if (self.kind is Kind.DISCLOSURE) != (self.disclosure is not None):
            raise InvalidStatementError("disclosure", f"must be there exactly in a {Kind.DISCLOSURE}")
        if len(self.retirements) > MAX_LINES:
            raise InvalidStatementError("retirements", f"are {len(self.retirements)}: at most {MAX_LINES}")
        _check_length("issuer", self.issuer, 20)
        for line in self.retirements:
            slot = line.certificate.slot
            _check_range("retirements.certificate", slot, self.scope.first_slot, self.scope.end_slot - 1)
        self._check_sources()

    def _check_sources(self) -> None:
        """What certificates certify is described."""
        devices, imports = {each.device for each in self.devices}, {each.number for each in self.imports}
        charged = (part.source for each in self.discharges for part in each.parts)
        for certificate in (*(line.certificate for line in self.retirements), *filter(None, charged)):
            known = imports if certificate.kind is CertificateKind.IMPORTED else devices
            if certificate.device not in known:
                raise InvalidStatementError("devices and imports", f"do not describe the {certificate}")


def _check_codes(field: str, technology: str, fuel: str) -> None:
    if not _TECHNOLOGY.fullmatch(technology) or not _FUEL.fullmatch(fuel) or (technology == "") != (fuel == ""):
        problem = f"are {technology!r} and {fuel!r}: must be EECS codes such as T010100 and F01040100, or empty"
        raise InvalidStatementError(f"{field}.technology and fuel", problem)


def _check_length(field: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise InvalidStatementError(field, f"has {len(value)} bytes: must be {length}")


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidStatementError(field, f"is {value}: must be between {low} and {high}")
