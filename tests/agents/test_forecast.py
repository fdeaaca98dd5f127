import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices.load import Load
from agents.forecast import NoHistoryError, backtest, errors, persistence, seasonal_naive
from tests.agents.parts import DAY_SLOTS, series, slot


def test_persistence_expects_what_was_metered_a_day_earlier() -> None:
    load = Load(0, series(list(range(100, 100 + 2 * DAY_SLOTS))))
    assert persistence(load, slot(DAY_SLOTS)) == 100
    assert persistence(load, slot(2 * DAY_SLOTS - 1)) == 100 + DAY_SLOTS - 1


def test_persistence_knows_nothing_of_the_first_day() -> None:
    load = Load(0, series([100] * 2 * DAY_SLOTS))
    assert persistence(load, slot(DAY_SLOTS - 1)) is None


def test_persistence_does_not_look_at_the_slot_it_forecasts() -> None:
    past = [7] * DAY_SLOTS
    assert persistence(Load(0, series(past)), slot(DAY_SLOTS)) == 7
    assert persistence(Load(0, series([*past, 999])), slot(DAY_SLOTS)) == 7


def test_what_comes_is_the_last_season_again_and_again() -> None:
    history = np.array([9, 9, 1, 2, 3])
    assert seasonal_naive(history, 3, 7).tolist() == [1, 2, 3, 1, 2, 3, 1]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=50), st.integers(1, 5), st.integers(0, 60))
def test_every_forecast_is_what_was_some_whole_seasons_earlier(past: list[int], season: int, slots: int) -> None:
    forecast = seasonal_naive(np.array(past), season, slots)
    for ahead, value in enumerate(forecast.tolist()):
        seasons = ahead // season + 1
        assert value == past[len(past) + ahead - seasons * season]


def test_a_history_shorter_than_a_season_is_refused() -> None:
    with pytest.raises(NoHistoryError, match="2 slots: must have at least a season of 3"):
        seasonal_naive(np.array([1, 2]), 3, 1)


def test_errors_are_those_of_the_textbook() -> None:
    found = errors([110, 90, 100, 130], [100, 100, 100, 100])
    assert found.mae == 12.5
    assert found.rmse == math.sqrt(1_100 / 4)
    assert found.bias == 7.5
    assert found.count == 4


def test_forecasting_what_repeats_makes_no_errors_and_a_trend_shows_as_bias() -> None:
    assert backtest(np.tile([1, 5, 9, 5], 6), 4, 6, range(4, 20, 4)).rmse == 0
    rising = backtest(np.arange(40), 4, 4, range(4, 40, 4))
    assert (rising.bias, rising.mae, rising.count) == (-4.0, 4.0, 36)


def test_a_forecast_that_looks_beyond_the_end_is_held_against_what_is_there() -> None:
    assert backtest(np.arange(10), 2, 6, [8]).count == 2
    assert backtest(np.arange(10), 2, 6, []).count == 0
