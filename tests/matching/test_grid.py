from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from matching import grid, uniform
from matching.book import Book, InvalidBookError, from_arrays
from matching.grid import Feeder, InvalidFeederError
from matching.rationing import Margin
from tests.matching.books import select, small_books

BID, OFFER = 0, 1


@st.composite
def feeders(draw: st.DrawFn, *, max_nodes: int = 5) -> Feeder:
    lines = draw(st.integers(0, max_nodes - 1))
    return Feeder(
        parent=tuple(draw(st.integers(0, line)) for line in range(lines)),
        capacity_wh=tuple(draw(st.none() | st.integers(0, 8)) for _ in range(lines)),
        fee=tuple(draw(st.integers(0, 3)) for _ in range(lines)),
    )


@st.composite
def placed_books(draw: st.DrawFn) -> tuple[Book, Feeder, list[int]]:
    book, feeder = draw(small_books()), draw(feeders())
    return book, feeder, [draw(st.integers(0, feeder.nodes - 1)) for _ in range(len(book))]


def greatest_welfare(book: Book, feeder: Feeder, node: list[int]) -> float:
    """An independent program: one variable an order, two a line."""
    if not len(book):
        return 0
    signs = np.where(book.side == BID, 1, -1)
    lines = len(feeder.parent)
    balance = np.zeros((feeder.nodes, len(book) + 2 * lines))
    for row, at in enumerate(node):
        balance[at, row] = -signs[row]
    for line, parent in enumerate(feeder.parent):
        up, down = len(book) + 2 * line, len(book) + 2 * line + 1
        balance[[line + 1, parent], up] = -1, 1
        balance[[parent, line + 1], down] = -1, 1
    fees = np.repeat(feeder.fee, 2)
    bounds = [(0, q) for q in book.quantity_wh.tolist()] + [(0, c) for c in feeder.capacity_wh for _ in range(2)]
    best = linprog(
        np.concatenate((-signs * book.price, fees)), A_eq=balance, b_eq=np.zeros(feeder.nodes), bounds=bounds
    )
    assert best.success
    return -best.fun


@given(placed_books())
def test_welfare_net_of_fees_is_the_greatest_possible(case: tuple[Book, Feeder, list[int]]) -> None:
    book, feeder, node = case
    clearing = grid.clear(book, feeder=feeder, node=node)
    assert clearing.welfare_nano == round(greatest_welfare(book, feeder, node))


@given(placed_books(), st.fractions(0, 1, max_denominator=4), st.integers(1, 3))
def test_every_member_is_content_with_its_node_s_price(
    case: tuple[Book, Feeder, list[int]], k: Fraction, tick: int
) -> None:
    book, feeder, node = case
    clearing = grid.clear(book, feeder=feeder, node=node, k=k, tick=tick)
    price = clearing.node_price[node]
    better = np.where(book.side == BID, book.price > price, book.price < price)
    worse = np.where(book.side == BID, book.price < price, book.price > price)
    assert (clearing.fills_wh[better] == book.quantity_wh[better]).all()
    assert not clearing.fills_wh[worse].any()
    signs = np.where(book.side == BID, -1, 1)
    assert clearing.amounts_nano.tolist() == (signs * clearing.fills_wh * price).tolist()


@given(placed_books())
def test_lines_keep_their_capacities_and_only_full_ones_part_prices(
    case: tuple[Book, Feeder, list[int]],
) -> None:
    book, feeder, node = case
    clearing = grid.clear(book, feeder=feeder, node=node)
    for line, (parent, capacity_wh, fee) in enumerate(
        zip(feeder.parent, feeder.capacity_wh, feeder.fee, strict=True)
    ):
        flow_wh = int(clearing.flow_wh[line])
        rise = int(clearing.node_price[parent] - clearing.node_price[line + 1])
        assert capacity_wh is None or abs(flow_wh) <= capacity_wh
        if flow_wh:
            assert rise * flow_wh >= fee * abs(flow_wh)
        assert (abs(rise) > fee) <= (abs(flow_wh) == capacity_wh)
        assert (line in clearing.full_lines) == (abs(rise) > fee)


@given(placed_books())
def test_what_the_market_keeps_is_fees_and_congestion(case: tuple[Book, Feeder, list[int]]) -> None:
    book, feeder, node = case
    clearing = grid.clear(book, feeder=feeder, node=node)
    assert clearing.fees_nano >= 0
    assert clearing.congestion_nano >= 0
    assert clearing.surplus_nano == clearing.fees_nano + clearing.congestion_nano
    if not clearing.full_lines:
        assert clearing.congestion_nano == 0


