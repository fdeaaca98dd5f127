"""The proof in integers that stands between the solver and a clearing."""

import numpy as np
import pytest

from matching import grid, network
from matching.book import Book, from_arrays
from matching.grid import Feeder
from matching.network import SolverError

BOOK = from_arrays([0, 0, 1, 1], [10, 8, 6, 7], [5, 5, 5, 5])
FEEDER = Feeder(parent=(0,), capacity_wh=(3,), fee=(1,))


def clear(book: Book) -> None:
    grid.clear(book, feeder=FEEDER, node=[0, 0, 1, 0])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda fills, flows: (fills * 0, flows * 0), "not optimal"),
        (lambda fills, flows: (fills - (fills > 0), flows), "do not balance"),
        (lambda fills, flows: (fills, flows + 1), "do not balance"),
        (lambda fills, flows: (fills + 10, flows), "do not balance"),
    ],
)
def test_an_answer_of_the_solver_that_is_no_optimum_is_refused(
    monkeypatch: pytest.MonkeyPatch, change: object, problem: str
) -> None:
    optimum = network._optimum
    clear(BOOK)
    monkeypatch.setattr(network, "_optimum", lambda groups, arcs: change(*optimum(groups, arcs)))
    with pytest.raises(SolverError, match=problem):
        clear(BOOK)


def test_trading_less_than_the_lines_allow_is_no_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Feeder(parent=(0,), capacity_wh=(1,), fee=(1,))
    seen = []
    optimum = network._optimum
    monkeypatch.setattr(network, "_optimum", lambda *asked: seen.append(optimum(*asked)) or seen[-1])
    grid.clear(BOOK, feeder=narrow, node=[0, 0, 1, 0])
    monkeypatch.setattr(network, "_optimum", lambda *asked: seen[0])
    with pytest.raises(SolverError, match="not optimal"):
        clear(BOOK)


def test_the_solver_s_answer_is_the_same_every_time() -> None:
    draws = np.random.default_rng(8)
    book = from_arrays(draws.integers(0, 2, 300), draws.integers(0, 20, 300), draws.integers(1, 9, 300))
    node = draws.integers(0, 2, 300)
    first, second = (grid.clear(book, feeder=FEEDER, node=node) for _ in range(2))
    assert first.fills_wh.tolist() == second.fills_wh.tolist()
    assert first.node_price.tolist() == second.node_price.tolist()
