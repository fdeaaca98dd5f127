"""Indicators of a community over a period, computed from what was metered and what was traded.

**The border.** The community is everything behind one connection point; the utility is outside. In a slot the
community imports what its homes together consume beyond what they together generate, and exports the reverse;
energy that one home feeds in and another takes in the same slot crosses no border. Import, export,
self-sufficiency and self-consumption are therefore facts of the meters, and no trade changes them: a market
without storage or flexible loads moves money, not energy.

**Exchanged and traded.** Energy *exchanged* is metered: what flowed between homes. Energy *traded* is contracted:
what orders, made on forecasts, agreed on beforehand. They differ by the forecast errors. A home that bought more
than it then needed has traded energy that was not exchanged; a surplus nobody foresaw is exchanged and was not
traded. Each home's difference between metered and contracted is its imbalance, which it settles with the utility.

Notation: c and g are a home's metered consumption and generation in a slot, b and s what it bought and sold in the
community; h runs over homes, t over slots. All results are exact: integers, or fractions of integers.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from matching.book import Ints
from matching.errors import WattbookError
from matching.exact import exact_sum
from matching.tariff import Tariff


class InvalidPeriodError(WattbookError):
    """The arrays of a period do not fit together.

    Attributes:
        field: the name of the field.
    """

    code = "simulation.period"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"period field '{field}' {problem}")
        self.field = field


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """What was metered and traded; five int64 arrays of one shape: homes in rows, slots in columns.

    Attributes:
        consumption_wh: metered consumption c.
        generation_wh: metered generation g.
        bought_wh: energy b bought in the community.
        sold_wh: energy s sold in the community.
        amounts_nano: credits received (+) or paid (-) for it, grid fee excluded, nano-credit.

    Raises:
        InvalidPeriodError: shapes differ, energy is negative, or in some slot bought and sold energy differ or the
            amounts do not sum to zero.
    """

    consumption_wh: Ints
    generation_wh: Ints
    bought_wh: Ints
    sold_wh: Ints
    amounts_nano: Ints

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        shape = self.consumption_wh.shape
        for field in ("consumption_wh", "generation_wh", "bought_wh", "sold_wh", "amounts_nano"):
            array: Ints = getattr(self, field)
            if array.ndim != 2 or array.shape != shape or array.dtype != np.int64:
                raise InvalidPeriodError(
                    field, f"is {array.dtype} of shape {array.shape}: must be int64 (homes, slots), {shape}"
                )
            if field != "amounts_nano" and (array < 0).any():
                raise InvalidPeriodError(field, f"has an entry of {array.min()}: must be at least 0")
        unequal = np.flatnonzero(self.bought_wh.sum(axis=0) != self.sold_wh.sum(axis=0))
        if unequal.size:
            raise InvalidPeriodError("bought_wh", f"differs from sold_wh in sum in slot {unequal[0]}")
        for slot, amounts in enumerate(self.amounts_nano.T):
            if exact_sum(amounts) != 0:
                raise InvalidPeriodError("amounts_nano", f"sum to {exact_sum(amounts)} in slot {slot}: must to 0")

    @property
    def net_wh(self) -> Ints:
        """Metered net consumption c - g of each home and slot, Wh; negative where a home has a surplus."""
        return self.consumption_wh - self.generation_wh


@dataclass(frozen=True, slots=True)
class CommunityIndicators:
    """What the community did as a whole; energies in Wh.

    Attributes:
        consumption_wh: Σh Σt c.
        generation_wh: Σh Σt g.
        imported_wh: Σt max(0, Σh (c - g)), at the community's connection point.
        exported_wh: Σt max(0, Σh (g - c)), likewise.
        exchanged_wh: Σt min(Σh max(0, c - g), Σh max(0, g - c)): what flowed between homes.
        traded_wh: Σh Σt b = Σh Σt s: what the market agreed on.
    """

    consumption_wh: int
    generation_wh: int
    imported_wh: int
    exported_wh: int
    exchanged_wh: int
    traded_wh: int

    @property
    def self_sufficiency(self) -> Fraction | None:
        """Share of its consumption that the community generated itself in the same slot.

        (consumption - imported) / consumption; None without consumption.
        """
        return _share(self.consumption_wh - self.imported_wh, self.consumption_wh)

    @property
    def self_consumption(self) -> Fraction | None:
        """Share of its generation that the community consumed itself in the same slot.

        (generation - exported) / generation; None without generation. The numerator equals self-sufficiency's.
        """
        return _share(self.generation_wh - self.exported_wh, self.generation_wh)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one home pays for the period, nano-credit; negative if it receives more than it pays.

    Attributes:
        market_nano: with the community's market, see `market_bill`.
        utility_nano: with the utility alone, see `utility_bill`.
    """

    market_nano: int
    utility_nano: int

    @property
    def saving_nano(self) -> int:
        """What the market saved the home; negative if it cost it, as large forecast errors can."""
        return self.utility_nano - self.market_nano


def community_indicators(period: Period) -> CommunityIndicators:
    """The community's indicators for a period."""
    net = period.net_wh
    needed, spare = np.maximum(net, 0).sum(axis=0), np.maximum(-net, 0).sum(axis=0)
    return CommunityIndicators(
        consumption_wh=int(period.consumption_wh.sum()),
        generation_wh=int(period.generation_wh.sum()),
        imported_wh=int(np.maximum(needed - spare, 0).sum()),
        exported_wh=int(np.maximum(spare - needed, 0).sum()),
        exchanged_wh=int(np.minimum(needed, spare).sum()),
        traded_wh=int(period.bought_wh.sum()),
    )


def bills(period: Period, tariff: Tariff) -> list[Bill]:
    """Every home's bill with and without the market, in the order of the rows."""
    return [
        Bill(market_nano=market_bill(period, home, tariff), utility_nano=utility_bill(period, home, tariff))
        for home in range(len(period.consumption_wh))
    ]


def utility_bill(period: Period, home: int, tariff: Tariff) -> int:
    """What the home in this row would pay without a market, nano-credit.

    Σt (retail·max(0, c - g) - feed-in·max(0, g - c)): each home nets its own load and generation behind its own
    connection point, slot by slot, and settles the rest with the utility.
    """
    return _with_utility(period.net_wh[home], tariff)


def market_bill(period: Period, home: int, tariff: Tariff) -> int:
    """What the home in this row pays with the market, nano-credit.

    Σt (-amount + fee·b + retail·max(0, i) - feed-in·max(0, -i)), where i = (c - g) - (b - s) is its imbalance:
    what it pays its neighbours and the grid for what it bought, less what it receives for what it sold, and the
    difference between what it metered and what it contracted settled with the utility.
    """
    bought, sold = period.bought_wh[home], period.sold_wh[home]
    trades_nano = tariff.grid_fee * int(bought.sum()) - exact_sum(period.amounts_nano[home])
    return trades_nano + _with_utility(period.net_wh[home] - (bought - sold), tariff)


def _with_utility(net_wh: Ints, tariff: Tariff) -> int:
    needed_wh, spare_wh = int(np.maximum(net_wh, 0).sum()), int(np.maximum(-net_wh, 0).sum())
    return tariff.retail_price * needed_wh - tariff.feed_in_price * spare_wh


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
