"""Devices on chain: what generates and consumes, where, whose it is, and whose meter signs for it.

The Devices contract keeps them for all markets. Every function that sends something looks first, so that repeating
it does nothing; numbers are checked here, in words, before anything is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum

from eth_hash.auto import keccak

from ledger.abi import Contract
from ledger.chain import CallRevertedError
from ledger.deployment import Contracts, transact
from ledger.eecs import fuel_code, require_pair, technology_code
from ledger.evidence.keys import KeyAlgorithm, MeterKey
from ledger.keys import Key
from matching.errors import WattbookError

SLOT_LENGTHS_S = (300, 900, 1_800, 3_600)
MAX_DEVICE = 2**64 - 1
MAX_NAMEPLATE_W = 2**30 - 1
MAX_DAY = 2**16 - 1
"""The latest Unix day that fits: in the year 2149."""
MAX_TECHNOLOGY, MAX_FUEL = 999_999, 99_999_999
MAX_LATITUDE, MAX_LONGITUDE = 9_000, 18_000
MAX_EFFICIENCY_PPM = 1_000_000
MAX_ZONE_BYTES = 16
MAX_SLOT = 2**40 - 1

NO_MARKET = bytes(32)
"""The market of an area abroad, where nothing is traded: imported certificates come from there."""


class DeviceError(WattbookError):
    """A device's or an area's field is outside its limits."""

    code = "device.invalid"


class ForeignDeviceError(WattbookError):
    """A device's number is taken by another device, or its details differ from those on chain."""

    code = "device.foreign"


class UnknownDeviceError(WattbookError):
    """There is no device with this number."""

    code = "device.not_on_chain"


class DeviceKind(IntEnum):
    """What a device's meter counts, as the Devices contract numbers it."""

    LOAD = 0
    GENERATOR = 1
    STORAGE = 2
    """What the storage gives."""
    CHARGE = 3
    """What a storage takes."""


