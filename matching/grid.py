"""Design 6, grid-aware: members sit on a radial feeder; lines have capacities and fees; each node has a price."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from matching.book import Book, Ints, column
from matching.errors import WattbookError
from matching.exact import exact_sum
from matching.network import Network, solve
from matching.orders import MAX_PRICE
from matching.rationing import Margin
from matching.result import Clearing, verified
from matching.settings import HALF, choice, require_pricing
from matching.trades import pair

DESIGN = "grid"

MAX_NODES = 2**20

MAX_CAPACITY_WH = 2**53
"""More than any book can trade."""


class InvalidFeederError(WattbookError):
    """A feeder's line is not acceptable.

    Attributes:
        field: the column's name.
        node: the first offending node, or None if the column as a whole is wrong.
    """

    code = "feeder.invalid"

    def __init__(self, field: str, node: int | None, problem: str) -> None:
        where = "" if node is None else f", node {node}"
        super().__init__(f"feeder field '{field}'{where}: {problem}")
        self.field = field
        self.node = node


@dataclass(frozen=True, slots=True)
class Feeder:
    """A radial network: node 0 is the root, and line i leads from node i + 1 to that node's parent.

    A hierarchy of markets (house, street, community, grid) is the same thing: every market a node, its line
    the way to the market above.

    Attributes:
        parent: for each node from 1 on, its parent, which has a lower number.
        capacity_wh: for each line the most energy it carries in a slot, either way, Wh; None if unlimited.
        fee: for each line the grid fee, nano-credit per Wh carried, either way.

    Raises:
        InvalidFeederError: the columns' lengths differ, a parent's number is not lower than its child's, or
            a capacity or fee is outside its limits.
    """

    parent: tuple[int, ...]
    capacity_wh: tuple[int | None, ...]
    fee: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check every line."""
        lines = len(self.parent)
        if lines >= MAX_NODES:
            raise InvalidFeederError("parent", None, f"{lines + 1} nodes: at most {MAX_NODES}")
        for field, values in (("capacity_wh", self.capacity_wh), ("fee", self.fee)):
            if len(values) != lines:
                raise InvalidFeederError(field, None, f"has {len(values)} entries: parent has {lines}")
        for node, (parent, capacity_wh, fee) in enumerate(
            zip(self.parent, self.capacity_wh, self.fee, strict=True), start=1
        ):
            _require_between("parent", node, parent, 0, node - 1)
            _require_between("capacity_wh", node, capacity_wh or 0, 0, MAX_CAPACITY_WH)
            _require_between("fee", node, fee, 0, MAX_PRICE)

    @property
    def nodes(self) -> int:
        """How many nodes, the root included."""
        return len(self.parent) + 1


