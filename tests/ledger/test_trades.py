"""Trades as derived from a settlement's fills, the same for everybody who derives them."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.batches import FilledOrder
from ledger.trades import Trade, trades_of
from matching.orders import CertificatePreference, Side
from tests.ledger.orders import signed

UNBUNDLED, BUNDLED, AUTO_RETIRE = CertificatePreference


def test_no_fills_are_no_trades() -> None:
    assert trades_of([]) == []


def test_one_bid_and_one_offer_are_one_trade() -> None:
    bid, offer = FilledOrder(signed(1, Side.BID, 9), 5), FilledOrder(signed(2, Side.OFFER, 5), 5)
    assert trades_of([offer, bid]) == [Trade(number=0, seller=offer, buyer=bid, quantity_wh=5)]


def test_filled_orders_are_laid_end_to_end_in_ascending_order_of_hashes() -> None:
    fills = [
        *(FilledOrder(signed(member, Side.BID, wh), wh) for member, wh in ((1, 7), (2, 3))),
        *(FilledOrder(signed(member, Side.OFFER, wh), wh) for member, wh in ((3, 4), (4, 6))),
    ]
    by_hash = sorted(fills, key=lambda fill: fill.signed.hash)
    units = {
        side: [fill for fill in by_hash if fill.signed.order.side == side for _ in range(fill.fill_wh)]
        for side in Side
    }
    side_by_side = zip(units[Side.OFFER], units[Side.BID], strict=True)
    expected = Counter((seller.signed.hash, buyer.signed.hash) for seller, buyer in side_by_side)
    found = {(trade.seller.signed.hash, trade.buyer.signed.hash): trade.quantity_wh for trade in trades_of(fills)}
    assert found == dict(expected)


@pytest.mark.parametrize("offered", CertificatePreference)
@pytest.mark.parametrize("wanted", CertificatePreference)
def test_certificates_follow_a_trade_unless_one_side_says_no(
    offered: CertificatePreference, wanted: CertificatePreference
) -> None:
    bid = FilledOrder(signed(1, Side.BID, 5, certificates=wanted), 5)
    offer = FilledOrder(signed(2, Side.OFFER, 5, certificates=offered), 5)
    (trade,) = trades_of([bid, offer])
    assert trade.carries_certificates == (UNBUNDLED not in (offered, wanted))


@st.composite
def settlements(draw: st.DrawFn) -> list[FilledOrder]:
    """Fills whose bought and sold energy are equal."""
    amounts = draw(st.lists(st.integers(1, 50), min_size=1, max_size=6))
    cuts = draw(st.sets(st.integers(1, max(sum(amounts) - 1, 1)), max_size=5))
    ends = sorted({cut for cut in cuts if cut < sum(amounts)} | {sum(amounts)})
    sold = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    members = st.integers(1, 4)
    bids = [FilledOrder(signed(draw(members), Side.BID, wh, salt=n), wh) for n, wh in enumerate(amounts)]
    offers = [FilledOrder(signed(draw(members), Side.OFFER, wh, salt=n), wh) for n, wh in enumerate(sold)]
    return bids + offers


@given(settlements())
def test_trades_add_up_to_the_fills(fills: list[FilledOrder]) -> None:
    trades = trades_of(fills)
    assert [trade.number for trade in trades] == list(range(len(trades)))
    assert all(trade.quantity_wh > 0 for trade in trades)
    assert all(trade.seller.signed.order.side is Side.OFFER for trade in trades)
    assert all(trade.buyer.signed.order.side is Side.BID for trade in trades)
    traded: Counter[bytes] = Counter()
    for trade in trades:
        traded[trade.seller.signed.hash] += trade.quantity_wh
        traded[trade.buyer.signed.hash] += trade.quantity_wh
    assert traded == Counter({fill.signed.hash: fill.fill_wh for fill in fills})


@given(settlements(), st.randoms(use_true_random=False))
def test_the_order_in_which_fills_are_listed_changes_nothing(fills: list[FilledOrder], random: Random) -> None:
    shuffled = list(fills)
    random.shuffle(shuffled)
    assert trades_of(shuffled) == trades_of(fills)
