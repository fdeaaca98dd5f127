from hypothesis import given
from hypothesis import strategies as st

from matching.orders import Side
from matching.tariff import Tariff
from node.cover import order_cover, position_cover
from tests.node.parts import order

PRICES = st.integers(0, 400_000)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    retail_price = draw(PRICES)
    return Tariff(retail_price, draw(st.integers(0, retail_price)), draw(PRICES))


@given(tariff=tariffs(), limit=PRICES, price=PRICES, quantity_wh=st.integers(1, 1_000), data=st.data())
def test_a_bids_cover_pays_for_any_fill_at_any_price_within_its_limit(
    tariff: Tariff, limit: int, price: int, quantity_wh: int, data: st.DataObject
) -> None:
    fill_wh = data.draw(st.integers(0, quantity_wh))
    cost = fill_wh * min(price, limit) + position_cover(fill_wh, tariff)
    assert cost <= order_cover(order(price=limit, quantity_wh=quantity_wh).order, tariff)


@given(tariff=tariffs(), limit=PRICES, above=PRICES, quantity_wh=st.integers(1, 1_000), data=st.data())
def test_an_offers_cover_pays_for_the_energy_that_does_not_come(
    tariff: Tariff, limit: int, above: int, quantity_wh: int, data: st.DataObject
) -> None:
    fill_wh = data.draw(st.integers(0, quantity_wh))
    loss = fill_wh * (tariff.retail_price - limit - above)
    offer = order(side=Side.OFFER, price=limit, quantity_wh=quantity_wh).order
    assert loss <= order_cover(offer, tariff)


@given(tariff=tariffs(), limit=PRICES, above=PRICES, sold_wh=st.integers(1, 1_000))
def test_settling_an_offer_never_lowers_what_is_free(tariff: Tariff, limit: int, above: int, sold_wh: int) -> None:
    before = -order_cover(order(side=Side.OFFER, price=limit, quantity_wh=sold_wh).order, tariff)
    after = sold_wh * (limit + above) - position_cover(-sold_wh, tariff)
    assert after >= before


def test_no_position_needs_no_cover() -> None:
    assert position_cover(0, Tariff(220_000, 90_000, 20_000)) == 0
