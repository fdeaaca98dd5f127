"""A slot's book is fixed once, between gate closure and the end of the time to settle; then anyone may void."""

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger.batches import FilledOrder
from tests.world import MARKET, SLOT, TERMS, World, refused

GATE_CLOSES_AT = SLOT - TERMS.gate_lead_s
LAST_SECOND = SLOT + TERMS.settle_within_s
ROOT = bytes(range(32))


def commit(world: World, slot: int = SLOT, *, who: str = "operator", market: bytes = MARKET) -> None:
    world.act(who, "commit_book", market, slot, ROOT, 3)


def test_a_book_is_the_hash_of_its_root_and_size(world: World) -> None:
    world.at(GATE_CLOSES_AT)
    receipt = world.act("operator", "commit_book", MARKET, SLOT, ROOT, 3)
    assert world.read("books", MARKET, SLOT) == keccak(encode(["bytes32", "uint256"], [ROOT, 3]))
    event = world.exchange.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert event.arguments == {"market": MARKET, "slot": SLOT, "root": ROOT, "size": 3}


@pytest.mark.parametrize("who", ["owner", "meter_authority", "registrar", "utility", "deployer"])
def test_only_the_operator_commits(world: World, who: str) -> None:
    world.close_gate()
    with refused("exchange: not the operator"):
        commit(world, who=who)


def test_nobody_commits_for_an_unknown_market(world: World) -> None:
    world.close_gate()
    with refused("exchange: not the operator"):
        commit(world, market=b"lugano".ljust(32, b"\0"))


@pytest.mark.parametrize("slot", [SLOT - 1, SLOT + 1, SLOT + 300])
def test_a_book_belongs_to_a_slot(world: World, slot: int) -> None:
    world.at(SLOT + 900)
    with refused("exchange: slot"):
        commit(world, slot)


def test_no_book_is_committed_while_orders_may_still_come(world: World) -> None:
    world.at(GATE_CLOSES_AT - 1)
    with refused("exchange: gate open"):
        commit(world)
    world.at(GATE_CLOSES_AT)
    commit(world)


def test_no_book_is_committed_after_the_time_to_settle(world: World) -> None:
    world.at(LAST_SECOND + 1)
    with refused("exchange: too late"):
        commit(world)


def test_a_book_can_be_committed_until_the_last_second_to_settle(world: World) -> None:
    world.at(LAST_SECOND)
    commit(world)


@pytest.mark.parametrize("again", [(ROOT, 3), (bytes(32), 0)])
def test_a_book_is_committed_once(world: World, again: tuple[bytes, int]) -> None:
    world.close_gate()
    commit(world)
    with refused("exchange: book committed"):
        world.act("operator", "commit_book", MARKET, SLOT, *again)


def test_the_empty_book_is_committed_once_too(world: World) -> None:
    world.commit()
    with refused("exchange: book committed"):
        commit(world)


# ------------------------------------------------------------------------------------------------ void


def test_anyone_voids_a_slot_whose_time_to_settle_is_over(world: World) -> None:
    world.at(LAST_SECOND + 1)
    receipt = world.act(world.strangers[0], "void", MARKET, SLOT)
    assert world.read("slot_of", MARKET, SLOT)["state"] == 3
    event = world.exchange.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert (event.name, event.arguments) == ("Voided", {"market": MARKET, "slot": SLOT})


def test_no_slot_is_voided_while_it_may_still_be_settled(world: World) -> None:
    world.at(LAST_SECOND)
    with refused("exchange: not yet"):
        world.act(world.strangers[0], "void", MARKET, SLOT)


def test_what_is_not_a_slot_is_not_voided(world: World) -> None:
    world.at(LAST_SECOND + 2)
    with refused("exchange: slot"):
        world.act(world.strangers[0], "void", MARKET, SLOT + 1)


def test_no_slot_of_an_unknown_market_is_voided(world: World) -> None:
    world.at(LAST_SECOND + 1)
    with refused("exchange: no such market"):
        world.act(world.strangers[0], "void", b"lugano".ljust(32, b"\0"), SLOT)


def test_a_settled_slot_is_not_voided(world: World) -> None:
    world.commit()
    world.settle([])
    world.at(LAST_SECOND + 1)
    with refused("exchange: slot closed"):
        world.act(world.strangers[0], "void", MARKET, SLOT)


def test_a_delivered_slot_is_not_voided(world: World) -> None:
    from ledger.batches import MemberReading

    world.commit()
    world.settle([])
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    world.at(LAST_SECOND + 1)
    with refused("exchange: slot closed"):
        world.act(world.strangers[0], "void", MARKET, SLOT)


def test_a_slot_is_voided_once(world: World) -> None:
    world.at(LAST_SECOND + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    with refused("exchange: slot closed"):
        world.act(world.strangers[0], "void", MARKET, SLOT)


def test_a_voided_slot_is_not_settled(world: World) -> None:
    world.commit()
    fills = [FilledOrder(world.bid(0, 5, 150_000), 5), FilledOrder(world.offer(1, 5, 150_000), 5)]
    world.at(LAST_SECOND + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    with refused("exchange: slot closed"):
        world.settle(fills)
