"""Defects of the contracts that are still there: each test says what should hold, and fails.

`strict` turns a test red as soon as its defect is repaired; then it moves, without its mark, to where it belongs.
"""

import json
from pathlib import Path

import pytest

from ledger.batches import FilledOrder
from ledger.chain import CallRevertedError
from tests.world import SLOT, World

PRICE = 150_000


def open_defect(what: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, reason=what)


def pair(world: World, slot: int = SLOT) -> list[FilledOrder]:
    """Member 0 buys 100 Wh from member 1."""
    bid, offer = world.bid(0, 100, PRICE, slot=slot), world.offer(1, 100, PRICE, slot=slot)
    return [FilledOrder(bid, 100), FilledOrder(offer, 100)]


@open_defect("a member may cancel after the gate has closed and the price is known, which blocks the whole batch")
def test_no_member_can_stop_the_settlement_of_a_committed_slot(world: World) -> None:
    fills = pair(world)
    world.commit(size=2)
    world.act(world.members[0], "cancel_all")
    world.settle(fills)


@open_defect("a ripe request never lapses: its owner may empty the escrow under a bid without any notice")
def test_a_withdrawal_gives_notice_however_long_ago_it_was_requested(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", world.balance(member.address))
    world.time.now += 30 * 86_400
    with pytest.raises(CallRevertedError):
        world.act(member, "withdraw")


# The gas budgets of DESIGN section 6, from the snapshot that test_gas.py keeps.

GAS = json.loads((Path(__file__).parent / "gas_snapshot.json").read_text(encoding="utf-8"))


@open_defect("about 22,000 gas a filled order, amortised over the eight slots of a word")
def test_a_settlement_stays_within_its_budget() -> None:
    first, following = (GAS[f"settle 100 orders, {which}"] for which in ("first slot of a word", "following slot"))
    assert (first + 7 * following) / 8 / 100 <= 18_500


@open_defect("about 10,700 gas a member")
def test_a_delivery_stays_within_its_budget() -> None:
    assert GAS["deliver 100 members, following slot"] / 100 <= 10_000
