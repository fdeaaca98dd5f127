"""The steps of a slot's life on the real contracts: settlement, delivery, certification, each repeatable."""

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger import merkle
from ledger.allocation import Consumption, Issuance, Match, SlotPart
from ledger.batches import FilledOrder, MemberReading
from ledger.certificates.certification import Certification
from ledger.chain import CallRevertedError
from ledger.delivery import Delivery, IncompleteReadingsError
from ledger.devices import Area, DeviceKind, register_area, register_device
from ledger.settlement import MAX_FILLS, Settlement, SlotClosedError, TooManyFillsError, in_order
from ledger.steps import Stepper
from tests.ledger.certificates.street import ZONE, device, generation
from tests.ledger.journal import MemoryJournal
from tests.world import MARKET, SLOT, TERMS, World

PRICE = 150_000


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def stepper(world: World, journal: MemoryJournal) -> Stepper:
    return Stepper(world.chain, journal, patience_s=0)


@pytest.fixture
def settlement(world: World, stepper: Stepper) -> Settlement:
    return Settlement(world.exchange, MARKET, world.keys["operator"], stepper)


@pytest.fixture
def delivery(world: World, stepper: Stepper) -> Delivery:
    return Delivery(world.contracts, MARKET, world.keys["meter_authority"], stepper)


@pytest.fixture
def certification(world: World, stepper: Stepper) -> Certification:
    return Certification(world.contracts, MARKET, world.keys["issuer"], stepper)


def pair(world: World) -> list[FilledOrder]:
    """Member 0 buys 100 Wh from member 1; in descending order of hashes, which the step must put right."""
    fills = [FilledOrder(world.bid(0, 100, PRICE), 100), FilledOrder(world.offer(1, 100, PRICE), 100)]
    return sorted(fills, key=lambda fill: fill.signed.hash, reverse=True)


def readings(world: World) -> list[MemberReading]:
    metered = [MemberReading(key.address, 100 * (n == 0), 100 * (n == 1)) for n, key in enumerate(world.members)]
    return sorted(metered, key=lambda reading: reading.account, reverse=True)


def slot_state(world: World) -> int:
    state: int = world.exchange.read("slot_of", MARKET, SLOT)["state"]
    return state


def test_a_book_is_committed_with_its_merkle_root(world: World, settlement: Settlement) -> None:
    hashes = sorted(fill.signed.hash for fill in pair(world))
    world.close_gate()
    root = settlement.commit_book(SLOT, hashes)
    assert root == merkle.root(hashes)
    assert world.exchange.read("books", MARKET, SLOT) == keccak(encode(["bytes32", "uint256"], [root, 2]))


def test_a_slot_goes_through_its_life_and_every_step_can_be_repeated(
    world: World,
    settlement: Settlement,
    delivery: Delivery,
    certification: Certification,
    journal: MemoryJournal,
) -> None:
    producer, buyer = world.members[1].address, world.members[0].address
    registrar = world.keys["registrar"]
    area = register_area(world.contracts, registrar, Area(MARKET, ZONE))
    register_device(world.contracts, registrar, device(5, producer, area, DeviceKind.GENERATOR))
    register_device(world.contracts, registrar, device(6, buyer, area, DeviceKind.LOAD))
    fills = pair(world)
    world.close_gate()
    for _ in range(2):
        settlement.commit_book(SLOT, sorted(fill.signed.hash for fill in fills))
        settlement.settle(SLOT, PRICE, fills)
    assert slot_state(world) == 1
    world.at(SLOT + 900)
    part = SlotPart(
        (Issuance(5, producer, DeviceKind.GENERATOR, area, 100, 100),),
        (Consumption(6, buyer, DeviceKind.LOAD, area, 100, 100),),
        moves=(),
        matches=(Match(5, 6, 60),),
    )
    for _ in range(2):
        delivery.deliver(SLOT, readings(world))
        certification.certify(SLOT, [part])
    assert slot_state(world) == 2
    read = world.contracts.certificates.read
    token = int(generation(5))
    assert (read("balanceOf", producer, token), read("claimedBalanceOf", buyer, token)) == (40, 60)
    assert [intent.step for intent in journal.intents] == ["commit", "settle", "deliver", "certify"]
    assert len(journal.confirmed) == 4


def test_a_settlement_that_breaks_a_rule_is_refused_before_it_is_sent(
    world: World, settlement: Settlement, journal: MemoryJournal
) -> None:
    world.close_gate()
    settlement.commit_book(SLOT, [])
    with pytest.raises(CallRevertedError, match="exchange: above limit"):
        settlement.settle(SLOT, PRICE + 1, pair(world))
    assert [intent.step for intent in journal.intents] == ["commit"]


def test_a_slot_is_voided_when_its_time_is_over(world: World, settlement: Settlement) -> None:
    with pytest.raises(CallRevertedError, match="exchange: not yet"):
        settlement.void(SLOT)
    world.at(SLOT + TERMS.settle_within_s + 1)
    settlement.void(SLOT)
    settlement.void(SLOT)
    assert slot_state(world) == 3


