"""Devices and certificates, for the tests of the Devices, Issuance and Certificates contracts."""

from typing import Any

from ledger.abi import Contract, Event
from ledger.chain import Receipt
from ledger.keys import Key
from tests.world import MARKET, SLOT, World

LOAD, GENERATOR, STORAGE, CHARGE = range(4)
GENERATION, STORED, IMPORTED, CONSUMPTION = range(1, 5)
ZONE = "10YCH-SWISSGRIDZ"
AREA = 1
NAMEPLATE_W = 4_000
DEVICE = 7
DAY_S = 86_400
TOPICS = RETIRED, MATCHED, SELF_CONSUMED, INTO_STORAGE, EXPORTED = 1, 2, 3, 4, 5


def token_id(device: int = DEVICE, slot: int = SLOT, *, kind: int = GENERATION, revision: int = 0) -> int:
    return kind << 136 | device << 72 | slot // 300 << 8 | revision


TOKEN = token_id()


def consumption_id(device: int, slot: int = SLOT) -> int:
    return token_id(device, slot, kind=CONSUMPTION)


# ---------------------------------------------------------------------------------------------- devices


def details(owner: bytes, device: int = DEVICE, **changes: object) -> dict[str, Any]:
    """A generator, unless `kind` says that it is something else."""
    kind = changes.get("kind", GENERATOR)
    metering_point = f"point of device {device}".encode().ljust(32, b"\0")
    return {
        "owner": owner,
        "area": AREA,
        "kind": GENERATOR,
        "nameplate_w": 0 if kind == LOAD else NAMEPLATE_W,
        "slot_length_s": 900,
        "standing": True,
        "technology": 10_101 if kind == GENERATOR else 0,
        "fuel": 1_010_100 if kind == GENERATOR else 0,
        "latitude": 4_600,
        "longitude": 895,
        "commissioned_day": 0,
        "support": 0,
        "storage": 0,
        "efficiency_ppm": 900_000 if kind == STORAGE else 0,
        "metering_point": metering_point,
        "key": {"algorithm": 0, "key": b"\x07" * 32, "from_slot": 0},
        **changes,
    }


def add_area(world: World, market: bytes = MARKET, zone: str = ZONE) -> int:
    """Its number; it is entered if it is not yet there."""
    number: int = world.contracts.devices.read("area_number", market, zone)
    if number == 0:
        world.send("registrar", world.contracts.devices, "add_area", market, zone)
        number = world.contracts.devices.read("area_number", market, zone)
    return number


def register(world: World, device: int, owner: bytes, **changes: object) -> Receipt:
    add_area(world)
    return on_devices(world, "registrar", "register_device", device, details(owner, device, **changes))


def register_battery(world: World, storage: int, charge: int, owner: bytes, **changes: object) -> None:
    """A storage, and what charges it."""
    register(world, storage, owner, kind=STORAGE, **changes)
    register(world, charge, owner, kind=CHARGE, storage=storage)


def on_devices(world: World, who: str | Key, function: str, *arguments: object) -> Receipt:
    return world.send(who, world.contracts.devices, function, *arguments)


# ------------------------------------------------------------------------------------------ certificates


def certify(
    world: World,
    issuances: list[tuple[int, int]],
    consumptions: list[tuple[int, int]] | None = None,
    *,
    moves: list[tuple[int, bytes, int]] | None = None,
    matches: list[tuple[int, int, int]] | None = None,
    market: bytes = MARKET,
    slot: int = SLOT,
) -> Receipt:
    """Certify (device, Wh) once the slot is over; moves are (device, account, Wh), matches (device, load, Wh)."""
    world.time.now = max(world.time.now, slot + 900)
    consumptions = consumptions or []
    # What names a device that is not certified here names a place that does not exist.
    source = {device: place for place, (device, _) in enumerate(issuances)}
    sink = {device: place for place, (device, _) in enumerate(consumptions)}
    numbered_moves = [(source.get(device, len(issuances)), *rest) for device, *rest in moves or []]
    numbered_matches = [
        (source.get(device, len(issuances)), sink.get(load, len(consumptions)), wh)
        for device, load, wh in matches or []
    ]
    return on_issuance(
        world, "issuer", "certify", market, slot, issuances, consumptions, numbered_moves, numbered_matches
    )


def on_issuance(world: World, who: str | Key, function: str, *arguments: object) -> Receipt:
    return world.send(who, world.contracts.issuance, function, *arguments)


def send(world: World, who: str | Key, function: str, *arguments: object) -> Receipt:
    return world.send(who, world.contracts.certificates, function, *arguments)


def claim(**changes: object) -> dict[str, Any]:
    return {
        "beneficiary": bytes(20),
        "purpose": 1,
        "country": "CH",
        "first_slot": SLOT,
        "last_slot": SLOT,
        "text_hash": bytes(32),
        **changes,
    }


def retire(world: World, who: Key, token: int, wh: int, **changes: object) -> Receipt:
    return send(world, who, "retire", [token], [wh], claim(**changes))


def certificates(world: World) -> Contract:
    return world.contracts.certificates


def held(world: World, account: bytes, token: int = TOKEN) -> int:
    wh: int = certificates(world).read("balanceOf", account, token)
    return wh


def claimed(world: World, account: bytes, token: int = TOKEN) -> int:
    wh: int = certificates(world).read("claimedBalanceOf", account, token)
    return wh


def totals(world: World, token: int = TOKEN) -> tuple[int, int]:
    """Issued and retired."""
    read = certificates(world).read
    return read("issued_of", token), read("retired_of", token)


def events(world: World, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
    """What the three contracts logged, by name, in order."""
    contracts = (world.contracts.devices, world.contracts.issuance, certificates(world))
    interfaces = {contract.address: contract.interface for contract in contracts}
    found: list[Event | None] = [interfaces[log.address].decode_event(log) for log in receipt.logs]
    return [(event.name, event.arguments) for event in found if event]
