"""Design 1, uniform price: one call auction, everyone pays and receives the same price (pay-as-clear)."""

from fractions import Fraction

from matching.book import Book
from matching.crossing import cross, fill
from matching.errors import WattbookError
from matching.exact import exact_sum
from matching.rationing import Margin
from matching.result import Clearing, nothing_trades, verified
from matching.settings import HALF, choice, price_in_interval, require_pricing
from matching.trades import pair

DESIGN = "uniform"


class OrdersCrossError(WattbookError):
    """A book was said to hold nothing that trades, and does."""

    code = "clearing.orders_cross"


def clear(book: Book, *, k: Fraction = HALF, tick: int = 1, margin: Margin = Margin.TIME) -> Clearing:
    """The most energy that can trade at one price and, among such fills, those with the greatest welfare.

    Every order strictly better than the price is filled whole; orders at the price share what is left by
    `margin`. The price lies in the interval of prices that allow this: at fraction `k` of it, on a multiple
    of `tick` nano-credit per Wh (`matching.settings.price_in_interval`). Buyers pay exactly price x fill;
    grid fees are the ledger's business. If nothing crosses, the price is None and nothing is filled.

    The order of rows changes nothing.

    Raises:
        InvalidSettingError: a setting is outside its limits.
    """
    require_pricing(k, tick)
    margin = choice("margin", margin, Margin)
    crossing = cross(book)
    if crossing is None:
        return nothing_trades(book, DESIGN)
    price = price_in_interval(crossing.low, crossing.high, k, tick)
    fills = fill(book, crossing, margin)
    return verified(
        book,
        Clearing(
            design=DESIGN,
            price=price,
            fills_wh=fills,
            amounts_nano=book.signs * fills * price,
            trades=pair(book, fills).priced(price, price),
            welfare_nano=-exact_sum(book.signs * fills * book.price),
        ),
    )


def separating_price(book: Book) -> int:
    """A price for a book in which nothing trades, nano-credit per Wh: no bid is above it and no offer below.

    It is the highest bid's limit, or 0 if nobody bids. No bid is above the highest one. And if an offer were below
    the price, the price would not be 0 but some bid's limit, so that this bid and the offer would trade.

    Raises:
        OrdersCrossError: orders of the book trade with one another.
    """
    price = int(book.price[book.bids].max(initial=0))
    offers = book.price[book.offers]
    if len(book.bids) and len(offers) and int(offers.min()) <= price:
        raise OrdersCrossError(f"an offer at {offers.min()} trades with a bid at {price}: no price separates them")
    return price
