"""Gas to the last unit: keys, salts and times are fixed, so every change of a figure is a change of the contracts.

`pytest tests/contracts/test_gas.py --update-gas` writes the snapshot anew.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger import merkle
from ledger.batches import FilledOrder, MemberReading, posted_words
from ledger.deployment import contract_address
from tests.contracts.devices import (
    DAY_S,
    LOAD,
    certify,
    claim,
    consumption_id,
    on_devices,
    on_issuance,
    register,
    register_battery,
    retire,
    send,
    token_id,
)
from tests.world import MARKET, SLOT, TERMS, World, new_world, one_world_for_a_test

SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"
MEMBERS = 100
DEVICES = 10
PRICE = 150_000
FIRST = SLOT + 900
SLOTS_OF_A_DAY = 96
LOADS, BATTERY, CHARGER = 100, 200, 201
BATCH = 16
MORNING = SLOT // 86_400 * 86_400 + 86_400
BUDGETS = {"certify,": 45_000, "issue,": 45_000, "mint,": 45_000, "retire_pairs,": 35_000}
"""The most gas that a certificate issued, or a pair retired, may take; by how the names of the figures begin."""

OVER_BUDGET = {
    "mint, per certificate, one slot of 10,000 devices",
    "retire_pairs, a single pair, all of the transaction",
}
"""Known misses: one alone bears what a transaction costs anyhow, and a minted one its device's leaf and path."""

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


def street(world: World) -> None:
    """Ten members with a generator and a load each; the first has a battery too."""
    for device in range(DEVICES):
        owner = world.members[device].address
        register(world, device, owner)
        register(world, LOADS + device, owner, kind=LOAD)
    register_battery(world, BATTERY, CHARGER, world.members[0].address)


def issuances() -> list[tuple[int, int]]:
    return [(device, 500) for device in range(DEVICES)]


def consumptions() -> list[tuple[int, int]]:
    return [(LOADS + device, 700) for device in range(DEVICES)]


def certifications(town: World) -> dict[str, float]:
    """What the issuer pays for a certificate."""
    gas: dict[str, float] = {}
    with one_world_for_a_test(town) as world:
        street(world)
        slots = [certify(world, issuances(), slot=MORNING + 900 * n).gas_used for n in range(SOME_SLOTS)]
        gas["certify, per certificate, 10 devices slot by slot"] = sum(slots) / (SOME_SLOTS * DEVICES)
        buyers = [(device, world.members[50 + device].address, 200) for device in range(DEVICES)]
        own = [(device, LOADS + device, 100) for device in range(DEVICES)]
        sold = [(device, LOADS + (device + 1) % DEVICES, 100) for device in range(DEVICES)]
        noon = MORNING + 6 * 3_600
        plain = certify(world, issuances(), consumptions(), slot=noon).gas_used
        for number, (name, more) in enumerate(
            {"move": {"moves": buyers}, "match, own": {"matches": own}, "match, sold": {"matches": sold}}.items()
        ):
            slot = noon + 1_800 * (number + 1)
            used = certify(world, issuances(), consumptions(), slot=slot, **more).gas_used  # type: ignore[arg-type]
            gas[f"{name}, more in a certification"] = (used - plain) / DEVICES
    with one_world_for_a_test(town) as world:
        street(world)
        world.time.now = MORNING + 2 * DAY_S
        day = on_issuance(world, "issuer", "issue", 0, 1, MORNING + 6 * 3_600, [500] * 48)
        gas["issue, per certificate, 48 slots of a device"] = day.gas_used / 48
        gas |= days(world) | corrections(world)
    return gas


def days(world: World) -> dict[str, float]:
    """A day's root, and what it takes to have certificates of it issued."""
    amounts = [500 if 24 <= place < 72 else 0 for place in range(96)]
    number = MORNING // DAY_S
    # As many devices as a market of 10,000 homes has.
    leaves = [keccak(encode(["uint64", "uint256", "uint256[]"], [2, number, amounts]))]
    leaves += [each.to_bytes(32, "big") for each in range(9_999)]
    commit = ("commit_day", MARKET, number, merkle.root(leaves), len(leaves), 24_000)
    gas = {"commit_day": on_issuance(world, "issuer", *commit).gas_used}
    shown = (MARKET, number, 2, amounts)
    for name, places in (("one slot", [24]), ("47 slots", list(range(25, 72)))):
        arguments = (*shown, places, 0, merkle.path(leaves, 0))
        used = on_issuance(world, world.strangers[0], "mint", *arguments).gas_used
        gas[f"mint, per certificate, {name} of 10,000 devices"] = used / len(places)
    return gas


