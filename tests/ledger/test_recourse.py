"""A market's bond: posted with credits outside of escrow, and only with credits that are there."""

import pytest

from ledger.recourse import NoStakeError, post_bond
from tests.world import MARKET, World, refused

UNKNOWN = b"lugano".ljust(32, b"\0")


def test_a_bond_is_added_to_from_credits_outside_of_escrow(world: World) -> None:
    payer = world.strangers[0]
    world.send("treasurer", world.contracts.credit, "mint", payer.address, 30)
    assert post_bond(world.contracts, payer, MARKET, 10) == 10
    assert post_bond(world.contracts, payer, MARKET, 20) == 30
    with pytest.raises(NoStakeError, match="has 0 outside of escrow"):
        post_bond(world.contracts, payer, MARKET, 1)
    assert world.read("bonds", MARKET) == 30


def test_a_market_that_is_not_there_has_no_bond(world: World) -> None:
    world.send("treasurer", world.contracts.credit, "mint", world.strangers[0].address, 1)
    with refused("challenges: no such market"):
        post_bond(world.contracts, world.strangers[0], UNKNOWN, 1)