@given(small_books(), feeders(), st.sampled_from(Margin), st.fractions(0, 1, max_denominator=4), st.data())
def test_unlimited_lines_without_fees_are_the_uniform_price(
    book: Book, shape: Feeder, margin: Margin, k: Fraction, data: st.DataObject
) -> None:
    lines = len(shape.parent)
    capacity_wh = data.draw(st.sampled_from([None, 50]))  # no book trades more than 50 Wh
    feeder = Feeder(shape.parent, (capacity_wh,) * lines, (0,) * lines)
    node = [data.draw(st.integers(0, lines)) for _ in range(len(book))]
    tick = data.draw(st.integers(1, 4))
    everywhere = grid.clear(book, feeder=feeder, node=node, k=k, tick=tick, margin=margin)
    once = uniform.clear(book, k=k, tick=tick, margin=margin)
    assert everywhere.price == once.price
    assert everywhere.fills_wh.tolist() == once.fills_wh.tolist()
    assert everywhere.amounts_nano.tolist() == once.amounts_nano.tolist()
    assert everywhere.trades.seller.tolist() == once.trades.seller.tolist()
    assert everywhere.welfare_nano == once.welfare_nano
    assert everywhere.full_lines == ()


@given(placed_books(), st.data())
def test_the_order_of_rows_changes_nothing(case: tuple[Book, Feeder, list[int]], data: st.DataObject) -> None:
    book, feeder, node = case
    rows = np.array(data.draw(st.permutations(range(len(book)))), dtype=np.int64)
    straight = grid.clear(book, feeder=feeder, node=node)
    shuffled = grid.clear(select(book, rows), feeder=feeder, node=np.array(node, dtype=np.int64)[rows])
    assert shuffled.amounts_nano.tolist() == straight.amounts_nano[rows].tolist()
    assert shuffled.node_price.tolist() == straight.node_price.tolist()


def test_a_full_line_is_named_and_its_two_ends_have_two_prices() -> None:
    book = from_arrays([BID, OFFER, OFFER], [30, 10, 20], [10, 10, 10])
    feeder = Feeder(parent=(0, 0), capacity_wh=(4, None), fee=(0, 0))
    clearing = grid.clear(book, feeder=feeder, node=[2, 1, 0])
    assert clearing.full_lines == (0,)
    assert clearing.flow_wh.tolist() == [4, -10]
    assert clearing.node_price.tolist() == [20, 10, 20]
    assert clearing.congestion_nano == 4 * (20 - 10)
    assert clearing.price is None


def test_markets_above_one_another_are_a_feeder_whose_lines_cost_a_fee() -> None:
    # houses 3 and 4 are in street 1, house 5 in street 2, both streets in community 0
    feeder = Feeder(parent=(0, 0, 1, 1, 2), capacity_wh=(None,) * 5, fee=(20, 20, 5, 5, 5))
    book = from_arrays([OFFER, BID, BID, BID], [100, 120, 130, 140], [10, 4, 4, 4])
    house = [3, 3, 4, 5]
    clearing = grid.clear(book, feeder=feeder, node=house)
    # a Wh is worth 20 in the house, 130 - 5 - 5 - 100 = 20 next door, and less than nothing in the other street
    assert clearing.fills_wh.tolist() == [8, 4, 4, 0]
    assert clearing.fees_nano == 4 * (5 + 5)
    assert clearing.node_price[4] == clearing.node_price[3] + 10
    assert clearing.welfare_nano == 4 * 20 + 4 * 20


def test_a_cut_line_leaves_two_markets() -> None:
    book = from_arrays([BID, OFFER, BID, OFFER], [10, 8, 4, 2], [5, 5, 5, 5])
    feeder = Feeder(parent=(0,), capacity_wh=(0,), fee=(0,))
    clearing = grid.clear(book, feeder=feeder, node=[0, 0, 1, 1])
    assert clearing.node_price.tolist() == [9, 3]
    assert clearing.fills_wh.tolist() == [5, 5, 5, 5]
    assert clearing.full_lines == (0,)


@pytest.mark.parametrize(
    ("parent", "capacity_wh", "fee", "field", "node"),
    [
        ((0, 2), (1, 1), (0, 0), "parent", 2),
        ((0, 0), (1, -1), (0, 0), "capacity_wh", 2),
        ((0, 0), (1, 1), (-1, 0), "fee", 1),
        ((0, 0), (1, 1.5), (0, 0), "capacity_wh", 2),
        ((0, 0), (1,), (0, 0), "capacity_wh", None),
    ],
)
def test_a_bad_line_is_refused_naming_field_and_node(
    parent: tuple[int, ...], capacity_wh: tuple[int, ...], fee: tuple[int, ...], field: str, node: int | None
) -> None:
    with pytest.raises(InvalidFeederError) as refusal:
        Feeder(parent, capacity_wh, fee)
    assert (refusal.value.field, refusal.value.node) == (field, node)


@pytest.mark.parametrize("node", [[0], [0, 2], [-1, 0], [0.5, 0]])
def test_orders_at_no_node_are_refused(node: list[int]) -> None:
    with pytest.raises(InvalidBookError, match="'node'"):
        grid.clear(from_arrays([BID, OFFER], [1, 1], [1, 1]), feeder=Feeder((0,), (1,), (0,)), node=node)
