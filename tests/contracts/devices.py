"""Devices and certificates, for the tests of the Certificates contract."""

from typing import Any

from ledger.abi import Contract
from ledger.certificates import token_id
from ledger.chain import Receipt
from ledger.keys import Key
from tests.world import MARKET, SLOT, World

SOLAR, LOAD = 1, 0
NAMEPLATE_W = 4_000
DEVICE = 7
TOKEN = token_id(DEVICE, SLOT)


def details(owner: bytes, **changes: object) -> dict[str, Any]:
    return {
        "owner": owner,
        "market": MARKET,
        "technology": SOLAR,
        "nameplate_w": NAMEPLATE_W,
        "slot_length_s": 900,
        "meter_key": b"\x07" * 32,
        **changes,
    }


def register(world: World, device: int, owner: bytes, **changes: object) -> Receipt:
    return send(world, "registrar", "register_device", device, details(owner, **changes))


def certify(
    world: World,
    issuances: list[tuple[int, int]],
    moves: list[tuple[int, bytes, int, bool]] | None = None,
    *,
    market: bytes = MARKET,
    slot: int = SLOT,
) -> Receipt:
    """Issue (device, Wh) and move (device, account, Wh, retired) once the slot is over."""
    world.time.now = max(world.time.now, slot + 900)
    index = {device: position for position, (device, _) in enumerate(issuances)}
    # A move of a device that is not issued here names an issuance that does not exist.
    numbered = [(index.get(device, len(issuances)), *rest) for device, *rest in moves or []]
    return send(world, "issuer", "certify", market, slot, issuances, numbered)


def send(world: World, who: str | Key, function: str, *arguments: object) -> Receipt:
    return world.send(who, world.contracts.certificates, function, *arguments)


def certificates(world: World) -> Contract:
    return world.contracts.certificates


def held(world: World, account: bytes, token: int = TOKEN) -> int:
    wh: int = certificates(world).read("balanceOf", account, token)
    return wh
