"""Escrow: what an account has, and how much of it is free."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from ledger.market import AccountState
from matching.orders import Order
from matching.tariff import tariff_in_force
from node.cover import order_cover, position_cover
from node.ports import Accounts
from node.ports import Tariffs as TariffSource
from node.refusals import UncoveredOrderError
from node.store import Store
from node.store.surroundings import Surroundings, Tariffs

_PERIOD_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Standing:
    """An account on chain, and how much cover its orders and positions take, nano-credits."""

    state: AccountState
    reserved_nano: int

    @property
    def free_nano(self) -> int:
        """What covers new orders; below zero if the account owes more than it has."""
        return self.state.balance_nano - self.state.debt_nano - self.state.withdrawal_nano - self.reserved_nano


class Escrow:
    """Tells where accounts stand."""

    def __init__(self, store: Store, accounts: Accounts, tariffs: TariffSource) -> None:
        self._store = store
        self._accounts = accounts
        self._tariffs = tariffs

    def standing(self, account: bytes) -> Standing:
        """Where the account stands now.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        # In this order, so that a slot that settles or is delivered meanwhile counts twice rather than never.
        reserved_nano = sum(
            order_cover(order, self._tariffs.tariff(order.slot))
            for order in (record.signed.order for record in self._store.open_cover_orders(account))
        )
        reserved_nano += sum(
            position_cover(position_wh, self._tariffs.tariff(slot))
            for slot, position_wh in self._store.undelivered_positions(account)
        )
        return Standing(state=self._accounts.state(account), reserved_nano=reserved_nano)

    def tariffs(self, last_slot: int) -> Tariffs:
        """All tariffs there have been, up to a slot's.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        # Of whole periods, as the answer is remembered by what was asked.
        return self._tariffs.tariffs(0, (last_slot // _PERIOD_S + 1) * _PERIOD_S)

    def of_group(self, found: Surroundings, accounts: Collection[bytes], tariffs: Tariffs) -> "GroupEscrow":
        """What is free of these accounts, for new orders.

        What the store says of them must have been read before: see `standing`.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        reserved_nano = Counter(found.order_cover_nano)
        for account, slot, position_wh in found.positions:
            reserved_nano[account] += position_cover(position_wh, tariff_in_force(tariffs, slot))
        return GroupEscrow(self._accounts.states(accounts), reserved_nano, tariffs)

    def epoch_holds(self, order: Order, state: AccountState) -> bool:
        """See `epoch_holds`."""
        return epoch_holds(self._accounts, order, state)


def epoch_holds(accounts: Accounts, order: Order, state: AccountState) -> bool:
    """Whether an order is of the epoch that its account's orders for its slot must be of, by the account's state.

    Raises:
        ChainUnavailableError: the chain, which is asked only about slots that had closed, is out of reach.
    """
    if order.slot >= state.epoch_from_slot:
        return order.epoch == state.epoch
    return accounts.epoch_holds(order.account, order.slot, order.epoch)


class GroupEscrow:
    """What is free of some accounts while their orders are taken one after the other. Not thread-safe.

    Attributes:
        states: the accounts on chain.
    """

    def __init__(self, states: dict[bytes, AccountState], reserved_nano: Counter[bytes], tariffs: Tariffs) -> None:
        self.states = states
        self._reserved_nano = reserved_nano
        self._tariffs = tariffs

    def set_aside(self, order: Order) -> None:
        """Set aside what covers an order.

        Raises:
            UncoveredOrderError: too little is free; then nothing is set aside.
        """
        account = order.account
        needed_nano = order_cover(order, tariff_in_force(self._tariffs, order.slot))
        free_nano = Standing(self.states[account], self._reserved_nano[account]).free_nano
        if needed_nano > free_nano:
            raise UncoveredOrderError(account, needed_nano, free_nano)
        self._reserved_nano[account] += needed_nano
