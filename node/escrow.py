"""Escrow: what an account has, and how much of it is free."""

from dataclasses import dataclass

from ledger.market import AccountState
from matching.orders import Order
from node.cover import order_cover, position_cover
from node.ports import Accounts, Tariffs
from node.store import Store


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

    def __init__(self, store: Store, accounts: Accounts, tariffs: Tariffs) -> None:
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

    def epoch_holds(self, order: Order) -> bool:
        """Whether the order is of the epoch that its account's orders for its slot must be of.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return self._accounts.epoch_holds(order.account, order.slot, order.epoch)