def test_a_slot_that_somebody_voided_does_not_count_as_settled(world: World, settlement: Settlement) -> None:
    world.close_gate()
    settlement.commit_book(SLOT, [])
    world.at(SLOT + TERMS.settle_within_s + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    with pytest.raises(SlotClosedError, match=f"slot {SLOT} is voided: it cannot be settled"):
        settlement.settle(SLOT, PRICE, pair(world))
    settlement.void(SLOT)


def test_a_settled_slot_does_not_count_as_voided(world: World, settlement: Settlement) -> None:
    world.close_gate()
    settlement.commit_book(SLOT, [])
    settlement.settle(SLOT, PRICE, pair(world))
    world.at(SLOT + TERMS.settle_within_s + 1)
    with pytest.raises(SlotClosedError, match=f"slot {SLOT} is settled: it cannot be voided"):
        settlement.void(SLOT)
    settlement.settle(SLOT, PRICE, pair(world))


def test_a_delivery_that_misses_a_member_is_not_sent(
    world: World, settlement: Settlement, delivery: Delivery
) -> None:
    world.close_gate()
    settlement.commit_book(SLOT, [])
    settlement.settle(SLOT, PRICE, [])
    world.at(SLOT + 900)
    with pytest.raises(IncompleteReadingsError, match=f"slot {SLOT} has 3 readings: must be 4"):
        delivery.deliver(SLOT, readings(world)[:3])
    assert world.exchange.read("delivered_members", MARKET, SLOT) == 0


def test_settlements_have_limits(world: World, settlement: Settlement) -> None:
    with pytest.raises(TooManyFillsError, match=f"{MAX_FILLS + 1} filled orders: at most {MAX_FILLS}"):
        settlement.settle(SLOT, PRICE, pair(world)[:1] * (MAX_FILLS + 1))


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three fills or readings a transaction, to see chunks without thousands of orders."""
    monkeypatch.setattr("ledger.settlement.FILLS_PER_TRANSACTION", 3)
    monkeypatch.setattr("ledger.delivery.READINGS_PER_TRANSACTION", 3)


def many(world: World) -> list[FilledOrder]:
    """Seven fills: member 0 buys 10 Wh six times, member 1 sells them."""
    bids = [FilledOrder(world.bid(0, 10, PRICE), 10) for _ in range(6)]
    return [*bids, FilledOrder(world.offer(1, 60, PRICE), 60)]


@pytest.mark.usefixtures("small_transactions")
def test_a_large_slot_is_settled_and_delivered_in_chunks(
    world: World, settlement: Settlement, delivery: Delivery, journal: MemoryJournal
) -> None:
    fills = many(world)
    world.close_gate()
    for _ in range(2):
        settlement.commit_book(SLOT, sorted(fill.signed.hash for fill in fills))
        settlement.settle(SLOT, PRICE, fills)
    world.at(SLOT + 900)
    for _ in range(2):
        delivery.deliver(SLOT, readings(world))
    assert slot_state(world) == 2
    steps = [intent.step for intent in journal.intents]
    assert steps == ["commit", "settle-0", "settle-1", "settle", "deliver-0", "deliver"]


@pytest.mark.usefixtures("small_transactions")
def test_a_half_settled_slot_goes_on_where_it_stopped(
    world: World, settlement: Settlement, journal: MemoryJournal
) -> None:
    fills = in_order(many(world))
    world.close_gate()
    settlement.commit_book(SLOT, [fill.signed.hash for fill in fills])
    world.settle(fills[:3], PRICE, more=True)  # by another program, with the same key
    settlement.settle(SLOT, PRICE, fills)
    assert slot_state(world) == 1
    assert [intent.step for intent in journal.intents] == ["commit", "settle-0", "settle-1", "settle"]
    assert world.exchange.read("position_of", world.members[0].address, SLOT) == 60


@pytest.mark.usefixtures("small_transactions")
def test_a_half_settled_slot_is_unwound_when_its_time_is_over(
    world: World, settlement: Settlement, journal: MemoryJournal
) -> None:
    fills = in_order(many(world))
    accounts = [world.members[member].address for member in (0, 1)]
    before = [world.balance(account) for account in accounts]
    world.close_gate()
    settlement.commit_book(SLOT, [fill.signed.hash for fill in fills])
    for chunk in (fills[:3], fills[3:6]):
        world.settle(chunk, PRICE, more=True)
    assert [world.balance(account) for account in accounts] != before
    world.at(SLOT + TERMS.settle_within_s + 1)
    for _ in range(2):
        settlement.void(SLOT)
    assert slot_state(world) == 3
    assert [world.balance(account) for account in accounts] == before
    assert [intent.step for intent in journal.intents] == ["commit", "void", "unwind-1", "unwind-0"]


def test_a_slot_without_generation_is_certified_without_a_transaction(
    certification: Certification, journal: MemoryJournal
) -> None:
    certification.certify(SLOT, [])
    assert journal.intents == []
