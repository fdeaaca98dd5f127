import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.orderbook import Action, Event, InvalidEventError, LimitOrderBook, Outcome, replayed
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Side
from matching.result import Reason
from tests.matching.naive_book import NaiveBook

BID, OFFER = Side.BID, Side.OFFER


@st.composite
def event_lists(draw: st.DrawFn, *, max_events: int = 30) -> list[Event]:
    event = st.builds(
        Event,
        action=st.sampled_from([*Action, Action.LIMIT, Action.LIMIT]),
        side=st.sampled_from(Side),
        price=st.integers(0, 5),
        quantity_wh=st.integers(1, 6),
        account=st.integers(0, 3),
        number=st.integers(0, max_events),
    )
    return draw(st.lists(event, max_size=max_events))


def trades_of(outcomes: list[Outcome], incoming: list[int]) -> list[tuple[int, int, int, int]]:
    return [
        (made.resting, number, made.price, made.quantity_wh)
        for outcome, number in zip(outcomes, incoming, strict=True)
        for made in outcome.executions
    ]


@settings(max_examples=400)
@given(event_lists())
def test_it_does_what_a_book_sorted_anew_each_time_does(events: list[Event]) -> None:
    book, naive = LimitOrderBook(), NaiveBook()
    outcomes = []
    for event in events:
        outcomes.append(book.apply(event))
        naive.apply(event)
        assert book.snapshot() == naive.snapshot()
    assert trades_of(outcomes, list(range(len(events)))) == naive.trades


@given(event_lists(), event_lists())
def test_a_restored_book_goes_on_like_the_original(before: list[Event], after: list[Event]) -> None:
    book = replayed(before)
    restored = LimitOrderBook.restored(book.snapshot())
    assert restored.snapshot() == book.snapshot()
    assert [restored.apply(event) for event in after] == [book.apply(event) for event in after]
    assert restored.snapshot() == book.snapshot() == replayed(before + after).snapshot()


@given(event_lists())
def test_the_book_never_crosses_and_depth_adds_up(events: list[Event]) -> None:
    book = replayed(events)
    bid, offer = book.best_bid, book.best_offer
    assert bid is None or offer is None or bid < offer
    for side, best in ((BID, bid), (OFFER, offer)):
        depth = book.depth(side)
        resting = [order for order in book.snapshot().orders if order.side is side]
        assert sum(level.left_wh for level in depth) == sum(order.left_wh for order in resting)
        assert sum(level.orders for level in depth) == len(resting)
        assert [level.price for level in depth[:1]] == ([] if best is None else [best])
        assert book.depth(side, 1) == depth[:1]


@given(event_lists())
def test_no_account_trades_with_itself(events: list[Event]) -> None:
    book = LimitOrderBook()
    owner: dict[int, int] = {}
    for number, event in enumerate(events):
        owner[number] = owner.get(event.number, -1) if event.action is Action.AMEND else event.account
        for made in book.apply(event).executions:
            assert owner[made.resting] != owner[number]


def test_a_trade_is_at_the_resting_order_s_price_earliest_first() -> None:
    book = LimitOrderBook()
    for price, account in ((20, 1), (10, 2), (10, 3)):
        book.submit(OFFER, price, 5, account)
    outcome = book.submit(BID, 30, 12, 4)
    assert [tuple(made) for made in outcome.executions] == [(1, 10, 5), (2, 10, 5), (0, 20, 2)]
    assert outcome.left_wh == 0
    assert book.last_price == 20
    assert book.best_offer == 20
    assert book.best_bid is None
    assert book.mid_price is None


def test_the_rest_of_a_limit_order_waits_and_of_an_immediate_order_does_not() -> None:
    for action, left_wh in ((Action.LIMIT, 3), (Action.IOC, 0)):
        book = LimitOrderBook()
        book.submit(OFFER, 10, 5, 1)
        outcome = book.submit(BID, 10, 8, 2, action)
        assert outcome.left_wh == left_wh
        assert sum(level.left_wh for level in book.depth(BID)) == left_wh


