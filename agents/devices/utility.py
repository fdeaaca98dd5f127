"""The utility: buys and sells without limit, at prices that may change from slot to slot."""

from dataclasses import dataclass

import numpy as np

from agents.devices.series import InvalidDeviceError
from matching.book import Ints
from matching.orders import MAX_PRICE
from matching.tariff import Tariff


@dataclass(frozen=True, slots=True, eq=False)
class Utility:
    """The utility's prices, nano-credit per Wh, one a slot; a price may be negative, as on power exchanges.

    Attributes:
        retail_price: what it charges for a Wh, its own grid costs included; read-only int64 array.
        feed_in_price: what it pays for a Wh, at most the retail price; likewise.
        grid_fee: what the buyer pays it for a Wh bought from another member.

    Raises:
        InvalidDeviceError: a field is outside its limits.
    """

    retail_price: Ints
    feed_in_price: Ints
    grid_fee: int = 0

    def __post_init__(self) -> None:
        """Check the prices and freeze copies of them."""
        for field in ("retail_price", "feed_in_price"):
            prices = np.array(getattr(self, field))
            if prices.ndim != 1 or prices.dtype != np.int64 or (abs(prices) > MAX_PRICE).any():
                raise InvalidDeviceError(field, prices.dtype, f"must be int64 from -{MAX_PRICE} to {MAX_PRICE}")
            prices.setflags(write=False)
            object.__setattr__(self, field, prices)
        if self.retail_price.shape != self.feed_in_price.shape:
            raise InvalidDeviceError("feed_in_price", self.feed_in_price.shape, "must be as long as retail_price")
        above = np.flatnonzero(self.feed_in_price > self.retail_price)
        if len(above):
            limit = f"must be at most the retail price, in slot number {above[0]} too"
            raise InvalidDeviceError("feed_in_price", int(self.feed_in_price[above[0]]), limit)
        if not 0 <= self.grid_fee <= MAX_PRICE:
            raise InvalidDeviceError("grid_fee", self.grid_fee, f"must be between 0 and {MAX_PRICE}")


def fixed(tariff: Tariff, slots: int) -> Utility:
    """The utility that keeps to one tariff in so many slots."""
    return Utility(np.full(slots, tariff.retail_price), np.full(slots, tariff.feed_in_price), tariff.grid_fee)
