"""Orders that members put on chain: the node trades them like those that it was given."""

from pathlib import Path

import httpx
import pytest

from ledger.market import read_account
from matching.orders import Side
from node.store.records import OrderStatus, SlotState
from tests.system.recourse import post
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT, Street, street


def price_on_chain(found: Street) -> int:
    price: int = found.node.contracts.exchange.read("slot_of", found.node.market.id, SLOT)["price"]
    return price


def balance(found: Street, member: int) -> int:
    return read_account(found.node.contracts, found.keys[member].address).balance_nano


def test_a_posted_bid_trades_with_a_placed_offer(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        offer = found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        bid = post(found, BUYER, Side.BID, 400, 200_000)
        assert balance(found, BUYER) == DEPOSIT - 400 * 200_000
        found.advance(SLOT - 300)
        assert found.state() is SlotState.SETTLED
        assert [found.fill(order) for order in (offer, bid)] == [400, 400]
        assert found.position(BUYER) == 400
        # The price is halfway between the two limits; the rest of what was set aside is the buyer's again.
        assert balance(found, BUYER) == DEPOSIT - 400 * 150_000
        shown = httpx.get(f"{found.node.url}/v1/orders", params={"slot": SLOT}).json()["items"]
        assert [(each["hash"], each["source"], each["receipt"] is None) for each in shown] == [
            (f"0x{bid.hex()}", "posted", True),
            (f"0x{offer.hex()}", "placed", False),
        ]
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_posted_orders_alone_trade(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        post(found, SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        post(found, BUYER, Side.BID, 300, 200_000)
        found.trade_and_deliver(400, 300)
        assert found.node.store.slot(SLOT).book_size == 0  # type: ignore[union-attr]
        assert found.clients[BUYER].balance().retired_wh == 300
        found.check_audit()


@pytest.mark.parametrize("cancelled", [False, True])
def test_an_order_that_was_placed_and_posted_trades_once_even_if_it_was_cancelled(
    tmp_path: Path, cancelled: bool
) -> None:
    with street(tmp_path) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        bid = found.place(BUYER, Side.BID, 400, 200_000)
        if cancelled:
            found.clients[BUYER].cancel(bid)
        assert post(found, BUYER, Side.BID, 400, 200_000) == bid
        found.advance(SLOT - 300)
        assert found.position(BUYER) == 400
        assert found.node.store.slot(SLOT).book_size == (1 if cancelled else 2)  # type: ignore[union-attr]
        assert balance(found, BUYER) == DEPOSIT - 400 * 150_000
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_where_nothing_trades_no_order_is_better_than_the_price_on_chain(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        placed = found.place(BUYER, Side.BID, 400, 120_000)
        posted = post(found, OTHER_BUYER, Side.BID, 400, 130_000)
        post(found, SELLER_OF_SUN, Side.OFFER, 400, 140_000)
        found.place(SELLER_OF_STORED, Side.OFFER, 400, 150_000)
        found.advance(SLOT - 300)
        assert found.state() is SlotState.SETTLED
        assert price_on_chain(found) == 130_000
        assert found.clients[0].slot(SLOT).price is None
        assert [found.clients[0].order(each).status for each in (placed, posted)] == [OrderStatus.UNFILLED] * 2
        assert balance(found, OTHER_BUYER) == DEPOSIT
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_a_posted_order_that_its_account_cancelled_is_rejected(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        bid = post(found, BUYER, Side.BID, 400, 200_000)
        found.act(BUYER, "cancel_all")
        found.advance(SLOT - 300)
        assert found.clients[0].order(bid).status is OrderStatus.REJECTED
        assert balance(found, BUYER) == DEPOSIT
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_posted_orders_of_a_voided_slot_are_void(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        post(found, BUYER, Side.BID, 400, 200_000)
        found.advance(found.node.market.void_after(SLOT) + 1)
        assert found.state() is SlotState.VOIDED
        assert balance(found, BUYER) == DEPOSIT
        found.meter(400, 400)
        found.advance(found.node.market.void_after(SLOT) + 1)
        found.check_audit()


def test_the_node_cannot_settle_without_a_posted_order_and_goes_on_once_it_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(OTHER_BUYER, Side.BID, 400, 150_000)
        post(found, BUYER, Side.BID, 400, 200_000)
        with monkeypatch.context() as patch:
            patch.setattr(found.node.lifecycle, "_posted", lambda _: [])
            found.advance(SLOT - 300)
            assert found.state() is SlotState.COMMITTED
        found.node.lifecycle.advance()
        assert found.state() is SlotState.SETTLED
        assert found.position(BUYER) == 400
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_what_is_set_aside_covers_no_other_order(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 40_000, 100_000)
        placed = found.place(BUYER, Side.BID, 30_000, 200_000)
        posted = post(found, BUYER, Side.BID, 40_000, 210_000, salt=1)
        found.advance(SLOT - 300)
        # 8.4 of its 10 credits are set aside, and the placed bid needs 6; it was better than the price.
        assert found.clients[0].order(placed).status is OrderStatus.REJECTED
        assert found.fill(posted) == 40_000
        challenges, account = found.node.contracts.challenges, found.keys[BUYER].address
        assert challenges.read("is_overdrawn", found.node.market.id, SLOT, account) == (
            price_on_chain(found) < 200_000
        )
        found.meter_after_the_slot(400, 400)
        found.check_audit()