def test_fill_or_kill_trades_all_or_leaves_the_book_alone() -> None:
    book = LimitOrderBook()
    book.submit(OFFER, 10, 5, 1)
    book.submit(OFFER, 10, 5, 2)
    before = book.depth(OFFER)
    assert book.submit(BID, 10, 6, 2, Action.FOK).refused is Reason.FILL_OR_KILL  # one offer is its own
    assert book.depth(OFFER) == before
    assert book.submit(BID, 10, 10, 3, Action.FOK).refused is None
    assert book.depth(OFFER) == []


def test_post_only_waits_or_is_refused() -> None:
    book = LimitOrderBook()
    book.submit(OFFER, 10, 5, 1)
    assert book.submit(BID, 10, 5, 2, Action.POST_ONLY).refused is Reason.POST_ONLY
    assert book.submit(BID, 8, 5, 2, Action.POST_ONLY).left_wh == 5
    assert (book.best_bid, book.best_offer, book.mid_price) == (8, 10, 9)


def test_an_order_that_meets_its_own_account_s_takes_it_out_of_the_book() -> None:
    book = LimitOrderBook()
    mine = book.submit(OFFER, 10, 5, 1).number
    other = book.submit(OFFER, 11, 5, 2).number
    outcome = book.submit(BID, 12, 5, 1)
    assert outcome.removed == [mine]
    assert [made.resting for made in outcome.executions] == [other]


def test_lowering_the_quantity_keeps_the_place_and_anything_else_loses_it() -> None:
    book = LimitOrderBook()
    first, second = book.submit(OFFER, 10, 5, 1).number, book.submit(OFFER, 10, 5, 2).number
    assert book.amend(first, 10, 4).number == first
    assert book.submit(BID, 10, 1, 3).executions[0].resting == first
    renewed = book.amend(first, 10, 5)
    assert renewed.number not in (first, second)
    assert [made.resting for made in book.submit(BID, 10, 6, 3).executions] == [second, renewed.number]


def test_an_amended_order_may_trade_at_once() -> None:
    book = LimitOrderBook()
    book.submit(OFFER, 10, 5, 1)
    waiting = book.submit(BID, 8, 5, 2).number
    assert book.amend(waiting, 10, 5).executions[0].quantity_wh == 5


def test_a_cancelled_or_unknown_order_is_not_resting() -> None:
    book = LimitOrderBook()
    number = book.submit(BID, 10, 5, 1).number
    assert book.cancel(number).refused is None
    assert book.cancel(number).refused is Reason.NOT_RESTING
    assert book.amend(99, 10, 5).refused is Reason.NOT_RESTING
    assert book.depth(BID) == []


def test_cancelling_most_orders_leaves_little_behind() -> None:
    book = LimitOrderBook()
    numbers = [book.submit(BID, price, 1, 0).number for price in range(2_000)]
    for number in numbers[:-1]:
        book.cancel(number)
    assert len(book._keys[BID]) < 200
    assert book.best_bid == 1_999


@pytest.mark.parametrize(
    ("price", "quantity_wh", "field"),
    [
        (-1, 1, "price"),
        (MAX_PRICE + 1, 1, "price"),
        (1, 0, "quantity_wh"),
        (1, MAX_QUANTITY_WH + 1, "quantity_wh"),
    ],
)
def test_an_order_outside_its_limits_is_refused_and_is_no_event(price: int, quantity_wh: int, field: str) -> None:
    book = LimitOrderBook()
    with pytest.raises(InvalidEventError, match=f"'{field}'"):
        book.submit(BID, price, quantity_wh, 1)
    with pytest.raises(InvalidEventError, match=f"'{field}'"):
        book.amend(0, price, quantity_wh)
    assert book.snapshot().events == 0
