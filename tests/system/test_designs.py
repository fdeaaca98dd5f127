"""One slot on a real chain under each design that a node can trade by: orders over HTTP, amounts on chain."""

from pathlib import Path

import pytest

from matching.orders import Order, Side
from matching.wishes import Trait
from node.client import ApiProblemError
from node.design import UnknownDesignError
from node.wishes import StatedWish, Statement
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT, street

SOLAR_ONLY = Statement((StatedWish(Trait.SOURCE, ("solar",)),), nonce=1)


@pytest.mark.parametrize("design", ["uniform", "discriminatory", "continuous", "preferences"])
def test_a_slot_trades_on_chain_under_each_design(design: str, tmp_path: Path) -> None:
    with street(tmp_path, design) as found:
        cheap = found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        dear = found.place(SELLER_OF_STORED, Side.OFFER, 400, 140_000)
        eager = found.place(BUYER, Side.BID, 500, 200_000)
        modest = found.place(OTHER_BUYER, Side.BID, 500, 120_000)
        found.advance(SLOT - found.node.market.gate_lead_s)
        positions = [found.position(member) for member in range(4)]
        found.meter_after_the_slot(400, 500)

        fills = [found.fill(order) for order in (cheap, dear, eager, modest)]
        paid = [found.paid(member) for member in (SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER)]
        # In each design the first 500 Wh go to the eager buyer: 400 from the cheap offer, 100 from the dear one.
        assert fills == [400, 100, 500, 0]
        assert positions == [-400, -100, 500, 0]
        assert sum(paid) == 0
        expected_cost = {
            # The margin lies between the dear offer, filled in part, and itself: 14 ct for all.
            "uniform": 500 * 140_000,
            "preferences": 500 * 140_000,
            # Each trade halfway between its two limits.
            "discriminatory": 400 * 150_000 + 100 * 170_000,
            # At the price of the offer that was there first.
            "continuous": 400 * 100_000 + 100 * 140_000,
        }
        assert paid[BUYER] == expected_cost[design]
        found.check_audit(design)


def test_a_bid_for_solar_energy_gets_it_and_its_certificates(tmp_path: Path) -> None:
    with street(tmp_path, "preferences") as found:
        sun = found.place(SELLER_OF_SUN, Side.OFFER, 300, 150_000)
        stored = found.place(SELLER_OF_STORED, Side.OFFER, 300, 100_000)
        bid = found.place(BUYER, Side.BID, 500, 200_000, SOLAR_ONLY)
        found.trade_and_deliver(generated_wh=300, consumed_wh=500)
        # The other offer is cheaper, but not what the bid asked for.
        assert [found.fill(order) for order in (sun, stored, bid)] == [300, 0, 300]
        assert found.clients[BUYER].balance().retired_wh == 300
        found.check_audit("preferences")


def test_wishes_that_the_signature_does_not_cover_are_refused(tmp_path: Path) -> None:
    other = Statement(SOLAR_ONLY.wishes, nonce=2)
    with street(tmp_path, "preferences") as found:
        order = Order(
            account=found.keys[BUYER].address,
            market=found.node.market.id,
            slot=SLOT,
            side=Side.BID,
            price=200_000,
            quantity_wh=500,
            salt=other.salt,
        )
        with pytest.raises(ApiProblemError, match="must be") as refusal:
            found.clients[BUYER].place(order, SOLAR_ONLY)
        assert refusal.value.code == "order.wishes"
        assert found.node.store.orders() == []


def test_a_market_with_one_price_takes_no_wishes(tmp_path: Path) -> None:
    with street(tmp_path, "uniform") as found:
        with pytest.raises(ApiProblemError, match="takes no wishes") as refusal:
            found.place(BUYER, Side.BID, 500, 200_000, SOLAR_ONLY)
        assert refusal.value.code == "order.wishes"


@pytest.mark.parametrize("design", ["mcafee", "grid", "", "Uniform"])
def test_a_design_that_the_exchange_cannot_settle_is_refused(design: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownDesignError, match="must be one of"), street(tmp_path, design):
        pass
