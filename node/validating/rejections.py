"""Whether the chain bears out every order that a proposal leaves out, and every one that it does not.

Accounts change between a clearing and its validation: a deposit comes, another slot is delivered. So for each
account, its orders must be accepted or left out as its state was after some block since the book was committed.
"""

from collections import defaultdict
from collections.abc import Sequence

from ledger.chain import Chain
from ledger.deployment import Contracts
from ledger.market import AccountState, Market, epoch_holds, read_account
from matching.orders import Order
from node.rejections import (
    CANCELLED_REASON,
    CLEARING_TIME_S,
    EXPIRED_REASON,
    NOT_A_MEMBER_REASON,
    UNCOVERED_REASON,
    uncovered,
)
from node.store.records import OrderRecord
from node.validating.errors import RefusalError

_FIRST_SEARCH_BLOCKS = 1_024


def check_rejections(contracts: Contracts, market: Market, slot: int, records: Sequence[OrderRecord]) -> None:
    """Check every order of a slot, by account.

    Raises:
        RefusalError: an order is left out, or is not, without a reason that the chain bears out.
        ChainUnavailableError: the chain is out of reach.
    """
    head = contracts.exchange.chain.head()
    by_account: dict[bytes, list[OrderRecord]] = defaultdict(list)
    for record in records:
        by_account[record.signed.order.account].append(record)
    blocks: list[int] | None = None
    for account, own in by_account.items():
        stated = {record.signed.hash: record.reason for record in own if record.reason is not None}
        judge = _Judge(contracts, market, own, stated, head.timestamp)
        at_head = judge.expected(read_account(contracts, account, block_number=head.number))
        if at_head == stated:
            continue
        if blocks is None:
            blocks = _blocks_since_commitment(contracts, market, slot, head.number)
        before = (read_account(contracts, account, block_number=block) for block in blocks)
        if not any(judge.expected(state) == stated for state in before):
            raise _refusal(stated, at_head)


class _Judge:
    """Says which of one account's orders are to be left out, given the account's state."""

    def __init__(
        self,
        contracts: Contracts,
        market: Market,
        own: Sequence[OrderRecord],
        stated: dict[bytes, str],
        now: int,
    ) -> None:
        self._contracts = contracts
        self._market = market
        self._own = own
        # The operator's clock may be ahead of the chain's; the challenges allow it the same.
        self._expired = {
            record.signed.hash
            for record in own
            if stated.get(record.signed.hash) == EXPIRED_REASON
            and not record.posted
            and record.signed.order.expires_at < now + CLEARING_TIME_S
        }

    def expected(self, state: AccountState) -> dict[bytes, str]:
        """Hash and reason of each order that is to be left out; see `node.rejections.rejected`."""
        found: dict[bytes, str] = {}
        for record in self._own:
            if state.market != self._market.id:
                found[record.signed.hash] = NOT_A_MEMBER_REASON
            elif not self._is_current(record.signed.order, state):
                found[record.signed.hash] = CANCELLED_REASON
            elif record.signed.hash in self._expired:
                found[record.signed.hash] = EXPIRED_REASON
        return found | dict.fromkeys(uncovered(self._own, state, found), UNCOVERED_REASON)

    def _is_current(self, order: Order, state: AccountState) -> bool:
        return epoch_holds(self._contracts, order.account, state, order.slot, order.epoch)


def _blocks_since_commitment(contracts: Contracts, market: Market, slot: int, head: int) -> list[int]:
    """Blocks after which an account may have differed since the slot's book was committed, the latest first."""
    chain = contracts.exchange.chain
    first = _committed_in(contracts, market, slot, head)
    return sorted({first, *_blocks_with_events(chain, contracts, first, head)}, reverse=True)


def _blocks_with_events(chain: Chain, contracts: Contracts, first: int, last: int) -> set[int]:
    addresses = [contracts.exchange.address, contracts.escrow.address]
    return {log.block_number for log in chain.logs(first_block=first, last_block=last, address=addresses)}


def _committed_in(contracts: Contracts, market: Market, slot: int, head: int) -> int:
    last, span = head, _FIRST_SEARCH_BLOCKS
    while last >= 0:
        first = max(last - span + 1, 0)
        topics = [market.id, slot.to_bytes(32, "big")]
        found = contracts.exchange.events(["BookCommitted"], first_block=first, last_block=last, topics=topics)
        if found:
            return found[-1].log.block_number
        last, span = first - 1, 2 * span
    raise RefusalError("book", f"no event shows the book of slot {slot}")


def _refusal(stated: dict[bytes, str], at_head: dict[bytes, str]) -> RefusalError:
    digest = min(digest for digest in stated.keys() | at_head.keys() if stated.get(digest) != at_head.get(digest))
    said, right = stated.get(digest, "it is accepted"), at_head.get(digest, "it is to be accepted")
    return RefusalError("rejection", f"order 0x{digest.hex()}: the node says {said!r}, the chain {right!r}")
