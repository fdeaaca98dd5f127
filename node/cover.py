"""Cover: how much escrow an account's orders and undelivered positions may still cost it, at worst.

All prices are the tariff's of the slot in question; all amounts are nano-credits.
"""

from matching.orders import Order, Side
from matching.tariff import Tariff


def order_cover(order: Order, tariff: Tariff) -> int:
    """What an order may cost.

    A bid: its limit price and the grid fee, on all of it. An offer of energy that then fails to come: the retail
    price, at which the utility makes up for it, less the limit price, which the buyer has paid at least.
    """
    if order.side is Side.BID:
        return order.quantity_wh * (order.price + tariff.grid_fee)
    return order.quantity_wh * max(0, tariff.retail_price - order.price)


def position_cover(position_wh: int, tariff: Tariff) -> int:
    """What a settled position may cost until it is delivered.

    Bought energy (positive): the grid fee. Sold energy (negative): the retail price, should it not come; the
    buyer's money is in the balance already.
    """
    if position_wh > 0:
        return position_wh * tariff.grid_fee
    return -position_wh * tariff.retail_price