def _require_between(field: str, node: int, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise InvalidFeederError(field, node, f"{value!r} is not an integer between {low} and {high}")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GridClearing(Clearing):
    """The clearing of a feeder.

    What the market keeps (`surplus_nano`) is exactly `fees_nano + congestion_nano`; `welfare_nano` is net
    of fees.

    Attributes:
        node_price: for each node, what its members pay and receive, nano-credit per Wh.
        flow_wh: for each line, the energy carried towards the root (+) or away from it (-), Wh.
        fees_nano: grid fees of all lines, nano-credit.
        congestion_nano: what full lines earn by the difference of prices at their ends, nano-credit.
        full_lines: lines whose capacity is used up and keeps the prices at their ends more than the fee
            apart.
    """

    node_price: Ints
    flow_wh: Ints
    fees_nano: int
    congestion_nano: int
    full_lines: tuple[int, ...]


def clear(
    book: Book,
    *,
    feeder: Feeder,
    node: npt.ArrayLike,
    k: Fraction = HALF,
    tick: int = 1,
    margin: Margin = Margin.TIME,
) -> GridClearing:
    """The greatest welfare, net of grid fees, that the lines' capacities allow, and a price for each node.

    `node` is each order's node. Across a line that is not full the price rises by at most its fee in the
    direction of the flow; only a full line sets its ends further apart. Trading nothing is always possible,
    so a feeder never makes a clearing infeasible. With nothing but unlimited lines without fees the result
    is design 1's.

    `k`, `tick` and `margin` are design 1's, see `matching.network.solve` for several nodes.

    Raises:
        InvalidBookError: `node` does not name a node for each order.
        InvalidSettingError: another setting is outside its limits.
        SolverError: the solver failed.
    """
    require_pricing(k, tick)
    margin = choice("margin", margin, Margin)
    at = column("node", node, len(book), 0, feeder.nodes - 1)
    most_wh = min(int(book.quantity_wh[book.bids].sum()), int(book.quantity_wh[book.offers].sum()))
    zone_of, network = _network(feeder, most_wh)
    cleared = solve(book, zone_of[at], network, k=k, tick=tick, margin=margin)
    fills, node_price = cleared.fills_wh, cleared.price[zone_of]
    price = node_price[at]
    pairs = pair(book, fills)
    trades = pairs.priced(price[pairs.buyer], price[pairs.seller])
    flow_wh = _line_flows(feeder, at, book.signs * fills)
    fees_nano = sum(fee * abs(flow) for fee, flow in zip(feeder.fee, flow_wh.tolist(), strict=True))
    amounts = book.signs * fills * price
    return verified(
        book,
        GridClearing(
            design=DESIGN,
            price=trades.single_price,
            fills_wh=fills,
            amounts_nano=amounts,
            trades=trades,
            welfare_nano=-exact_sum(book.signs * fills * book.price) - fees_nano,
            node_price=node_price,
            flow_wh=flow_wh,
            fees_nano=fees_nano,
            congestion_nano=-exact_sum(amounts) - fees_nano,
            full_lines=_full_lines(feeder, flow_wh, node_price),
        ),
    )


def _network(feeder: Feeder, most_wh: int) -> tuple[Ints, Network]:
    """Each node's zone, and the network of zones.

    A zone is nodes joined by lines that cost nothing and that even `most_wh`, all that could trade, would
    not fill: to the market they are one place. A line with a fee is two arcs, one each way, since each way
    costs.
    """
    zone_of = np.zeros(feeder.nodes, dtype=np.int64)
    arcs: list[tuple[int, int, int, int, int]] = []
    zones = 1
    for node, (parent, capacity_wh, fee) in enumerate(
        zip(feeder.parent, feeder.capacity_wh, feeder.fee, strict=True), start=1
    ):
        unlimited = capacity_wh is None or capacity_wh >= most_wh
        if unlimited and fee == 0:
            zone_of[node] = zone_of[parent]
            continue
        zone_of[node] = zones
        up, down, zones = zones, int(zone_of[parent]), zones + 1
        upper_wh = most_wh + 1 if capacity_wh is None or unlimited else capacity_wh
        if fee == 0:
            arcs.append((up, down, 0, -upper_wh, upper_wh))
        else:
            arcs += [(up, down, fee, 0, upper_wh), (down, up, fee, 0, upper_wh)]
    tail, head, cost, lower_wh, upper = np.array(arcs, dtype=np.int64).reshape(-1, 5).T
    return zone_of, Network(nodes=zones, tail=tail, head=head, cost=cost, lower_wh=lower_wh, upper_wh=upper)


def _line_flows(feeder: Feeder, at: Ints, fed_in_wh: Ints) -> Ints:
    """What each line carries towards the root: all that is fed in less all that is taken out beyond it."""
    through = np.zeros(feeder.nodes, dtype=np.int64)
    np.add.at(through, at, fed_in_wh)
    for node in range(feeder.nodes - 1, 0, -1):
        through[feeder.parent[node - 1]] += through[node]
    return through[1:]


def _full_lines(feeder: Feeder, flow_wh: Ints, node_price: Ints) -> tuple[int, ...]:
    apart = np.abs(node_price[list(feeder.parent)] - node_price[1:]) if feeder.parent else flow_wh
    return tuple(
        line
        for line, capacity_wh in enumerate(feeder.capacity_wh)
        if capacity_wh == abs(int(flow_wh[line])) and apart[line] > feeder.fee[line]
    )
