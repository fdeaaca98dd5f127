"""Forecasts of what will be metered or paid, made from nothing but the past, and how wrong they were.

Both methods are seasonal naive: what comes is what was, a season earlier. With a season of a day this is
persistence; with one of a week it knows weekdays from weekends. They are what better forecasts have to beat.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.devices.series import Device
from matching.book import Ints
from matching.errors import WattbookError

DAY_S = 86_400
WEEK_S = 7 * DAY_S


class NoHistoryError(WattbookError):
    """A forecast was asked for that needs more of the past than there is."""

    code = "forecast.history"


def persistence(device: Device, slot: int) -> int | None:
    """Energy expected in `slot`, Wh: what the device metered in the slot 24 hours earlier.

    None if the device had no meter then: nothing is known, which is not the same as nothing expected.
    """
    return device.metered.at(slot - DAY_S)


def seasonal_naive(history: Ints, season: int, slots: int) -> Ints:
    """What is expected in the `slots` slots after the history: the last season of it, as often as needed.

    Args:
        history: what was, one entry a slot, the latest last; energy, Wh, or a price, nano-credit per Wh.
        season: length of a season in slots, e.g. 96 quarter-hours for persistence and 672 for a week.
        slots: how many slots to forecast.

    Raises:
        NoHistoryError: the history is shorter than a season.
    """
    if len(history) < season:
        raise NoHistoryError(f"history has {len(history)} slots: must have at least a season of {season}")
    return np.resize(history[len(history) - season :], slots)


@dataclass(frozen=True, slots=True)
class ForecastErrors:
    """How wrong forecasts were, in the unit of what was forecast: Wh, or nano-credit per Wh.

    With e = forecast - actual over n forecast slots:

    Attributes:
        mae: mean absolute error, Σ |e| / n.
        rmse: root of the mean squared error, √(Σ e² / n).
        bias: mean error, Σ e / n; above zero if the forecasts were too high.
        count: n.
    """

    mae: float
    rmse: float
    bias: float
    count: int


def errors(forecast: npt.ArrayLike, actual: npt.ArrayLike) -> ForecastErrors:
    """The errors of forecasts, of any shape, beside what came; all zero if there are none."""
    off = np.asarray(forecast, dtype=np.float64) - np.asarray(actual, dtype=np.float64)
    if not off.size:
        return ForecastErrors(0.0, 0.0, 0.0, 0)
    return ForecastErrors(
        mae=float(np.abs(off).mean()),
        rmse=float(np.sqrt(np.square(off).mean())),
        bias=float(off.mean()),
        count=off.size,
    )


def backtest(series: Ints, season: int, horizon: int, origins: Iterable[int]) -> ForecastErrors:
    """The errors over a period: of every forecast that would have been made at these origins.

    Args:
        series: what came, one entry a slot.
        season: as in `seasonal_naive`.
        horizon: how many slots each forecast looks ahead; one that looks beyond the series is cut off.
        origins: positions in the series of the first slot that each forecast does not know.

    Raises:
        NoHistoryError: an origin has less than a season before it.
    """
    made, came = [], []
    for origin in origins:
        actual = series[origin : origin + horizon]
        made.append(seasonal_naive(series[:origin], season, len(actual)))
        came.append(actual)
    if not made:
        return errors([], [])
    return errors(np.concatenate(made), np.concatenate(came))
