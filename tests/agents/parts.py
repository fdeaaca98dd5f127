"""Small devices and homes for the tests of this package."""

from fractions import Fraction

import numpy as np

from agents.devices.load import Load
from agents.devices.photovoltaic import Photovoltaic
from agents.devices.series import Series
from agents.home import Home
from agents.strategies.gain_share import GainShare
from matching.tariff import Tariff

SLOT_S = 3_600
DAY_SLOTS = 24
FIRST_SLOT = 1_470_034_800
TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=10_000)


def series(energy_wh: list[int]) -> Series:
    return Series(FIRST_SLOT, SLOT_S, np.array(energy_wh, dtype=np.int64))


def slot(index: int) -> int:
    return FIRST_SLOT + index * SLOT_S


def home(consumption_wh: list[int], generation_wh: list[int] | None, share: Fraction = Fraction(1, 4)) -> Home:
    return Home(
        account=bytes(range(20)),
        market=bytes(range(32)),
        load=Load(0, series(consumption_wh)),
        photovoltaic=None if generation_wh is None else Photovoltaic(1, series(generation_wh), 5_000),
        strategy=GainShare(share),
    )
