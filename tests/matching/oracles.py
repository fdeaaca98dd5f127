"""Independent answers to check the designs against: slow, obvious, and sharing no code with them."""

import numpy as np
from scipy.optimize import linprog

from matching.book import Book


def greatest_welfare(book: Book) -> int:
    """Greatest welfare of any fills, by a linear program that knows nothing of curves or sorting."""
    if not len(book):
        return 0
    signs = np.where(book.side == 0, 1, -1)
    best = linprog(
        -(signs * book.price), A_eq=[signs], b_eq=[0], bounds=[(0, q) for q in book.quantity_wh.tolist()]
    )
    assert best.success
    return round(-best.fun)


def volume_at(book: Book, price: int) -> int:
    """What can trade at one price: the shorter of demand and supply there, Wh."""
    wanted = sum(int(q) for s, p, q in _rows(book) if s == 0 and p >= price)
    offered = sum(int(q) for s, p, q in _rows(book) if s == 1 and p <= price)
    return min(wanted, offered)


def greatest_volume(book: Book) -> int:
    """Most energy that any one price lets trade; only limit prices need trying."""
    return max((volume_at(book, int(price)) for price in book.price), default=0)


def clearing_prices(book: Book) -> list[int]:
    """Every price, in nano-credit, at which the greatest volume trades and nobody strictly better goes
    short."""
    most = greatest_volume(book)
    prices = []
    for price in range(int(book.price.max()) + 1):
        keen_demand = sum(int(q) for s, p, q in _rows(book) if s == 0 and p > price)
        keen_supply = sum(int(q) for s, p, q in _rows(book) if s == 1 and p < price)
        if volume_at(book, price) == most and keen_demand <= most and keen_supply <= most:
            prices.append(price)
    return prices


def _rows(book: Book) -> list[tuple[int, int, int]]:
    return list(zip(book.side.tolist(), book.price.tolist(), book.quantity_wh.tolist(), strict=True))
