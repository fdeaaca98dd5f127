"""What existing engines were seen to get wrong, each a test that every design here has to pass."""

from collections import Counter

import numpy as np
import pytest

from matching import designs, discriminatory, grid, uniform
from matching.book import Book, from_arrays
from matching.grid import Feeder
from matching.rationing import Margin
from matching.result import Clearing
from tests.matching.books import assert_keeps_promises, random_book
from tests.matching.oracles import greatest_volume, greatest_welfare

BID, OFFER = 0, 1
ONE_NODE = Feeder(parent=(), capacity_wh=(), fee=())
EFFICIENT = ("uniform", "discriminatory", "preferences", "grid")
"""The designs that realise all welfare; the continuous book and McAfee's auction do not promise it."""


def clear(design: str, book: Book) -> Clearing:
    """Clear under a design's default settings; a grid has one node."""
    settings = {"feeder": ONE_NODE, "node": [0] * len(book)} if design == grid.DESIGN else {}
    return designs.clear(design, book, **settings)


@pytest.mark.parametrize("design", [*EFFICIENT, "continuous"])
def test_equal_marginal_prices_trade(design: str) -> None:
    """pymarket clears nothing when the marginal bid and the marginal offer tie."""
    clearing = clear(design, from_arrays([BID, BID, OFFER, OFFER], [10, 8, 8, 8], [5, 5, 5, 5]))
    assert clearing.volume_wh == 10


@pytest.mark.parametrize("design", [*EFFICIENT, "continuous"])
def test_two_offers_at_one_price_both_trade(design: str) -> None:
    """lemlab trades 300 of these 500 Wh."""
    clearing = clear(design, from_arrays([OFFER, OFFER, BID], [10, 10, 20], [200, 300, 500]))
    assert clearing.fills_wh.tolist() == [200, 300, 500]


@pytest.mark.parametrize("design", EFFICIENT)
def test_cheap_offers_trade_before_dear_ones(design: str) -> None:
    """Grid Singularity's pay-as-bid takes offers from the dearest end and realises 4 to 28 % of the welfare."""
    book = random_book(seed=4, orders=600)
    clearing = clear(design, book)
    assert clearing.welfare_nano == greatest_welfare(book)
    filled, left = (
        book.price[(book.side == OFFER) & mask]
        for mask in (clearing.fills_wh > 0, clearing.fills_wh < book.quantity_wh)
    )
    assert filled.max() <= left.min()


@pytest.mark.parametrize("design", designs.DESIGNS)
def test_an_account_does_not_trade_with_itself(design: str) -> None:
    """Grid Singularity's pay-as-clear pairs an account's bid with its own offer."""
    for rank in ([0, 1, 2, 3, 4, 5], [5, 3, 4, 2, 1, 0]):
        book = from_arrays(
            [BID, BID, BID, OFFER, OFFER, OFFER],
            [30, 29, 28, 10, 11, 12],
            [4, 4, 4, 4, 4, 4],
            account=[1, 2, 3, 1, 2, 3],
            rank=rank,
        )
        trades = clear(design, book).trades
        assert len(trades)
        assert (book.account[trades.seller] != book.account[trades.buyer]).all()


@pytest.mark.parametrize("design", designs.DESIGNS)
def test_a_tie_favours_nobody_for_long(design: str) -> None:
    """assume always fills the same one of two members with equal bids."""
    winners: Counter[int] = Counter()
    draws = np.random.default_rng(5)
    for _ in range(100):
        book = from_arrays(
            [BID, BID, BID, OFFER, OFFER],
            [20, 20, 21, 10, 11],
            [5, 5, 5, 9, 4],
            received=draws.permutation(5),
            rank=draws.permutation(5),
        )
        fills = clear(design, book).fills_wh
        if fills[0] != fills[1]:
            winners[int(fills[1] > fills[0])] += 1
    assert min(winners[0], winners[1]) > 20


def test_pro_rata_treats_equal_orders_alike() -> None:
    book = from_arrays([BID, BID, OFFER], [20, 20, 10], [50, 50, 60])
    assert uniform.clear(book, margin=Margin.PRO_RATA).fills_wh.tolist() == [30, 30, 60]


@pytest.mark.parametrize("design", designs.DESIGNS)
@pytest.mark.parametrize(
    "orders",
    [([], []), ([BID], [10]), ([OFFER, OFFER], [1, 2]), ([BID, OFFER], [10, 11])],
    ids=["empty", "one bid", "offers only", "apart"],
)
def test_nothing_to_trade_is_a_result_not_a_crash(design: str, orders: tuple[list[int], list[int]]) -> None:
    """pymarket crashes when no bid reaches an offer."""
    sides, prices = orders
    clearing = clear(design, from_arrays(sides, prices, [5] * len(sides)))
    assert clearing.price is None
    assert clearing.volume_wh == 0
    assert clearing.fills_wh.tolist() == [0] * len(sides)


@pytest.mark.parametrize("design", designs.DESIGNS)
def test_a_price_is_what_is_paid_in_every_design(design: str) -> None:
    """Elsewhere one design reports prices with fees and another without; here price x energy is the money."""
    book = random_book(seed=6, orders=300)
    clearing = clear(design, book)
    trades = clearing.trades
    assert len(trades)
    paid = int((trades.buyer_price * trades.quantity_wh).sum())
    earned = int((trades.seller_price * trades.quantity_wh).sum())
    assert paid == -int(clearing.amounts_nano[book.side == BID].sum())
    assert earned == int(clearing.amounts_nano[book.side == OFFER].sum())
    assert clearing.surplus_nano == paid - earned
    if design != "mcafee":
        assert paid == earned


def test_grid_fees_are_the_difference_of_two_prices_and_stated_apart() -> None:
    book = from_arrays([BID, OFFER], [30, 10], [7, 7])
    clearing = grid.clear(book, feeder=Feeder(parent=(0,), capacity_wh=(None,), fee=(4,)), node=[0, 1])
    assert clearing.node_price[0] - clearing.node_price[1] == 4
    assert clearing.surplus_nano == clearing.fees_nano == 7 * 4


@pytest.mark.parametrize("design", designs.DESIGNS)
@pytest.mark.parametrize("margin", Margin)
def test_there_is_no_residue(design: str, margin: Margin) -> None:
    """Engines on floats leave 1e-12 kWh behind; here everything adds up to the last Wh and nano-credit."""
    book = random_book(seed=7, orders=999, max_price=50, max_quantity_wh=2**31 - 1)
    settings: dict[str, object] = {} if design == "continuous" else {"margin": margin}
    if design == grid.DESIGN:
        settings |= {"feeder": ONE_NODE, "node": [0] * len(book)}
    clearing = designs.clear(design, book, **settings)
    assert_keeps_promises(book, clearing)
    if design in EFFICIENT:
        assert clearing.volume_wh == greatest_volume(book)
        assert clearing.fills_wh.tolist() == discriminatory.clear(book, margin=margin).fills_wh.tolist()
