"""Devices on chain: what generates and consumes, where, whose it is, and whose meter signs for it.

The Devices contract keeps them for all markets. Every function that sends something looks first, so that repeating
it does nothing; numbers are checked here, in words, before anything is sent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from typing import Any

from eth_hash.auto import keccak

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

_CLOSED_DAY_BIT = 229

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
        most = MAX_EFFICIENCY_PPM if kind is DeviceKind.STORAGE else 0
        _require_number("device", "efficiency_ppm", self.efficiency_ppm, min(most, 1), most)
        _require_number("device", "storage", self.storage, 0, MAX_DEVICE if kind is DeviceKind.CHARGE else 0)


def metering_point(point: str) -> bytes:
    """What stands on chain for a metering point's id, such as a GSRN: its hash."""
    return keccak(point.encode())


def register_area(contracts: Contracts, registrar: Key, area: Area) -> int:
    """Enter an area in the Devices contract, unless it is there; returns its number."""
    devices = contracts.devices
    number = _area_number(contracts, area)
    if number == 0:
        transact(devices, registrar, devices.interface.call("add_area", area.market, area.zone))
        number = _area_number(contracts, area)
    return number


def registered_area(contracts: Contracts, number: int) -> Area:
    """The area with this number.

    Raises:
        CallRevertedError: there is none.
    """
    return Area(**contracts.devices.read("area_of", number))


def register_device(contracts: Contracts, registrar: Key, device: Device) -> None:
    """Enter a device in the Devices contract, unless it is there.

    Raises:
        EecsCodeError: its technology and fuel do not go together.
        ForeignDeviceError: its number is another device's; the message says in what they differ.
        CallRevertedError: the contract refuses, e.g. as another device has its metering point.
    """
    registered = registered_device(contracts, device.device)
    if registered is None:
        require_pair(device.technology, device.fuel)
        devices = contracts.devices
        transact(devices, registrar, devices.interface.call("register_device", device.device, _details(device)))
        return
    names = [each.name for each in fields(device) if getattr(device, each.name) != getattr(registered, each.name)]
    if names:
        raise ForeignDeviceError(f"device {device.device} is registered on chain with another {', '.join(names)}")


def registered_device(contracts: Contracts, number: int, *, block_number: int | None = None) -> Device | None:
    """The device with this number as it was registered, with its meter's first key; None if there is none."""
    if not _word(contracts, number, block_number):
        return None
    return device_of(number, contracts.devices.read("device_of", number, block_number=block_number))


def device_of(number: int, details: Mapping[str, Any]) -> Device:
    """A device from its details as the contract tells them, in an answer or an event."""
    return Device(
        device=number,
        **{
            **details,
            "kind": DeviceKind(details["kind"]),
            "support": Support(details["support"]),
            "key": key_of(details["key"]),
        },
    )


def key_of(fields_of_key: Mapping[str, Any]) -> DeviceKey:
    """A meter's key as the contract tells it."""
    algorithm = KeyAlgorithm(fields_of_key["algorithm"])
    return DeviceKey(algorithm, fields_of_key["key"], fields_of_key["from_slot"])


def rotate_key(contracts: Contracts, registrar: Key, device: int, key: DeviceKey) -> None:
    """From the key's slot on, it signs for the device's meter; does nothing if it is the one of that slot already.

    Raises:
        UnknownDeviceError: there is no such device.
        CallRevertedError: the contract refuses, as a later key is there.
    """
    _require_known(contracts, device)
    if valid_key(contracts, device, key.from_slot) != key:
        devices = contracts.devices
        transact(devices, registrar, devices.interface.call("rotate_key", device, asdict(key)))


def valid_key(contracts: Contracts, device: int, slot: int) -> DeviceKey:
    """The key that signs for a device's meter in a slot; zero if none does."""
    return key_of(contracts.devices.read("key_of", device, slot))


def close_device(contracts: Contracts, registrar: Key, device: int, day: int) -> None:
    """Certify nothing more of a device from this Unix day on, unless it is closed by then.

    Raises:
        DeviceError: the day is outside its limits.
        UnknownDeviceError: there is no such device.
        ForeignDeviceError: it is closed from another day on, for good.
    """
    _require_number("device", "closed_day", day, 1, MAX_DAY)
    _require_known(contracts, device)
    known = closed_day(contracts, device)
    if known is None:
        devices = contracts.devices
        transact(devices, registrar, devices.interface.call("close_device", device, day))
    elif known != day:
        raise ForeignDeviceError(f"device {device} is closed from day {known} on: cannot become {day}")


def closed_day(contracts: Contracts, device: int) -> int | None:
    """The Unix day from which on nothing of a device is certified; None while it is open."""
    return _word(contracts, device) >> _CLOSED_DAY_BIT & MAX_DAY or None


def _require_known(contracts: Contracts, device: int) -> None:
    if not _word(contracts, device):
        raise UnknownDeviceError(f"device {device} is not registered on chain")


def _word(contracts: Contracts, device: int, block_number: int | None = None) -> int:
    word: int = contracts.devices.read("word_of", device, block_number=block_number)
    return word


def _area_number(contracts: Contracts, area: Area) -> int:
    number: int = contracts.devices.read("area_number", area.market, area.zone)
    return number


def _details(device: Device) -> dict[str, Any]:
    details = asdict(device)
    del details["device"]
    return details


def _require_number(of: str, name: str, value: int, least: int, most: int) -> None:
    limit = f"from {least} to {most}" if least < most else f"{least}"
    _require(of, name, value, least <= value <= most, limit)


def _require(of: str, name: str, value: object, holds: bool, limit: str) -> None:
    if not holds:
        raise DeviceError(f"{of} field '{name}' is {value}: must be {limit}")
