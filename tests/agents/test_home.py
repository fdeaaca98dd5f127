from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from matching.orders import Side
from matching.tariff import Tariff
from tests.agents.parts import DAY_SLOTS, TARIFF, home, slot

TOMORROW = slot(DAY_SLOTS)
energies = st.integers(0, 5_000)


def a_day_of(energy_wh: int) -> list[int]:
    return [energy_wh] * DAY_SLOTS


def test_a_home_bids_for_what_it_will_need() -> None:
    order = home(a_day_of(900), a_day_of(200)).order_for(TOMORROW, TARIFF)
    assert order is not None
    assert (order.side, order.quantity_wh, order.price) == (Side.BID, 700, 180_000)
    assert (order.slot, order.account, order.market) == (TOMORROW, bytes(range(20)), bytes(range(32)))


def test_a_home_offers_what_it_will_have_to_spare() -> None:
    order = home(a_day_of(200), a_day_of(900)).order_for(TOMORROW, TARIFF)
    assert order is not None
    assert (order.side, order.quantity_wh, order.price) == (Side.OFFER, 700, 120_000)


def test_a_home_that_balances_itself_does_not_trade() -> None:
    assert home(a_day_of(200), a_day_of(200)).order_for(TOMORROW, TARIFF) is None


def test_a_home_without_photovoltaics_bids_for_its_load() -> None:
    consumer = home(a_day_of(200), None)
    order = consumer.order_for(TOMORROW, TARIFF)
    assert order is not None
    assert (order.side, order.quantity_wh) == (Side.BID, 200)
    assert consumer.devices == (consumer.load,)


def test_a_home_without_a_forecast_does_not_trade() -> None:
    assert home(a_day_of(900), a_day_of(200)).order_for(slot(0), TARIFF) is None
    assert home(a_day_of(900), []).order_for(TOMORROW, TARIFF) is None


def test_a_home_does_not_trade_where_the_grid_fee_eats_the_gain_up() -> None:
    tariff = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=130_000)
    assert home(a_day_of(900), None).order_for(TOMORROW, tariff) is None
    assert home(a_day_of(0), a_day_of(900)).order_for(TOMORROW, tariff) is None


@given(energies, energies, st.fractions(0, 1))
def test_an_order_is_the_forecast_net_at_a_price_no_worse_than_the_utilitys(
    consumption_wh: int, generation_wh: int, share: Fraction
) -> None:
    order = home(a_day_of(consumption_wh), a_day_of(generation_wh), share).order_for(TOMORROW, TARIFF)
    if order is None:
        assert consumption_wh == generation_wh
    else:
        sign = 1 if order.side is Side.BID else -1
        assert sign * order.quantity_wh == consumption_wh - generation_wh
        assert TARIFF.feed_in_price <= order.price <= TARIFF.retail_price - TARIFF.grid_fee


def test_the_same_slot_gives_the_same_order_again() -> None:
    prosumer = home(a_day_of(900), a_day_of(200))
    assert prosumer.order_for(TOMORROW, TARIFF) == prosumer.order_for(TOMORROW, TARIFF)
