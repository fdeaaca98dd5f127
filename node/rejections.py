"""Why clearing leaves orders out: the exchange would refuse them by now, and with them all others of the slot."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ledger.eip712 import SignedOrder
from ledger.market import AccountState
from matching.orders import Order, Side
from node.escrow import epoch_holds
from node.ports import Accounts
from node.store.records import OrderRecord

CANCELLED_REASON = "its account cancelled all earlier orders"
EXPIRED_REASON = "it expires before it can settle"
UNCOVERED_REASON = "its account's escrow no longer covers it"
NOT_A_MEMBER_REASON = "its account is no longer the market's"

CLEARING_TIME_S = 300
"""An order that expires so soon after the settlement may be left out of it; as in `contracts/challenges.vy`."""

TIME_TO_SETTLE_S = 240
"""Between clearing and the block that settles; the chain's clock may be as far behind as this is shorter than
`CLEARING_TIME_S`, before an order that was left out as expired can be held against the operator."""


def rejected(orders: Sequence[OrderRecord], accounts: Accounts, *, market: bytes, now: int) -> dict[bytes, str]:
    """Orders of one slot that clearing leaves out, by hash, with the reason.

    What covers a posted order is set aside on chain, and it lasts until the slot's last moment. Of the others the
    escrow covers those that came first.

    Raises:
        ChainUnavailableError: the chain is out of reach.
    """
    by_account = defaultdict(list)
    for record in orders:
        by_account[_order(record).account].append(record)
    states = accounts.states(by_account.keys())
    found = {}
    for record in orders:
        order = _order(record)
        state = states[order.account]
        if state.market != market:
            found[record.signed.hash] = NOT_A_MEMBER_REASON
        elif not epoch_holds(accounts, order, state):
            found[record.signed.hash] = CANCELLED_REASON
        elif not record.posted and order.expires_at < now + TIME_TO_SETTLE_S:
            found[record.signed.hash] = EXPIRED_REASON
    for account, own in by_account.items():
        for order_hash in uncovered(own, states[account], found):
            found[order_hash] = UNCOVERED_REASON
    return found


def uncovered(own: Iterable[OrderRecord], state: AccountState, others: Collection[bytes]) -> list[bytes]:
    """Hashes of one account's bids that its escrow does not cover, those aside that are rejected otherwise."""
    cover_nano = state.balance_nano - state.withdrawal_nano
    found = []
    for record in sorted(own, key=lambda record: record.index):
        if record.posted or _order(record).side is Side.OFFER or record.signed.hash in others:
            continue
        cost_nano = _order(record).price * _order(record).quantity_wh
        if cost_nano > cover_nano:
            found.append(record.signed.hash)
        else:
            cover_nano -= cost_nano
    return found


def to_report(orders: Sequence[OrderRecord], price: int) -> list[list[SignedOrder]]:
    """For each account that overdrew: bids that together come to more than its escrow, to be shown to the chain.

    Only where one of them was better than the price: nobody else can claim to have been left out.
    """
    reports: dict[bytes, list[SignedOrder]] = {}
    for record in sorted(orders, key=lambda record: record.index):
        order = _order(record)
        if record.reason == UNCOVERED_REASON and order.price > price and order.account not in reports:
            covered = [each.signed for each in orders if _is_covered_before(each, record)]
            reports[order.account] = [*covered, record.signed]
    return list(reports.values())


def _is_covered_before(record: OrderRecord, uncovered: OrderRecord) -> bool:
    order = _order(record)
    is_own_bid = order.account == _order(uncovered).account and order.side is Side.BID
    return is_own_bid and not record.posted and record.reason is None and record.index < uncovered.index


def _order(record: OrderRecord) -> Order:
    return record.signed.order