class Support(IntEnum):
    """The public support that a device received, as EECS certificates state it."""

    NONE = 0
    INVESTMENT = 1
    PRODUCTION = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Area:
    """Where devices are: a market, and the bidding zone or grid area that it lies in.

    Attributes:
        market: its 32-byte id; `NO_MARKET` abroad.
        zone: the zone's EIC code (ENTSO-E), or where there is none the name that its grid operator uses; up to 16
            characters.
    """

    market: bytes
    zone: str

    def __post_init__(self) -> None:
        """Check the limits."""
        _require("area", "market", f"0x{self.market.hex()}", len(self.market) == 32, "32 bytes")
        fits = self.zone.isascii() and 0 < len(self.zone) <= MAX_ZONE_BYTES
        _require("area", "zone", repr(self.zone), fits, f"1 to {MAX_ZONE_BYTES} ASCII characters")


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A meter's public key as the contract keeps it.

    Attributes:
        key: 32 bytes: an Ed25519 key itself, of the others the hash that `MeterKey.on_chain` is; zero for none.
        from_slot: it signs for this slot, Unix seconds UTC, and later ones, until the next key's.
    """

    algorithm: KeyAlgorithm
    key: bytes
    from_slot: int = 0

    def __post_init__(self) -> None:
        """Check the limits."""
        _require("device", "key", f"0x{self.key.hex()}", len(self.key) == 32, "32 bytes")
        _require_number("device", "from_slot", self.from_slot, 0, MAX_SLOT)

    @classmethod
    def of(cls, key: MeterKey | None, from_slot: int = 0) -> "DeviceKey":
        """A meter's key, valid from this slot on; None if no key is valid from then on."""
        if key is None:
            return cls(KeyAlgorithm.ED25519, bytes(32), from_slot)
        return cls(key.algorithm, key.on_chain, from_slot)

    @property
    def is_valid(self) -> bool:
        """Whether there is a key at all."""
        return self.key != bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A metered device. Its details stay for good, but for its meter's key, and that it is closed one day.

    Attributes:
        device: unique among all devices of the Devices contract, 64 bits.
        owner: whose certificates its are; 20 bytes.
        area: its area's number on chain.
        nameplate_w: the most it generates, gives or takes, W; 0, which only loads may have, for no limit.
        standing: whether its owner asked for certificates of everything it meters; otherwise each period has to be
            asked for.
        technology, fuel: digits of the EECS codes (`ledger.eecs`); 0 for loads.
        latitude, longitude: hundredths of a degree, which is a kilometre or so: enough for a disclosure, and not a
            street address.
        commissioned_day: counted from the Unix epoch; nothing is certified for days before it.
        storage: of a CHARGE, the number of the STORAGE that it charges; else 0.
        efficiency_ppm: of a STORAGE, millionths of what it takes that it gives back; else 0.
        metering_point: hash of the metering point's id; see `metering_point`.
        key: the meter's first key.

    Raises:
        DeviceError: a field is outside its limits.
        EecsCodeError: technology and fuel do not go together.
    """

    device: int
    owner: bytes
    area: int
    kind: DeviceKind
    nameplate_w: int
    slot_length_s: int
    metering_point: bytes
    key: DeviceKey
    standing: bool = True
    technology: int = 0
    fuel: int = 0
    latitude: int = 0
    longitude: int = 0
    commissioned_day: int = 0
    support: Support = Support.NONE
    storage: int = 0
    efficiency_ppm: int = 0

    def __post_init__(self) -> None:
        """Check the limits."""
        for name, least, most in (
            ("device", 0, MAX_DEVICE),
            ("area", 1, MAX_DAY),
            ("nameplate_w", 0 if self.kind is DeviceKind.LOAD else 1, MAX_NAMEPLATE_W),
            ("technology", 0, MAX_TECHNOLOGY),
            ("fuel", 0, MAX_FUEL),
            ("latitude", -MAX_LATITUDE, MAX_LATITUDE),
            ("longitude", -MAX_LONGITUDE, MAX_LONGITUDE),
            ("commissioned_day", 0, MAX_DAY),
        ):
            _require_number("device", name, getattr(self, name), least, most)
        _require("device", "owner", f"0x{self.owner.hex()}", len(self.owner) == 20, "an address of 20 bytes")
        lengths = ", ".join(map(str, SLOT_LENGTHS_S))
        is_length = self.slot_length_s in SLOT_LENGTHS_S
        _require("device", "slot_length_s", self.slot_length_s, is_length, f"one of {lengths}")
        point = self.metering_point
        _require(
            "device", "metering_point", f"0x{point.hex()}", len(point) == 32 and any(point), "32 bytes, not 0"
        )
        _require("device", "key", "zero", self.key.is_valid, "the meter's key")
        self._check_kind()

    def _check_kind(self) -> None:
        """Loads are of no technology; only storages have an efficiency, only what charges one names it."""
        kind = self.kind
        if kind in (DeviceKind.LOAD, DeviceKind.CHARGE):
            for name, code in (("technology", technology_code(self.technology)), ("fuel", fuel_code(self.fuel))):
                _require("device", name, code, getattr(self, name) == 0, f"0 for a {kind.name.lower()}")
        if kind is DeviceKind.GENERATOR:
            _require("device", "technology", self.technology, self.technology > 0, "an EECS technology code")
            require_pair(self.technology, self.fuel)
        most = MAX_EFFICIENCY_PPM if kind is DeviceKind.STORAGE else 0
        _require_number("device", "efficiency_ppm", self.efficiency_ppm, min(most, 1), most)
        _require_number("device", "storage", self.storage, 0, MAX_DEVICE if kind is DeviceKind.CHARGE else 0)


def metering_point(point: str) -> bytes:
    """What stands on chain for a metering point's id, such as a GSRN: its hash."""
    return keccak(point.encode())


def _require_number(of: str, name: str, value: int, least: int, most: int) -> None:
    limit = f"from {least} to {most}" if least < most else f"{least}"
    _require(of, name, value, least <= value <= most, limit)


def _require(of: str, name: str, value: object, holds: bool, limit: str) -> None:
    if not holds:
        raise DeviceError(f"{of} field '{name}' is {value}: must be {limit}")
