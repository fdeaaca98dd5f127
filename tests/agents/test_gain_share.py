from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.strategies.gain_share import GainShare, InvalidShareError, spread
from matching.orders import MAX_PRICE
from matching.tariff import Tariff
from tests.agents.parts import TARIFF

prices = st.integers(0, MAX_PRICE)
shares = st.fractions(0, 1)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    feed_in, retail = sorted((draw(prices), draw(prices)))
    return Tariff(
        retail, feed_in, draw(st.integers(0, 2 * (retail - feed_in) + 1).filter(lambda x: x <= MAX_PRICE))
    )


def test_prices_at_a_quarter_of_the_gain() -> None:
    strategy = GainShare(Fraction(1, 4))
    assert strategy.bid_price(TARIFF) == 210_000 - 30_000
    assert strategy.offer_price(TARIFF) == 90_000 + 30_000


@given(tariffs(), shares)
def test_no_order_is_worse_than_the_utility(tariff: Tariff, share: Fraction) -> None:
    bid, offer = GainShare(share).bid_price(tariff), GainShare(share).offer_price(tariff)
    if tariff.gain_per_wh <= 0:
        assert bid is None
        assert offer is None
    else:
        assert bid is not None
        assert offer is not None
        assert tariff.feed_in_price <= bid <= tariff.retail_price - tariff.grid_fee
        assert tariff.feed_in_price <= offer <= tariff.retail_price - tariff.grid_fee


@given(tariffs(), st.integers(2, 40))
def test_every_bid_of_a_spread_accepts_every_offer(tariff: Tariff, count: int) -> None:
    strategies = spread(count)
    bids = [strategy.bid_price(tariff) for strategy in strategies]
    offers = [strategy.offer_price(tariff) for strategy in strategies]
    if tariff.gain_per_wh > 0:
        assert min(bid for bid in bids if bid is not None) >= max(offer for offer in offers if offer is not None)


def test_homes_of_a_spread_ask_different_prices() -> None:
    strategies = spread(17)
    assert len({strategy.bid_price(TARIFF) for strategy in strategies}) == 17
    assert len({strategy.offer_price(TARIFF) for strategy in strategies}) == 17


@pytest.mark.parametrize("bad", [Fraction(-1, 2), Fraction(3, 2), 0.5, 1])
def test_a_share_outside_its_limits_is_refused(bad: object) -> None:
    with pytest.raises(InvalidShareError):
        GainShare(bad)  # type: ignore[arg-type]  # bad on purpose
