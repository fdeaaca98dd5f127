from fractions import Fraction

import numpy as np
import pytest

from matching.tariff import Tariff
from simulation.fontana import SUNNY_DAY, load_fontana
from simulation.homes import build_homes
from simulation.indicators import Period, bills, community_indicators
from simulation.trading import trade

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000)
FONTANA = load_fontana()
HOMES = build_homes(FONTANA, [bytes([number]) * 20 for number in range(17)], bytes(32))


def traded_on(positions: slice, tariff: Tariff = TARIFF) -> Period:
    return trade(HOMES, FONTANA.slots[positions], tariff)


def test_devices_are_numbered_without_gap_or_repetition() -> None:
    assert [device.number for home in HOMES for device in home.devices] == list(range(34))


def test_one_account_is_needed_for_each_home() -> None:
    with pytest.raises(ValueError, match="zip"):
        build_homes(FONTANA, [bytes(20)], bytes(32))


def test_homes_meter_what_the_data_say() -> None:
    positions = FONTANA.day(SUNNY_DAY)
    period = traded_on(positions)
    assert (period.consumption_wh == [home.consumption_wh[positions] for home in FONTANA.homes]).all()
    assert (period.generation_wh == [home.generation_wh[positions] for home in FONTANA.homes]).all()


def test_nothing_is_traded_on_the_first_day_for_want_of_a_forecast() -> None:
    assert not traded_on(slice(0, 96)).bought_wh.any()


def test_all_that_the_forecasts_match_is_traded_and_not_more() -> None:
    positions = FONTANA.day(SUNNY_DAY)
    period = traded_on(positions)
    expected = np.array(
        [[home.expected_net_wh(slot) for slot in FONTANA.slots[positions].tolist()] for home in HOMES]
    )
    needed, spare = np.maximum(expected, 0).sum(axis=0), np.maximum(-expected, 0).sum(axis=0)
    assert (period.bought_wh.sum(axis=0) == np.minimum(needed, spare)).all()


def test_the_price_falls_when_the_sun_makes_energy_abundant() -> None:
    period = traded_on(FONTANA.day(SUNNY_DAY))
    price = -period.amounts_nano.min(axis=0) / np.maximum(
        period.bought_wh[period.amounts_nano.argmin(axis=0), range(96)], 1
    )
    assert 90_000 < price[12 * 4] < 125_000  # 12:00
    assert 185_000 < price[18 * 4] < 220_000  # 18:00


def test_the_sunny_day_has_the_indicators_of_the_readme() -> None:
    result = community_indicators(traded_on(FONTANA.day(SUNNY_DAY)))
    assert (result.imported_wh, result.exported_wh) == (233_195, 42_853)
    assert (result.exchanged_wh, result.traded_wh) == (100_664, 78_267)
    assert result.self_sufficiency == Fraction(616_522 - 233_195, 616_522)


def test_the_community_pays_less_with_a_market_than_without() -> None:
    result = bills(traded_on(FONTANA.day(SUNNY_DAY)), TARIFF)
    assert sum(bill.market_nano for bill in result) < sum(bill.utility_nano for bill in result)
