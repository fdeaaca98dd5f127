"""Trading without a chain: agents' homes on one side, the auction on the other, nothing in between.

What a node settles on a chain for the same homes, slots and tariff must come out the same.
"""

from collections.abc import Sequence

import numpy as np

from agents.devices.series import Series
from agents.home import Home
from matching.book import Ints, from_arrays
from matching.orders import Order, Side
from matching.tariff import Tariff
from matching.uniform import clear
from simulation.indicators import Period


def trade(homes: Sequence[Home], slots: Ints, tariff: Tariff) -> Period:
    """What these homes meter and trade in these slots at a uniform price.

    Args:
        homes: each places at most one order a slot; orders are received in the order of the homes.
        slots: starts of the slots, Unix seconds UTC; every home must be metered in them.
        tariff: the market's tariff.

    Returns:
        The period, homes and slots in the order given.
    """
    consumption, generation, bought, sold, amounts = np.zeros((5, len(homes), len(slots)), dtype=np.int64)
    for column, slot in enumerate(slots.tolist()):
        orders = [(row, order) for row, home in enumerate(homes) if (order := home.order_for(slot, tariff))]
        rows, fills_wh, amounts_nano = _clear(orders)
        is_bid = np.array([order.side == Side.BID for _, order in orders], dtype=bool)
        bought[rows, column] = np.where(is_bid, fills_wh, 0)
        sold[rows, column] = np.where(is_bid, 0, fills_wh)
        amounts[rows, column] = amounts_nano
    for row, home in enumerate(homes):
        consumption[row] = _metered(home.load.metered, slots)
        if home.photovoltaic is not None:
            generation[row] = _metered(home.photovoltaic.metered, slots)
    return Period(consumption, generation, bought, sold, amounts)


def _clear(orders: Sequence[tuple[int, Order]]) -> tuple[Ints, Ints, Ints]:
    """Rows of the homes with an order, and what each order's fill and amount are."""
    rows = np.array([row for row, _ in orders], dtype=np.int64)
    clearing = clear(
        from_arrays(
            [order.side for _, order in orders],
            [order.price for _, order in orders],
            [order.quantity_wh for _, order in orders],
        )
    )
    return rows, clearing.fills_wh, clearing.amounts_nano


def _metered(series: Series, slots: Ints) -> Ints:
    return series.energy_wh[(slots - series.first_slot) // series.slot_s]
