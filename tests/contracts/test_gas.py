"""Gas to the last unit: keys, salts and times are fixed, so every change of a figure is a change of the contracts.

`pytest tests/contracts/test_gas.py --update-gas` writes the snapshot anew.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from ledger.batches import FilledOrder, MemberReading, posted_words
from ledger.deployment import contract_address
from tests.contracts.devices import certify, register
from tests.world import MARKET, SLOT, TERMS, World, new_world, one_world_for_a_test

SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"
MEMBERS = 100
DEVICES = 10
PRICE = 150_000
FIRST = SLOT + 900
SLOTS_OF_A_DAY = 96
SOME_SLOTS = 4  # of a day; all but the first cost the same


@pytest.fixture(scope="module")
def town(chain_kind: str) -> Iterator[World]:
    with new_world(MEMBERS, chain_kind=chain_kind) as built:
        yield built


# ------------------------------------------------------------------------------------------------ a day


@dataclass(frozen=True, slots=True)
class Day:
    """What the operator and the meter authority pay, on average, in a market that is never late."""

    commit_book: float
    settle_per_order: float
    deliver_per_member: float


def fills(world: World, slot: int, count: int) -> list[FilledOrder]:
    """Bids of the members with even numbers, offers of the others."""
    makers = (world.bid, world.offer)
    orders = [makers[member % 2](member, 1_000 + member // 2, PRICE, slot=slot) for member in range(count)]
    return [FilledOrder(signed, signed.order.quantity_wh) for signed in orders]


def readings(world: World, slot: int) -> list[MemberReading]:
    meters = random.Random(slot)
    return [MemberReading(key.address, meters.randrange(2_000), meters.randrange(2_000)) for key in world.members]


def measured_day(world: World, slots: int) -> Day:
    """Each slot is settled when its gate has closed, which is before the slot before it is over and delivered."""
    world.salt = 0x0123_4567_89AB_CDEF  # as wallets choose them: no byte of it is zero
    commit, settle, deliver = [], [], []
    for number in range(slots + 1):
        slot = FIRST + 900 * number
        if number < slots:
            commit.append(world.act("operator", "commit_book", MARKET, slot, root(world, slot), MEMBERS).gas_used)
            settle.append(world.settle(fills(world, slot, MEMBERS), PRICE, slot=slot).gas_used)
        if number > 0:
            deliver.append(world.deliver(readings(world, slot - 900), slot=slot - 900).gas_used)
    trades = slots * MEMBERS
    return Day(sum(commit) / slots, sum(settle) / trades, sum(deliver) / trades)


def root(world: World, slot: int) -> bytes:
    """Any 32 bytes that are not zero, once the gate has closed."""
    world.close_gate(slot)
    return random.Random(slot).randbytes(32)


def assert_within_budget(day: Day) -> None:
    assert day.commit_book <= 50_000
    assert day.settle_per_order <= 18_500
    assert day.deliver_per_member <= 10_000


def test_some_slots_of_a_day_stay_within_the_budget(gas: dict[str, float]) -> None:
    assert_within_budget(Day(**{name: gas[f"{name}, {SOME_SLOTS} slots on end"] for name in Day.__slots__}))


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # about two minutes on an idle machine
def test_a_day_stays_within_the_budget(town: World) -> None:
    with one_world_for_a_test(town) as world:
        assert_within_budget(measured_day(world, SLOTS_OF_A_DAY))


# --------------------------------------------------------------------------------------------- one by one


def deployments(town: World) -> dict[str, float]:
    """The deployer's first transactions, one to a block."""
    names = {getattr(town.contracts, name).address: name for name in town.contracts.__dataclass_fields__}
    blocks = {
        names[contract_address(town.keys["deployer"].address, nonce)]: town.chain.block(nonce + 1)
        for nonce in range(len(names))
    }
    return {f"deploy {name}": block.gas_used for name, block in blocks.items() if block}


