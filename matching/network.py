"""Clearing on a network: orders sit at nodes, arcs carry energy between them at a cost and up to a capacity.

Designs 5 and 6 are this one linear program. Its matrix is that of a network, so its corners are integral;
the solver's floats are rounded, and the result is then proved optimal in integers: prices at the nodes are
looked for that support the fills and flows (complementary slackness), and there are such prices only if no
other flow is better.
"""

from dataclasses import dataclass
from fractions import Fraction

import highspy
import numpy as np

from matching.book import Book, Ints
from matching.errors import WattbookError
from matching.orders import MAX_PRICE, Side
from matching.rationing import Margin, ration

MAX_COST = MAX_PRICE
"""Highest cost of an arc, nano-credit per Wh."""

_COST_BITS = 20
"""Costs are scaled by a power of two to at most so many bits before the point, to suit the solver's tolerances."""


class SolverError(WattbookError):
    """The solver failed, or its answer did not stand the proof in integers."""

    code = "matching.solver"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Arcs between nodes 0 … nodes-1, as columns.

    Attributes:
        nodes: how many nodes.
        tail: where each arc starts and
        head: where it ends.
        cost: nano-credit per Wh, 0 … `MAX_COST`.
        lower_wh: least flow: zero, or below zero for an arc that costs nothing and carries energy both ways.
        upper_wh: greatest flow, zero or more.
    """

    nodes: int
    tail: Ints
    head: Ints
    cost: Ints
    lower_wh: Ints
    upper_wh: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The clearing of a network.

    Attributes:
        fills_wh: how much of each order trades, Wh per row of the book.
        flow_wh: what each arc carries, Wh.
        price: price at each node, nano-credit per Wh.
    """

    fills_wh: Ints
    flow_wh: Ints
    price: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Orders of one node, side and price together: the solver need not know which of them is filled.

    Attributes:
        of: each order's group.
        node: each group's node; `side`, `price` and `quantity_wh` likewise.
    """

    of: Ints
    node: Ints
    side: Ints
    price: Ints
    quantity_wh: Ints


def solve(book: Book, node: Ints, network: Network, *, k: Fraction, tick: int, margin: Margin) -> Flow:
    """Fills and flows of greatest welfare less costs and, among those, of greatest volume, with prices.

    `node` is each order's node. Among the prices that support the result every node's is taken at fraction
    `k` between its lowest and highest, then all are rounded onto `tick`: down if the rounded prices still
    support the result, else up if those do, else down to whole nano-credits. Orders of one node and price
    share by `margin`; between nodes ties fall to the lower node's number or as the solver has it, but the
    same way whatever the order of rows.

    Raises:
        SolverError: the solver found no optimum, or an answer that is not one.
    """
    groups = _group(book, node)
    filled_wh, flow_wh = _optimum(groups, network)
    low, high = _supporting_prices(groups, filled_wh, network, flow_wh)
    fills = np.zeros(len(book), dtype=np.int64)
    full = filled_wh == groups.quantity_wh
    fills[full[groups.of]] = book.quantity_wh[full[groups.of]]
    for group in np.flatnonzero(~full & (filled_wh > 0)):
        rows = np.flatnonzero(groups.of == group)
        fills[rows] = ration(book, rows, int(filled_wh[group]), margin)
    return Flow(fills_wh=fills, flow_wh=flow_wh, price=_choose(low, high, network, flow_wh, k=k, tick=tick))


def _group(book: Book, node: Ints) -> _Groups:
    order = np.lexsort((book.price, book.side, node))
    keys = np.stack((node, book.side, book.price))[:, order]
    starts = np.ones(len(book), dtype=np.bool_)
    starts[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    of = np.empty(len(book), dtype=np.int64)
    of[order] = np.cumsum(starts) - 1
    quantity_wh = np.zeros(int(starts.sum()), dtype=np.int64)
    np.add.at(quantity_wh, of, book.quantity_wh)
    first_node, first_side, first_price = keys[:, starts]
    return _Groups(of=of, node=first_node, side=first_side, price=first_price, quantity_wh=quantity_wh)


def _optimum(groups: _Groups, network: Network) -> tuple[Ints, Ints]:
    """Fills of the groups and flows of the arcs, Wh, by linear programming.

    Costs are doubled and half a nano-credit added for each Wh bought: as all costs are whole, that never
    outweighs welfare, but lets trades happen that bring neither gain nor loss.
    """
    is_bid = groups.side == Side.BID
    into_node = np.where(is_bid, -1.0, 1.0)
    orders, arcs = len(groups.node), len(network.tail)
    if not orders:
        return np.zeros(0, dtype=np.int64), np.zeros(arcs, dtype=np.int64)
    program = highspy.HighsLp()
    program.num_col_ = orders + arcs
    program.num_row_ = network.nodes
    program.sense_ = highspy.ObjSense.kMaximize
    gain = np.concatenate((-2.0 * into_node * groups.price + is_bid, -2.0 * network.cost))
    program.col_cost_ = np.ldexp(gain, -max(0, int(np.abs(gain).max()).bit_length() - _COST_BITS))
    program.col_lower_ = np.concatenate((np.zeros(orders), network.lower_wh)).astype(np.float64)
    program.col_upper_ = np.concatenate((groups.quantity_wh, network.upper_wh)).astype(np.float64)
    program.row_lower_ = program.row_upper_ = np.zeros(network.nodes)
    matrix = program.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_ = np.concatenate((np.arange(orders), orders + 2 * np.arange(arcs + 1)))
    matrix.index_ = np.concatenate((groups.node, np.stack((network.tail, network.head), axis=1).ravel()))
    matrix.value_ = np.concatenate((into_node, np.tile((-1.0, 1.0), arcs)))
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy leaves its constructor untyped
    solver.silent()
    solver.setOptionValue("solver", "simplex")  # an interior point would not be a corner
    solver.setOptionValue("presolve", "off")  # measured: costs more than it saves here
    solver.setOptionValue("threads", 1)
    solver.passModel(program)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SolverError(f"no optimum: {solver.modelStatusToString(solver.getModelStatus())}")
    values = np.rint(np.array(solver.getSolution().col_value)).astype(np.int64)
    return values[:orders], values[orders:]


def _supporting_prices(groups: _Groups, filled_wh: Ints, network: Network, flow_wh: Ints) -> tuple[Ints, Ints]:
    """Lowest and highest price at each node; both vectors, and every vector between them at one fraction, support.

    Raises:
        SolverError: no prices support these fills and flows, or they are outside their bounds.
    """
    balance = np.zeros(network.nodes, dtype=np.int64)
    np.add.at(balance, groups.node, np.where(groups.side == Side.BID, -filled_wh, filled_wh))
    np.subtract.at(balance, network.tail, flow_wh)
    np.add.at(balance, network.head, flow_wh)
    within = (filled_wh >= 0) & (filled_wh <= groups.quantity_wh)
    carried = (network.lower_wh <= flow_wh) & (flow_wh <= network.upper_wh)
    if balance.any() or not within.all() or not carried.all():
        raise SolverError("the solver's fills and flows do not balance in whole Wh")
    is_bid, trades, whole = groups.side == Side.BID, filled_wh > 0, filled_wh == groups.quantity_wh
    low, high = np.zeros(network.nodes, dtype=np.int64), np.full(network.nodes, MAX_PRICE, dtype=np.int64)
    floors, ceilings = np.where(is_bid, ~whole, trades), np.where(is_bid, trades, ~whole)
    np.maximum.at(low, groups.node[floors], groups.price[floors])
    np.minimum.at(high, groups.node[ceilings], groups.price[ceilings])
    base, other, most = _price_limits(network, flow_wh)
    for _ in range(network.nodes + 1):
        before = low.copy(), high.copy()
        np.minimum.at(high, other, high[base] + most)
        np.maximum.at(low, base, low[other] - most)
        if (low == before[0]).all() and (high == before[1]).all():
            break
    if (low > high).any() or not _supports(high, network, flow_wh):
        raise SolverError("no prices support the solver's fills and flows: they are not optimal")
    return low, high


def _price_limits(network: Network, flow_wh: Ints) -> tuple[Ints, Ints, Ints]:
    """The arcs' conditions on prices, as columns (base, other, most): price[other] <= price[base] + most.

    Across an arc with room left the price rises by no more than the cost; across one that carries more than
    it must, by no less.
    """
    room, used = flow_wh < network.upper_wh, flow_wh > network.lower_wh
    return (
        np.concatenate((network.tail[room], network.head[used])),
        np.concatenate((network.head[room], network.tail[used])),
        np.concatenate((network.cost[room], -network.cost[used])),
    )


def _supports(price: Ints, network: Network, flow_wh: Ints) -> bool:
    base, other, most = _price_limits(network, flow_wh)
    return bool((price[other] <= price[base] + most).all())


def _choose(low: Ints, high: Ints, network: Network, flow_wh: Ints, *, k: Fraction, tick: int) -> Ints:
    """The prices at fraction `k` between low and high, on `tick` if such prices support the flow."""
    exact = [
        at_least + (at_most - at_least) * k.numerator // k.denominator
        for at_least, at_most in zip(low.tolist(), high.tolist(), strict=True)
    ]
    price = np.array(exact, dtype=np.int64)
    for on_tick in (price - price % tick, price + -price % tick):
        if ((low <= on_tick) & (on_tick <= high)).all() and _supports(on_tick, network, flow_wh):
            return on_tick
    return price
