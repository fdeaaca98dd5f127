from hypothesis import given
from hypothesis import strategies as st

from matching.book import Book
from matching.crossing import cross, cross_curves, demand, supply
from matching.orders import MAX_PRICE
from tests.matching.books import random_book, small_books


@given(st.one_of(small_books(), small_books(max_price=5_000), small_books(max_price=MAX_PRICE, max_quantity_wh=3)))
def test_orders_far_from_the_crossing_do_not_matter(orders: Book) -> None:
    assert cross(orders) == cross_curves(demand(orders), supply(orders))


@given(
    st.integers(0, 10**6), st.integers(1, 400), st.sampled_from([10, 2_000, 10**6, MAX_PRICE]), st.integers(1, 50)
)
def test_nor_do_they_in_larger_books(seed: int, size: int, max_price: int, max_quantity_wh: int) -> None:
    orders = random_book(seed, size, max_price=max_price, max_quantity_wh=max_quantity_wh)
    assert cross(orders) == cross_curves(demand(orders), supply(orders))