def settlements(town: World) -> dict[str, float]:
    gas: dict[str, float] = {}
    for count in (2, 16, MEMBERS):
        with one_world_for_a_test(town) as world:
            world.commit(FIRST, count)
            gas[f"settle {count} orders"] = world.settle(fills(world, FIRST, count), PRICE, slot=FIRST).gas_used
    with one_world_for_a_test(town) as world:
        for number in range(3):
            world.commit(FIRST + 900 * number, MEMBERS)
            batch = fills(world, FIRST + 900 * number, MEMBERS)
            settle = world.settle(batch, PRICE, slot=FIRST + 900 * number).gas_used
        gas[f"settle {MEMBERS} orders while two slots are undelivered"] = settle
        late, in_time = (world.deliver(readings(world, slot), slot=slot) for slot in (FIRST, FIRST + 1_800))
        gas[f"deliver {MEMBERS} members"] = in_time.gas_used
        gas[f"deliver {MEMBERS} members two slots late"] = late.gas_used
    with one_world_for_a_test(town) as world:
        world.commit(FIRST, MEMBERS)
        batch = sorted(fills(world, FIRST, MEMBERS), key=lambda fill: fill.signed.hash)
        half = MEMBERS // 2
        gas[f"settle {MEMBERS} orders in chunks, first half"] = world.settle(
            batch[:half], PRICE, slot=FIRST, more=True
        ).gas_used
        gas[f"settle {MEMBERS} orders in chunks, second half"] = world.settle(
            batch[half:], PRICE, slot=FIRST
        ).gas_used
    return gas


def members_acts(town: World) -> dict[str, float]:
    """What a member pays for what it does itself, and the operator for orders that were posted."""
    gas: dict[str, float] = {}
    with one_world_for_a_test(town) as world:
        anna = world.members[0]
        batch = fills(world, FIRST, 16)
        posted = [batch[0], batch[1]]
        for fill, which in zip(posted, ("bid", "offer"), strict=True):
            key = next(key for key in world.members if key.address == fill.signed.order.account)
            receipt = world.act(key, "post_order", MARKET, FIRST, posted_words(fill.signed))
            gas[f"post_order, {which}"] = receipt.gas_used
        world.commit(FIRST, 16)
        flagged = [FilledOrder(fill.signed, fill.fill_wh, is_posted=fill in posted) for fill in batch]
        gas["settle 16 orders of which two were posted"] = world.settle(flagged, PRICE, slot=FIRST).gas_used
        gas["cancel_all"] = world.act(anna, "cancel_all").gas_used
        gas["request_withdrawal"] = world.act(anna, "request_withdrawal", 5).gas_used
        world.time.now += 2 * 3_600
        gas["withdraw"] = world.act(anna, "withdraw").gas_used
        world.send(anna, world.contracts.credit, "approve", world.contracts.escrow.address, 5)
        gas["deposit"] = world.act(anna, "deposit", anna.address, 5).gas_used
        world.time.now = FIRST + 900 + TERMS.settle_within_s + 1
        gas["void"] = world.act(anna, "void", MARKET, FIRST + 900).gas_used
    return gas


def certify_devices(world: World, slot: int) -> int:
    """Each device's owner keeps a part, retires one, and two buyers get one each, held and retired."""
    moves = []
    for device in range(DEVICES):
        owner, buyer, other = (world.members[member].address for member in (device, 50 + device, 70 + device))
        moves += [(device, owner, 100, True), (device, buyer, 200, True), (device, other, 50, False)]
    return certify(world, [(device, 500) for device in range(DEVICES)], moves, slot=slot).gas_used


def certifications(town: World) -> dict[str, float]:
    gas: dict[str, float] = {}
    with one_world_for_a_test(town) as world:
        world.time.now = FIRST + 3 * 900
        for device in range(DEVICES):
            register(world, device, world.members[device].address)
        gas[f"certify {DEVICES} devices with 3 moves each, first slot"] = certify_devices(world, FIRST)
        gas[f"certify {DEVICES} devices with 3 moves each, following slot"] = certify_devices(world, FIRST + 900)
        issuances = [(device, 500) for device in range(DEVICES)]
        gas[f"certify {DEVICES} devices without moves"] = certify(world, issuances, slot=FIRST + 1_800).gas_used
    return gas


def measure(town: World) -> dict[str, float]:
    with one_world_for_a_test(town) as world:
        day = asdict(measured_day(world, SOME_SLOTS))
    averages = {f"{name}, {SOME_SLOTS} slots on end": figure for name, figure in day.items()}
    return deployments(town) | averages | settlements(town) | members_acts(town) | certifications(town)


@pytest.fixture(scope="module")
def gas(town: World) -> dict[str, float]:
    return measure(town)


def test_gas_is_as_in_the_snapshot(gas: dict[str, float], request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-gas"):
        SNAPSHOT.write_text(json.dumps(gas, indent=2) + "\n", encoding="utf-8")
    assert gas == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_an_issuance_stays_within_its_budget(gas: dict[str, float]) -> None:
    assert gas[f"certify {DEVICES} devices without moves"] / DEVICES <= 45_000
