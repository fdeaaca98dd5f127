"""Which orders clearing leaves out, and whom the operator then reports."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.eip712 import SignedOrder
from matching.orders import Side
from node.rejections import (
    CANCELLED_REASON,
    EXPIRED_REASON,
    NOT_A_MEMBER_REASON,
    TIME_TO_SETTLE_S,
    UNCOVERED_REASON,
    rejected,
    to_report,
)
from node.store.records import OrderRecord, OrderStatus
from tests.node.parts import ALICE, BOB, MARKET, SLOT, order
from tests.node.small_node import CREDIT, MEMBER, Ledger

NOW = SLOT - 300


def record(signed: SignedOrder, index: int, *, posted: bool = False) -> OrderRecord:
    receipt = None if posted else bytes(65)
    return OrderRecord(signed, index, SLOT - 900, receipt, OrderStatus.CLOSED, posted=posted)


def members() -> Ledger:
    return Ledger({ALICE.address: MEMBER, BOB.address: MEMBER})


def reasons(ledger: Ledger, *records: OrderRecord) -> list[str | None]:
    found = rejected(records, ledger, market=MARKET, now=NOW)
    return [found.get(each.signed.hash) for each in records]


def test_what_the_exchange_would_take_is_not_rejected() -> None:
    offer = order(BOB, side=Side.OFFER, quantity_wh=100_000)
    assert reasons(members(), record(order(ALICE), 0), record(offer, 1)) == [None, None]


def test_orders_of_another_epoch_or_market_are() -> None:
    ledger = members()
    ledger.kept[ALICE.address] = replace(MEMBER, epoch=1)
    ledger.kept[BOB.address] = replace(MEMBER, market=None)
    assert reasons(ledger, record(order(ALICE), 0), record(order(BOB), 1)) == [
        CANCELLED_REASON,
        NOT_A_MEMBER_REASON,
    ]


def test_an_order_has_to_last_until_it_can_settle_unless_it_is_posted() -> None:
    lasting = record(order(ALICE, expires_at=NOW + TIME_TO_SETTLE_S), 0)
    expiring = record(order(ALICE, expires_at=NOW + TIME_TO_SETTLE_S - 1), 1)
    posted = record(order(ALICE, expires_at=NOW + TIME_TO_SETTLE_S - 1, salt=1), 2, posted=True)
    assert reasons(members(), lasting, expiring, posted) == [None, EXPIRED_REASON, None]


def test_the_escrow_covers_what_came_first_and_posted_orders_cover_themselves() -> None:
    whole = 10 * CREDIT // 200_000
    first, second = (record(order(ALICE, quantity_wh=whole, salt=salt), salt) for salt in (0, 1))
    posted = record(order(ALICE, quantity_wh=whole, salt=2), 2, posted=True)
    assert reasons(members(), second, posted, first) == [UNCOVERED_REASON, None, None]
    ledger = members()
    ledger.kept[ALICE.address] = replace(MEMBER, withdrawal_nano=1)
    assert reasons(ledger, first, posted) == [UNCOVERED_REASON, None]


BIDS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 40_000), st.integers(1, 100_000), st.booleans()), max_size=12
)


@given(BIDS, st.integers(0, 40_000), st.integers(0, 5 * CREDIT))
def test_whoever_could_say_to_be_left_out_is_shown_to_have_overdrawn(
    bids: list[tuple[bool, int, int, bool]], price: int, withdrawal_nano: int
) -> None:
    state = replace(MEMBER, balance_nano=2 * CREDIT, withdrawal_nano=min(withdrawal_nano, 2 * CREDIT))
    ledger = Ledger({ALICE.address: state, BOB.address: state})
    records = [
        record(order(ALICE if alice else BOB, price=limit, quantity_wh=quantity, salt=salt), salt, posted=posted)
        for salt, (alice, limit, quantity, posted) in enumerate(bids)
    ]
    found = rejected(records, ledger, market=MARKET, now=NOW)
    cleared = [replace(each, reason=found.get(each.signed.hash)) for each in records]
    reports = {bids[0].order.account: bids for bids in to_report(cleared, price)}
    left_out = {each.signed.order.account for each in cleared if each.reason and each.signed.order.price > price}
    assert set(reports) == left_out
    posted_hashes = {each.signed.hash for each in records if each.posted}
    for account, shown in reports.items():
        cost = sum(signed.order.price * signed.order.quantity_wh for signed in shown)
        assert cost > state.balance_nano - state.withdrawal_nano
        assert {signed.order.account for signed in shown} == {account}
        assert len({signed.hash for signed in shown} - posted_hashes) == len(shown)
