"""A strategy of pricing for an agent that places one order a slot and leaves it as it is."""

from dataclasses import dataclass

import numpy as np

from agents.devices.utility import fixed
from agents.strategies.pricing import Pricing, price_range
from matching.tariff import Tariff


@dataclass(frozen=True, slots=True)
class LastPrice:
    """Asks what the strategy of pricing asks at the end of a slot: what it would accept at the latest.

    A market with a gate closure takes no more orders once a slot has begun, so a ramp has no time to climb.
    Prices that are drawn are drawn once, by seed, and stay the same for every slot: the same slot always gives
    the same order.

    Attributes:
        pricing: the strategy.
        seed: of what it draws.
    """

    pricing: Pricing
    seed: int = 0

    def bid_price(self, tariff: Tariff) -> int | None:
        """Limit price of a bid, nano-credit per Wh, or None if trading in the community gains nothing."""
        return self._last(tariff, is_bid=True)

    def offer_price(self, tariff: Tariff) -> int | None:
        """Limit price of an offer, nano-credit per Wh, or None if trading in the community gains nothing."""
        return self._last(tariff, is_bid=False)

    def _last(self, tariff: Tariff, *, is_bid: bool) -> int | None:
        low, high = price_range(fixed(tariff, 1))
        if low[0] > high[0]:
            return None
        priced = self.pricing.bids if is_bid else self.pricing.offers
        return int(priced(low, high, np.random.default_rng([self.seed, is_bid])).last[0])
