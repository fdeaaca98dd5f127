"""Design 4, strategy-proof: McAfee's trade reduction, in which stating one's true price is always best.

Source: McAfee (1992), "A dominant strategy double auction"; for orders of several units, whose quantities
are taken as known, Huang, Scheller-Wolf and Sycara (2002), "Design of a multi-unit double auction e-market".
"""

import numpy as np

from matching.book import Book
from matching.crossing import cross
from matching.rationing import Margin, ration
from matching.result import Clearing, cleared, nothing_trades
from matching.settings import choice
from matching.trades import pair

DESIGN = "mcafee"


def clear(book: Book, *, margin: Margin = Margin.TIME) -> Clearing:
    """Trades that give up a little welfare for an auction in which nobody gains by misstating a price.

    The last bid and the last offer of the efficient fills set the prices and stay out themselves: all
    better bids pay the marginal bid's price, all better offers receive the marginal offer's, and the market
    keeps the difference (`Clearing.surplus_nano`). Orders of equal price queue by rank; the longer side
    shares the shorter one's volume by `margin`, which looks at no price. The order of rows changes nothing.

    It pays to be truthful about prices for accounts with one order each; quantities, and several orders of
    one account, are outside the promise. McAfee's other case, one price between the first orders left out, is
    not used: with orders of several units, a bid can gain by shrinking the efficient volume to bring it
    about.

    Raises:
        InvalidSettingError: `margin` names no rule.
    """
    margin = choice("margin", margin, Margin)
    crossing = cross(book)
    if crossing is None:
        return nothing_trades(book, DESIGN)
    bids = book.bids[np.lexsort((book.rank[book.bids], -book.price[book.bids]))]
    offers = book.offers[np.lexsort((book.rank[book.offers], book.price[book.offers]))]
    buyers = bids[: np.searchsorted(np.cumsum(book.quantity_wh[bids]), crossing.volume_wh)]
    sellers = offers[: np.searchsorted(np.cumsum(book.quantity_wh[offers]), crossing.volume_wh)]
    volume_wh = min(int(book.quantity_wh[buyers].sum()), int(book.quantity_wh[sellers].sum()))
    if volume_wh == 0:
        return nothing_trades(book, DESIGN)
    fills = np.zeros(len(book), dtype=np.int64)
    fills[buyers] = ration(book, buyers, volume_wh, margin)
    fills[sellers] = ration(book, sellers, volume_wh, margin)
    return cleared(book, DESIGN, fills, pair(book, fills).priced(crossing.bid, crossing.offer))
