"""Limit prices that ask for a fixed share of what a trade in the community gains over the utility."""

from dataclasses import dataclass
from fractions import Fraction

from matching.errors import WattbookError
from matching.tariff import Tariff

HALF = Fraction(1, 2)


class InvalidShareError(WattbookError):
    """A share of the gain is outside 0 … 1."""

    code = "strategy.share"


@dataclass(frozen=True, slots=True)
class GainShare:
    """Asks for the fraction `share` of the gain of each Wh for its own side.

    With share s, a bid's limit price is retail - fee - s·gain, an offer's feed-in + s·gain, where the gain is
    retail - fee - feed-in (`Tariff.gain_per_wh`) and s·gain is rounded down. Both lie between the feed-in price
    and retail - fee, so no trade is worse than the utility for either side.

    Attributes:
        share: from 0 (trade at any price no worse than the utility's) to 1 (leave the other side nothing).

    Raises:
        InvalidShareError: the share is not a Fraction from 0 to 1.
    """

    share: Fraction

    def __post_init__(self) -> None:
        """Check the share."""
        if not isinstance(self.share, Fraction) or not 0 <= self.share <= 1:
            raise InvalidShareError(f"share is {self.share!r}: must be a Fraction from 0 to 1")

    def bid_price(self, tariff: Tariff) -> int | None:
        """Limit price of a bid, nano-credit per Wh, or None if trading in the community gains nothing."""
        if tariff.gain_per_wh <= 0:
            return None
        return tariff.retail_price - tariff.grid_fee - self._claim(tariff)

    def offer_price(self, tariff: Tariff) -> int | None:
        """Limit price of an offer, nano-credit per Wh, or None if trading in the community gains nothing."""
        if tariff.gain_per_wh <= 0:
            return None
        return tariff.feed_in_price + self._claim(tariff)

    def _claim(self, tariff: Tariff) -> int:
        return tariff.gain_per_wh * self.share.numerator // self.share.denominator


def spread(count: int) -> list[GainShare]:
    """Strategies for `count` homes, their shares spread evenly between, and excluding, 0 and 1/2.

    No two homes ask the same, so the marginal order, and with it the uniform price, moves with scarcity: towards
    the feed-in price when offers abound, towards retail when bids do. And as no share exceeds 1/2, every bid
    accepts every offer: no energy that could be traded goes to the utility because two neighbours asked too much.
    """
    return [GainShare(HALF * Fraction(home, count + 1)) for home in range(1, count + 1)]
