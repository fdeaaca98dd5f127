"""Design 2, discriminatory: one call auction, each trade at a price of its own two orders (pay-as-bid)."""

from enum import StrEnum

from matching.book import Book, Ints
from matching.crossing import cross, fill
from matching.rationing import Margin
from matching.result import Clearing, cleared, nothing_trades
from matching.settings import choice
from matching.trades import Pairs, pair

DESIGN = "discriminatory"


class TradePrice(StrEnum):
    """Which price the two orders of a trade agree on."""

    BID = "bid"
    OFFER = "offer"
    MIDPOINT = "midpoint"
    """Halfway between the two limits, rounded down to a whole nano-credit per Wh."""


def clear(book: Book, *, trade_price: TradePrice = TradePrice.MIDPOINT, margin: Margin = Margin.TIME) -> Clearing:
    """The fills of design 1, thus the greatest welfare at the greatest volume, but a price per trade.

    Who trades with whom, and so at which price, follows the one rule of `matching.trades`. Any such pairing
    keeps every limit, as the cheapest filled bid still reaches the dearest filled offer. The order of rows
    changes nothing.

    Raises:
        InvalidSettingError: a setting names none of its options.
    """
    trade_price = choice("trade_price", trade_price, TradePrice)
    margin = choice("margin", margin, Margin)
    crossing = cross(book)
    if crossing is None:
        return nothing_trades(book, DESIGN)
    fills = fill(book, crossing, margin)
    pairs = pair(book, fills)
    price = _price(book, pairs, trade_price)
    return cleared(book, DESIGN, fills, pairs.priced(price, price))


def _price(book: Book, pairs: Pairs, trade_price: TradePrice) -> Ints:
    if trade_price is TradePrice.BID:
        return book.price[pairs.buyer]
    if trade_price is TradePrice.OFFER:
        return book.price[pairs.seller]
    return (book.price[pairs.buyer] + book.price[pairs.seller]) // 2