def corrections(world: World) -> dict[str, float]:
    certify(world, [(3, 500)], slot=MORNING)
    token = token_id(3, MORNING)
    return {
        "withdraw a certificate": send(world, "issuer", "withdraw", token, "the meter was wrong").gas_used,
        "reissue a certificate": on_issuance(world, "issuer", "reissue", token, 400, []).gas_used,
    }


def holders_acts(town: World) -> dict[str, float]:
    """What a holder pays for what it does itself."""
    gas: dict[str, float] = {}
    with one_world_for_a_test(town) as world:
        street(world)
        anna, bert = world.members[:2]
        tokens = [token_id(1, MORNING + 900 * number) for number in range(BATCH)]
        sinks = [consumption_id(LOADS, MORNING + 900 * number) for number in range(BATCH)]
        for number in range(BATCH):
            bought = [(1, anna.address, 200)]
            certify(world, [(1, 500)], [(LOADS, 700)], moves=bought, slot=MORNING + 900 * number)
        pairs = [(token, sink, 100) for token, sink in zip(tokens, sinks, strict=True)]
        gas["retire_pairs, a single pair, all of the transaction"] = send(
            world, anna, "retire_pairs", pairs[:1]
        ).gas_used
        gas[f"retire_pairs, per pair of {BATCH}"] = send(world, anna, "retire_pairs", pairs).gas_used / BATCH
        gas["retire a certificate"] = retire(world, bert, tokens[0], 50).gas_used
        batch = send(world, bert, "retire", tokens, [10] * BATCH, claim()).gas_used
        gas[f"retire, per certificate of {BATCH}"] = batch / BATCH
        cora = world.members[2].address
        gas["transfer a certificate"] = send(
            world, bert, "safeTransferFrom", bert.address, cora, tokens[0], 10, b""
        ).gas_used
        gas["export a certificate"] = send(world, bert, "export", tokens[:1], [10], "CH-Pronovo", "7/1").gas_used
        gas |= evidence(world) | storing(world)
    return gas


def evidence(world: World) -> dict[str, float]:
    world.time.now = MORNING + 2 * DAY_S
    anchors = [(device, b"\xaa" * 32, 96) for device in range(DEVICES)]
    anchored = on_devices(world, "issuer", "anchor", MORNING // DAY_S, anchors).gas_used
    asked = on_devices(world, world.members[1], "request", 1, MORNING, MORNING + 900, b"\xee" * 32).gas_used
    decided = on_devices(world, "issuer", "decide", 1, True, "as metered").gas_used
    return {"anchor, per device of 10": anchored / DEVICES, "request": asked, "decide": decided}


def storing(world: World) -> dict[str, float]:
    slot, origin = MORNING + DAY_S, [(0, CHARGER, 200)]
    plain = certify(world, [(0, 500)], slot=slot).gas_used
    charged = certify(world, [(0, 500)], [(CHARGER, 300)], matches=origin, slot=slot + 1_800).gas_used
    given = certify(world, [(0, 500), (BATTERY, 200)], slot=slot + 3_600).gas_used
    return {
        "charge a storage with two lots, more in a certification": charged - plain,
        "discharge a storage of two lots, more in a certification": given - plain,
    }


def measure(town: World) -> dict[str, float]:
    with one_world_for_a_test(town) as world:
        day = asdict(measured_day(world, SOME_SLOTS))
    averages = {f"{name}, {SOME_SLOTS} slots on end": figure for name, figure in day.items()}
    return (
        deployments(town)
        | averages
        | settlements(town)
        | members_acts(town)
        | certifications(town)
        | holders_acts(town)
    )


@pytest.fixture(scope="module")
def gas(town: World) -> dict[str, float]:
    return measure(town)


def test_gas_is_as_in_the_snapshot(gas: dict[str, float], request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-gas"):
        SNAPSHOT.write_text(json.dumps(gas, indent=2) + "\n", encoding="utf-8")
    assert gas == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_an_issuance_and_a_pair_stay_within_their_budgets_unless_they_are_alone(gas: dict[str, float]) -> None:
    over = {
        name
        for name, used in gas.items()
        for kind, most in BUDGETS.items()
        if name.startswith(kind) and used > most
    }
    assert over == OVER_BUDGET
