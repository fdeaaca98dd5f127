"""Accounts and tariffs as the chain has them, read once per block."""

import threading
from collections.abc import Callable, Collection, Hashable
from typing import Any, TypeVar

from ledger.chain import Block
from ledger.deployment import Contracts
from ledger.market import (
    AccountState,
    Market,
    epoch_holds,
    read_account,
    read_accounts,
    read_tariff,
    read_tariffs,
)
from matching.tariff import Tariff

_T = TypeVar("_T")


class ChainView:
    """Answers from the chain's head. Thread-safe. Nothing is remembered beyond the block it was read at."""

    def __init__(self, contracts: Contracts, market: Market) -> None:
        self._contracts = contracts
        self._market = market
        self._lock = threading.Lock()
        self._block = b""
        self._answers: dict[Hashable, Any] = {}

    def state(self, account: bytes) -> AccountState:
        """The account at the chain's head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return self._remembered(
            ("account", account), lambda block: read_account(self._contracts, account, block_number=block)
        )

    def states(self, accounts: Collection[bytes]) -> dict[bytes, AccountState]:
        """Each of these accounts, all at the same head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        block, known = self._at_head()
        states = {account: known[key] for account in accounts if (key := ("account", account)) in known}
        missing = [account for account in accounts if account not in states]
        if missing:
            read = read_accounts(self._contracts, missing, block_number=block.number)
            states |= zip(missing, read, strict=True)
            known |= {("account", account): state for account, state in zip(missing, read, strict=True)}
        return states

    def epoch_holds(self, account: bytes, slot: int, epoch: int) -> bool:
        """Whether the account's orders of this epoch hold for the slot.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return epoch_holds(self._contracts, account, self.state(account), slot, epoch)

    def tariff(self, slot: int) -> Tariff:
        """The tariff in force in a slot.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return self._remembered(
            ("tariff", slot), lambda block: read_tariff(self._contracts, self._market.id, slot, block_number=block)
        )

    def tariffs(self, first_slot: int, last_slot: int) -> list[tuple[int, Tariff]]:
        """Those in force from one slot to another, each with the first slot that it holds for, ascending.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return self._remembered(
            ("tariffs", first_slot, last_slot),
            lambda block: read_tariffs(
                self._contracts, self._market.id, first_slot, last_slot, block_number=block
            ),
        )

    def is_frozen(self) -> bool:
        """Whether the market is frozen.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """

        def read(block: int) -> bool:
            frozen: bool = self._contracts.markets.read("is_frozen", self._market.id, block_number=block)
            return frozen

        return self._remembered("frozen", read)

    def _remembered(self, key: Hashable, read: Callable[[int], _T]) -> _T:
        block, known = self._at_head()
        if key not in known:
            known[key] = read(block.number)
        answer: _T = known[key]
        return answer

    def _at_head(self) -> tuple[Block, dict[Hashable, Any]]:
        """The head, and the answers that are known as of it, for new ones to be added."""
        head = self._contracts.exchange.chain.head()
        with self._lock:
            if head.hash != self._block:
                self._block = head.hash
                # A new one: who reads at the block before still adds to that one's.
                self._answers = {}
            return head, self._answers
