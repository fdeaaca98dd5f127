"""What a Wh is worth to a plan, as a curve, and the orders that bid it.

**Derivation.** Let V(q) be the least cost of everything in a plan but the first slot's trade, if the household's
net flow in the first slot is q (import less export). V is the optimal value of a linear program as a function of a
right-hand side, so it is convex and piecewise linear, and -V'(q) is what one more Wh is worth: the most the
household should pay for it or, going the other way, the least it should take for it. It falls with q in steps.

The steps are found from the other side. At an all-in price p the household wants the q that minimises
C(p) = min_q p·q + V(q), which is one solve with p as the cost of the first slot's flow. C is concave and piecewise
linear with slope q, so between two prices whose solves gave (C1, q1) and (C2, q2) the two tangents cross at

    p* = (C2 - q2·p2 - C1 + q1·p1) / (q1 - q2),

and either C(p*) lies on the tangents, and p* is the one price between at which demand jumps from q1 to q2, or the
solve at p* shows another q in between and both halves are searched alike (Eisner and Severance, Journal of the
ACM 23, 1976). n jumps take at most 2n + 1 solves, each from the basis of the last.

**Orders.** The utility sells at retail and buys at feed-in whatever happens, so what is worth more than retail is
bid at retail, and what is worth less than feed-in is offered at feed-in; between them every jump is a step of its
own. A buyer pays the grid fee on top, so a bid is the worth less the fee. Bids are rounded down to whole
nano-credits and Wh, offers up to nano-credits and down to Wh: no order asks for a trade the plan would regret.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from matching.orders import MAX_QUANTITY_WH
from matching.tariff import Tariff

FLAT_WH = 1e-3
"""Demands that differ less are the same."""

NEAR_PRICE = 1e-2
"""Prices, nano-credit per Wh, that differ less are the same."""

RELATIVE = 1e-9
"""The solver's costs are about so exact."""


@dataclass(frozen=True, slots=True)
class Jump:
    """At `price` all in, nano-credit per Wh, demand falls from `below_wh` to `above_wh`, Wh."""

    price: float
    below_wh: float
    above_wh: float


@dataclass(frozen=True, slots=True)
class Demand:
    """Net flow wanted at each price between two, as its value at either end and the jumps between.

    Attributes:
        at_low_wh: wanted at the low price, Wh; negative to give.
        at_high_wh: wanted at the high price, Wh.
        jumps: from the lowest price to the highest.
    """

    at_low_wh: float
    at_high_wh: float
    jumps: tuple[Jump, ...]

    def clamp(self, net_wh: int) -> float:
        """The flow nearest to a traded one that the household wants at some price; the utility takes the rest."""
        return min(max(float(net_wh), self.at_high_wh), self.at_low_wh)


def trace(at_price: Callable[[float], tuple[float, float]], low_price: float, high_price: float) -> Demand:
    """The demand between two prices.

    Args:
        at_price: least cost C(p) and the flow q that attains it, for an all-in price p.
        low_price: the lower end, nano-credit per Wh.
        high_price: the upper end.
    """
    low, high = (low_price, *at_price(low_price)), (high_price, *at_price(high_price))
    return Demand(at_low_wh=low[2], at_high_wh=high[2], jumps=tuple(_between(at_price, low, high)))


_Point = tuple[float, float, float]


def _between(at_price: Callable[[float], tuple[float, float]], low: _Point, high: _Point) -> Iterable[Jump]:
    (low_price, low_cost, low_wh), (high_price, high_cost, high_wh) = low, high
    if low_wh - high_wh < FLAT_WH:
        return
    crossing = (high_cost - high_wh * high_price - low_cost + low_wh * low_price) / (low_wh - high_wh)
    crossing = min(max(crossing, low_price), high_price)
    if crossing - low_price < NEAR_PRICE or high_price - crossing < NEAR_PRICE:
        yield Jump(crossing, low_wh, high_wh)
        return
    cost, net_wh = at_price(crossing)
    tangent = low_cost + low_wh * (crossing - low_price)
    on_tangent = tangent - cost <= RELATIVE * abs(cost) + NEAR_PRICE * FLAT_WH
    if on_tangent or net_wh > low_wh - FLAT_WH or net_wh < high_wh + FLAT_WH:
        yield Jump(crossing, low_wh, high_wh)
        return
    middle = (crossing, cost, net_wh)
    yield from _between(at_price, low, middle)
    yield from _between(at_price, middle, high)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a curve of orders: `quantity_wh` at the limit price `price`, nano-credit per Wh."""

    price: int
    quantity_wh: int


@dataclass(frozen=True, slots=True)
class StepCurve:
    """A household's orders for one slot: bids from the dearest down, offers from the cheapest up."""

    bids: tuple[Step, ...]
    offers: tuple[Step, ...]


def orders(demand: Demand, tariff: Tariff) -> StepCurve:
    """The demand as orders; `demand` must have been traced from the tariff's feed-in to its retail price."""
    cap = tariff.retail_price - tariff.grid_fee
    bids = [(cap, max(demand.at_high_wh, 0.0))]
    for jump in reversed(demand.jumps):
        price = math.floor(jump.price + NEAR_PRICE) - tariff.grid_fee
        bids.append((min(price, cap), max(jump.below_wh, 0.0) - max(jump.above_wh, 0.0)))
    offers = [(tariff.feed_in_price, max(-demand.at_low_wh, 0.0))]
    for jump in demand.jumps:
        price = math.ceil(jump.price - NEAR_PRICE)
        if jump.below_wh > 0:  # some of this jump is a bid: the offer is dearer, so that they never trade
            price = max(price, math.floor(jump.price + NEAR_PRICE) + 1)
        offers.append((max(price, tariff.feed_in_price), max(-jump.above_wh, 0.0) - max(-jump.below_wh, 0.0)))
    return StepCurve(
        bids=_steps((price, energy) for price, energy in bids if price >= tariff.feed_in_price),
        offers=_steps((price, energy) for price, energy in offers if price <= cap),
    )


def _steps(pieces: Iterable[tuple[int, float]]) -> tuple[Step, ...]:
    """Whole Wh: the running total is rounded down, so that no sum of steps exceeds the demand."""
    steps: list[Step] = []
    total, whole = 0.0, 0
    for price, energy_wh in pieces:
        total += energy_wh
        quantity = min(math.floor(total + FLAT_WH) - whole, MAX_QUANTITY_WH)
        if quantity <= 0:
            continue
        whole += quantity
        if steps and steps[-1].price == price:
            steps[-1] = Step(price, steps[-1].quantity_wh + quantity)
        else:
            steps.append(Step(price, quantity))
    return tuple(steps)
