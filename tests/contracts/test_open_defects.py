"""Defects of the contracts that are still there: each test says what should hold, and fails.

`strict` turns a test red as soon as its defect is repaired; then it moves, without its mark, to where it belongs.
"""

import json
from pathlib import Path

import pytest

from ledger.batches import FilledOrder
from tests.world import SLOT, TERMS, World

PRICE = 150_000


def open_defect(what: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, reason=what)


def pair(world: World, slot: int = SLOT) -> list[FilledOrder]:
    """Member 0 buys 100 Wh from member 1."""
    bid, offer = world.bid(0, 100, PRICE, slot=slot), world.offer(1, 100, PRICE, slot=slot)
    return [FilledOrder(bid, 100), FilledOrder(offer, 100)]


@open_defect(
    "only the last epoch's first slot is kept: cancelling in two slots cancels what the gate had closed on"
)
def test_a_member_that_cancels_twice_does_not_stop_the_settlement_of_a_closed_slot(world: World) -> None:
    fills = pair(world)
    world.commit(size=2)
    for slot in (SLOT, SLOT + 900):
        world.at(slot - TERMS.gate_lead_s + 60)
        world.act(world.members[0], "cancel_all")
    world.settle(fills)


# The gas budgets of DESIGN section 6, from the snapshot that test_gas.py keeps.

GAS = json.loads((Path(__file__).parent / "gas_snapshot.json").read_text(encoding="utf-8"))


@open_defect("about 22,000 gas a filled order, amortised over the eight slots of a word")
def test_a_settlement_stays_within_its_budget() -> None:
    first, following = (GAS[f"settle 100 orders, {which}"] for which in ("first slot of a word", "following slot"))
    assert (first + 7 * following) / 8 / 100 <= 18_500


@open_defect("about 10,700 gas a member")
def test_a_delivery_stays_within_its_budget() -> None:
    assert GAS["deliver 100 members, following slot"] / 100 <= 10_000
