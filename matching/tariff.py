"""What energy costs at the community's edge: the utility's two prices and the local grid's fee."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from matching.errors import WattbookError
from matching.orders import MAX_PRICE


class InvalidTariffError(WattbookError):
    """A tariff's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "tariff.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"tariff field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Tariff:
    """A market's tariff; every price in nano-credit per Wh (22 ct/kWh = 220,000).

    Attributes:
        retail_price: what the utility charges for a Wh, its own grid costs included.
        feed_in_price: what the utility pays for a Wh; at most the retail price.
        grid_fee: what the buyer pays the utility, on top of the price, for a Wh bought in the community.

    Raises:
        InvalidTariffError: a field is outside its limits.
    """

    retail_price: int
    feed_in_price: int
    grid_fee: int = 0

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        _check_range("retail_price", self.retail_price, MAX_PRICE)
        _check_range("feed_in_price", self.feed_in_price, self.retail_price)
        _check_range("grid_fee", self.grid_fee, MAX_PRICE)

    @property
    def gain_per_wh(self) -> int:
        """What buyer and seller together gain from trading with one another, not the utility, nano-credit per Wh.

        The buyer avoids the retail price but pays the grid fee, the seller forgoes the feed-in price. Zero or less
        if the fee eats the gain up.
        """
        return self.retail_price - self.grid_fee - self.feed_in_price


def tariff_in_force(tariffs: Sequence[tuple[int, Tariff]], slot: int) -> Tariff:
    """Which of some tariffs holds in a slot.

    They come with the first slot that each holds for, ascending; the first of them no later than the slot.
    """
    return tariffs[bisect_right(tariffs, slot, key=itemgetter(0)) - 1][1]


def _check_range(field: str, value: object, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidTariffError(field, value, "must be an integer")
    if not 0 <= value <= high:
        raise InvalidTariffError(field, value, f"must be between 0 and {high}")
