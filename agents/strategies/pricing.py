"""How a strategy prices orders within a range, from the first price it asks for to the last it accepts.

The range of a bid begins at the utility's feed-in price and ends at its retail price less the grid fee; an offer's
is the same, and a storage's is narrower (`Thresholds`). So no price is worse for either side than the utility's.
Prices are int64 arrays of nano-credit per Wh, rounded down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from agents.devices.utility import Utility
from matching.book import Ints
from matching.errors import WattbookError
from matching.kernel import compiled
from matching.orders import MAX_PRICE

MINUTE_S = 60


class InvalidStrategyError(WattbookError):
    """A strategy's parameter is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "strategy.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"strategy field '{field}' is {value!r}: {limit}")
        self.field = field


class Ramp(NamedTuple):
    """Prices at a slot's start and at its last update; equal if the strategy never changes them."""

    first: Ints
    last: Ints


class Pricing(Protocol):
    """A strategy of pricing. `low` and `high` have one shape, such as (traders, slots), and low <= high."""

    @property
    def name(self) -> str:
        """The strategy's name."""

    def updates(self, slot_s: int) -> int:
        """How often an order's price changes in a slot of this length."""

    def bids(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """Prices of bids."""

    def offers(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """Prices of offers."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """At what prices a storage trades, nano-credit per Wh.

    Attributes:
        buy_price: the most it pays.
        sell_price: the least it takes, if what it stored did not cost it more.

    Raises:
        InvalidStrategyError: they are outside their limits.
    """

    buy_price: int
    sell_price: int

    def __post_init__(self) -> None:
        """Check that selling is dearer than buying: a storage never trades with itself."""
        if not 0 <= self.buy_price < self.sell_price <= MAX_PRICE:
            limit = f"must be between 0 and below the sell_price of {self.sell_price}, at most {MAX_PRICE}"
            raise InvalidStrategyError("buy_price", self.buy_price, limit)


@compiled
def rate(first: int, last: int, update: int, updates: int) -> int:
    """The price after this many updates: first + update·(last - first)/updates, rounded down; then last."""
    if update >= updates:
        return last
    return first + update * (last - first) // updates


@dataclass(frozen=True, slots=True)
class Ramps:
    """Strategy (b): bids rise from the range's low to its high end, offers fall from high to low, in equal steps.

    With n = max(⌊slot / interval⌋ - 1, 1) updates, the i-th rate is initial + i·(final - initial)/n, held at
    final. This is the rule of Grid Singularity's exchange.

    Attributes:
        interval_s: time between updates, seconds.
    """

    interval_s: int = MINUTE_S

    def __post_init__(self) -> None:
        """Check the interval."""
        if self.interval_s < 1:
            raise InvalidStrategyError("interval_s", self.interval_s, "must be at least 1")

    @property
    def name(self) -> str:
        """The strategy's name."""
        return "ramps"

    def updates(self, slot_s: int) -> int:
        """The n of the rule."""
        return max(slot_s // self.interval_s - 1, 1)

    def bids(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """From low to high."""
        return Ramp(low, high)

    def offers(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """From high to low."""
        return Ramp(high, low)


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """Strategy (a): everyone asks one price, a fraction of the way from the low to the high end of the full range.

    A storage asks the end of its narrower range that is nearest to it.

    Attributes:
        price: nano-credit per Wh; or None for the middle of each range.
    """

    price: int | None = None

    @property
    def name(self) -> str:
        """The strategy's name."""
        return "fixed"

    def updates(self, slot_s: int) -> int:
        """Never."""
        return 0

    def bids(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """The price."""
        prices = (low + high) // 2 if self.price is None else np.clip(self.price, low, high)
        return Ramp(prices, prices)

    def offers(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """The price."""
        return self.bids(low, high, draws)


@dataclass(frozen=True, slots=True)
class Truthful:
    """Strategy (c): bids what a Wh is worth, offers at what it costs: the far end of the range, at once."""

    @property
    def name(self) -> str:
        """The strategy's name."""
        return "truthful"

    def updates(self, slot_s: int) -> int:
        """Never."""
        return 0

    def bids(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """High."""
        return Ramp(high, high)

    def offers(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """Low."""
        return Ramp(low, low)


@dataclass(frozen=True, slots=True)
class ZeroIntelligence:
    """Strategy (c): any price of the range with equal chance, drawn anew for every order.

    Source: the constrained zero-intelligence traders (ZI-C) of Gode and Sunder (1993).
    """

    @property
    def name(self) -> str:
        """The strategy's name."""
        return "zero-intelligence"

    def updates(self, slot_s: int) -> int:
        """Never."""
        return 0

    def bids(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """Drawn between low and high."""
        prices = draws.integers(low, high, endpoint=True)
        return Ramp(prices, prices)

    def offers(self, low: Ints, high: Ints, draws: np.random.Generator) -> Ramp:
        """Drawn between low and high."""
        return self.bids(low, high, draws)


PRICINGS: Mapping[str, Callable[[], Pricing]] = MappingProxyType(
    {"fixed": FixedPrice, "ramps": Ramps, "zero-intelligence": ZeroIntelligence, "truthful": Truthful}
)
"""The strategies of pricing by name, each with its defaults."""


def price_range(utility: Utility) -> tuple[Ints, Ints]:
    """Low and high end of everybody's range, one a slot; low above high means: trading gains nothing there."""
    return np.maximum(utility.feed_in_price, 0), utility.retail_price - utility.grid_fee
