"""Design 5, preferences: bids pay more for energy they like, by source, place or seller; offers choose buyers."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from matching.book import MAX_INDEX, Book, Ints, Mask, column
from matching.exact import exact_sum
from matching.network import Network, solve
from matching.orders import Side
from matching.rationing import Margin
from matching.result import Clearing, Reason, Rejection, verified
from matching.settings import HALF, choice, require_pricing
from matching.trades import Pairs, joined, pair
from matching.wishes import Trait, Wish, kinds

DESIGN = "preferences"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PreferenceClearing(Clearing):
    """The clearing of a book with wishes.

    Offers that every wish treats alike, and that restrict their buyers alike, are energy of one kind. All
    energy of a kind has one price, at which every bid gets the kinds that are best for it and as much as it
    wants.

    Attributes:
        kind: each offer's kind, counted from 0; -1 for bids.
        kind_price: price of each kind, nano-credit per Wh.
    """

    kind: Ints
    kind_price: Ints


def clear(
    book: Book,
    *,
    wishes: Sequence[Wish] = (),
    source: npt.ArrayLike | None = None,
    area: npt.ArrayLike | None = None,
    k: Fraction = HALF,
    tick: int = 1,
    margin: Margin = Margin.TIME,
) -> PreferenceClearing:
    """The greatest welfare when bids value energy by where it comes from, and one price per kind of energy.

    `source` and `area` are each order's, any integers (0 if left out). Welfare counts a bid's limit less
    the premiums of wishes that are not met. Without wishes the result is design 1's. Orders with nobody
    left to trade with are rejected. `k`, `tick` and `margin` are design 1's, see `matching.network.solve`
    for several kinds.

    Raises:
        InvalidBookError: `source` or `area` is not an integer for each order.
        InvalidWishError: a wish is not acceptable, see `matching.wishes.kinds`.
        InvalidSettingError: another setting is outside its limits.
        SolverError: the solver failed.
    """
    require_pricing(k, tick)
    margin = choice("margin", margin, Margin)
    traits = {
        Trait.SOURCE: _trait("source", source, len(book)),
        Trait.AREA: _trait("area", area, len(book)),
        Trait.ACCOUNT: book.account,
    }
    sorted_in = kinds(book, wishes, traits)
    bid_kinds, offer_kinds = sorted_in.allowed.shape
    bid_kind, offer_kind = np.nonzero(sorted_in.allowed)
    is_bid = book.side == Side.BID
    node = sorted_in.of + is_bid * offer_kinds
    network = Network(
        nodes=offer_kinds + bid_kinds,
        tail=offer_kind,
        head=offer_kinds + bid_kind,
        cost=sorted_in.discount[bid_kind, offer_kind],
        lower_wh=np.zeros(len(bid_kind), dtype=np.int64),
        upper_wh=np.full(len(bid_kind), book.quantity_wh.sum() + 1),
    )
    cleared = solve(book, node, network, k=k, tick=tick, margin=margin)
    pairs = _pairs(book, node, network, cleared.fills_wh, cleared.flow_wh)
    kind_price = cleared.price[:offer_kinds]
    price = kind_price[sorted_in.of[pairs.seller]]
    trades = pairs.priced(price, price)
    gains = -exact_sum(book.signs * cleared.fills_wh * book.price)
    used = np.flatnonzero(cleared.flow_wh)  # an arc carries many orders' energy: its cost may not fit 64 bits
    not_paid = sum(
        cost * flow for cost, flow in zip(network.cost[used].tolist(), cleared.flow_wh[used].tolist(), strict=True)
    )
    return verified(
        book,
        PreferenceClearing(
            design=DESIGN,
            price=trades.single_price,
            fills_wh=cleared.fills_wh,
            amounts_nano=trades.amounts_nano(len(book)),
            trades=trades,
            welfare_nano=gains - not_paid,
            rejected=_rejected(book, sorted_in.allowed, sorted_in.of),
            kind=np.where(is_bid, -1, sorted_in.of),
            kind_price=kind_price,
        ),
    )


def _trait(name: str, values: npt.ArrayLike | None, orders: int) -> Ints:
    if values is None:
        return np.zeros(orders, dtype=np.int64)
    return column(name, values, orders, -MAX_INDEX, MAX_INDEX)


def _pairs(book: Book, node: Ints, network: Network, fills_wh: Ints, flow_wh: Ints) -> Pairs:
    """Who trades with whom: on each arc, by the rule of `matching.trades`.

    Which orders' energy an arc carries goes by rank: arcs draw on their kinds' orders one after another, in
    the order of the kinds' numbers, each taking up where the one before left off.
    """
    left_wh = fills_wh.copy()
    ranked = book.rows_by_rank()
    ranked = ranked[left_wh[ranked] > 0]
    on_arcs: list[Pairs] = []
    for arc in np.flatnonzero(flow_wh):
        carried_wh = np.zeros(len(book), dtype=np.int64)
        for end in (network.tail[arc], network.head[arc]):
            rows = ranked[node[ranked] == end]
            before = np.cumsum(left_wh[rows]) - left_wh[rows]
            carried_wh[rows] = np.clip(flow_wh[arc] - before, 0, left_wh[rows])
        left_wh -= carried_wh
        on_arcs.append(pair(book, carried_wh))
    return joined(on_arcs)


def _rejected(book: Book, allowed: Mask, of: Ints) -> tuple[Rejection, ...]:
    """Orders that no order on the other side, if there is any, may trade with."""
    if not allowed.size:
        return ()
    alone = np.zeros(len(book), dtype=np.bool_)
    for rows, partners in ((book.bids, allowed.sum(axis=1)), (book.offers, allowed.sum(axis=0))):
        alone[rows] = partners[of[rows]] == 0
    return tuple(Rejection(row, Reason.NO_COUNTERPARTY) for row in np.flatnonzero(alone).tolist())
