"""Gas to the last unit: keys, salts and times are fixed, so every change of a figure is a change of the contracts.

`pytest tests/contracts/test_gas.py --update-gas` writes the snapshot anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.batches import FilledOrder, MemberReading
from tests.contracts.devices import certify, register
from tests.world import SLOT, World, new_world, one_world_for_a_test

SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"
MEMBERS = 100
DEVICES = 10
PRICE = 150_000
FIRST = SLOT // 7_200 * 7_200 + 7_200  # the first of eight slots whose positions share a word
NEXT = FIRST + 900


@pytest.fixture(scope="module")
def town(chain_kind: str) -> Iterator[World]:
    with new_world(MEMBERS, chain_kind=chain_kind) as built:
        yield built


def fills(world: World, slot: int, count: int) -> list[FilledOrder]:
    """Bids of the members with even numbers, offers of the others."""
    makers = (world.bid, world.offer)
    orders = [makers[member % 2](member, 1_000 + member // 2, PRICE, slot=slot) for member in range(count)]
    return [FilledOrder(signed, signed.order.quantity_wh) for signed in orders]


def settle_and_deliver(world: World, slot: int, count: int) -> dict[str, int]:
    figures = {"commit": world.commit(slot, count).gas_used}
    figures["settle"] = world.settle(fills(world, slot, count), PRICE, slot=slot).gas_used
    readings = [MemberReading(key.address, 1_200 + n, 300) for n, key in enumerate(world.members)]
    figures["deliver"] = world.deliver(readings, slot=slot).gas_used
    return figures


def certify_devices(world: World, slot: int) -> int:
    """Each device's owner keeps a part, retires one, and two buyers get one each, held and retired."""
    moves = []
    for device in range(DEVICES):
        owner, buyer, other = (world.members[member].address for member in (device, 50 + device, 70 + device))
        moves += [(device, owner, 100, True), (device, buyer, 200, True), (device, other, 50, False)]
    return certify(world, [(device, 500) for device in range(DEVICES)], moves, slot=slot).gas_used


def measure(town: World) -> dict[str, int]:
    names = ("credit", "exchange", "energy", "certificates")
    blocks = [town.chain.block(number) for number in range(1, len(names) + 1)]
    gas = {f"deploy {name}": block.gas_used for name, block in zip(names, blocks, strict=True) if block}
    for count in (2, 16, MEMBERS):
        with one_world_for_a_test(town) as world:
            for slot, which in ((FIRST, "first slot of a word"), (NEXT, "following slot")):
                figures = settle_and_deliver(world, slot, count)
                gas[f"settle {count} orders, {which}"] = figures["settle"]
                if count == MEMBERS:
                    gas[f"commit_book, {which}"] = figures["commit"]
                    gas[f"deliver {MEMBERS} members, {which}"] = figures["deliver"]
    with one_world_for_a_test(town) as world:
        for device in range(DEVICES):
            register(world, device, world.members[device].address)
        gas[f"certify {DEVICES} devices with 3 moves each, first slot"] = certify_devices(world, FIRST)
        gas[f"certify {DEVICES} devices with 3 moves each, following slot"] = certify_devices(world, NEXT)
        issuances = [(device, 500) for device in range(DEVICES)]
        gas[f"certify {DEVICES} devices without moves"] = certify(world, issuances, slot=NEXT + 900).gas_used
    return gas


@pytest.fixture(scope="module")
def gas(town: World) -> dict[str, int]:
    return measure(town)


def test_gas_is_as_in_the_snapshot(gas: dict[str, int], request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-gas"):
        SNAPSHOT.write_text(json.dumps(gas, indent=2) + "\n", encoding="utf-8")
    assert gas == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_a_book_stays_within_its_budget(gas: dict[str, int]) -> None:
    assert gas["commit_book, first slot of a word"] <= 50_000


def test_an_issuance_stays_within_its_budget(gas: dict[str, int]) -> None:
    assert gas[f"certify {DEVICES} devices without moves"] / DEVICES <= 45_000
