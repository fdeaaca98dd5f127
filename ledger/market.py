"""What the chain says of a market and its accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain import CallRevertedError
from ledger.chain import calls as chain_calls
from ledger.deployment import Contracts
from matching.tariff import Tariff

WITHDRAWAL_WINDOW_S = 7 * 86_400
"""How long after its notice period a withdrawal that was asked for can be taken; as in `contracts/escrow.vy`."""

_NO_TARIFF = "markets: no tariff"


@dataclass(frozen=True, slots=True)
class Market:
    """A market's terms; times in seconds, parties as addresses."""

    id: bytes
    operator: bytes
    meter_authority: bytes
    registrar: bytes
    utility: bytes
    slot_length_s: int
    gate_lead_s: int
    settle_within_s: int
    uniform_price: bool
    grid_limits: bool

    @property
    def has_priority(self) -> bool:
        """Whether an order strictly better than the price must be filled whole."""
        return self.uniform_price and not self.grid_limits

    def gate_closes_at(self, slot: int) -> int:
        """The first second at which no order for the slot is taken any more."""
        return slot - self.gate_lead_s

    def ends_at(self, slot: int) -> int:
        """The first second after the slot."""
        return slot + self.slot_length_s

    def void_after(self, slot: int) -> int:
        """The last second at which the slot cannot yet be voided."""
        return slot + self.settle_within_s

    def is_aligned(self, slot: int) -> bool:
        """Whether a slot starts at this second."""
        return slot % self.slot_length_s == 0


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the exchange keeps it; money in nano-credits.

    Attributes:
        balance_nano: credits in escrow.
        debt_nano: owed to the utility, because escrow did not cover an imbalance.
        epoch: orders of earlier epochs are cancelled, if they are for `epoch_from_slot` or later.
        epoch_from_slot: earlier slots' gates had closed when the epoch was raised; see `epoch_holds`.
        market: the market the account belongs to, or None if it is not a member of any.
        withdrawal_nano: credits that the account asked to withdraw, unless so long ago that it lapsed.
        is_utility: whether it is its market's utility, which places no orders.
    """

    balance_nano: int
    debt_nano: int
    epoch: int
    market: bytes | None
    withdrawal_nano: int
    epoch_from_slot: int = 0
    is_utility: bool = False


def read_market(contracts: Contracts, market: bytes) -> Market:
    """The market's terms.

    Raises:
        CallRevertedError: there is no such market.
    """
    return Market(id=market, **contracts.markets.read("terms_of", market))


def read_tariff(contracts: Contracts, market: bytes, slot: int, *, block_number: int | None = None) -> Tariff:
    """The tariff in force in a slot."""
    fields = contracts.markets.read("tariff_at", market, slot, block_number=block_number)
    del fields["from_slot"]
    return Tariff(**fields)


def read_tariffs(
    contracts: Contracts, market: bytes, first_slot: int, last_slot: int, *, block_number: int | None = None
) -> list[tuple[int, Tariff]]:
    """The tariffs in force from one slot to another, each with the first slot that it holds for, ascending.

    None is in force before the market's first.
    """
    found: list[tuple[int, Tariff]] = []
    slot = last_slot
    while not found or slot >= first_slot:
        try:
            fields = contracts.markets.read("tariff_at", market, slot, block_number=block_number)
        except CallRevertedError as error:
            if error.reason != _NO_TARIFF:
                raise
            break
        from_slot = fields.pop("from_slot")
        found.append((from_slot, Tariff(**fields)))
        slot = from_slot - 1
    return found[::-1]


def read_account(contracts: Contracts, account: bytes, *, block_number: int | None = None) -> AccountState:
    """An account after a block (default: the head)."""
    standing = contracts.escrow.read("standing_of", account, block_number=block_number)
    return _account_state(contracts, standing, block_number)


def read_accounts(contracts: Contracts, accounts: Sequence[bytes], *, block_number: int) -> list[AccountState]:
    """As `read_account`, for each of these, in one request where the chain takes many."""
    escrow = contracts.escrow
    requests = [(escrow.address, escrow.interface.call("standing_of", account)) for account in accounts]
    answers = chain_calls(escrow.chain, requests, block_number=block_number)
    standings = (escrow.interface.decode_result("standing_of", answer) for answer in answers)
    return [_account_state(contracts, standing, block_number) for standing in standings]


def _account_state(contracts: Contracts, standing: tuple[Any, ...], block_number: int | None) -> AccountState:
    state, market, withdrawal = standing
    has_lapsed = withdrawal["amount"] > 0 and _time_of(contracts, block_number) > (
        withdrawal["ready_at"] + WITHDRAWAL_WINDOW_S
    )
    return AccountState(
        balance_nano=state["balance"],
        debt_nano=state["debt"],
        epoch=state["epoch"],
        market=market if state["market_number"] else None,
        withdrawal_nano=0 if has_lapsed else withdrawal["amount"],
        epoch_from_slot=state["epoch_from_slot"],
        is_utility=state["market_number"] != 0 and state["member_number"] == 0,
    )


def _time_of(contracts: Contracts, block_number: int | None) -> int:
    chain = contracts.escrow.chain
    block = None if block_number is None else chain.block(block_number)
    return (block or chain.head()).timestamp


def epoch_holds(contracts: Contracts, account: bytes, state: AccountState, slot: int, epoch: int) -> bool:
    """Whether an account's orders of an epoch hold for a slot. Asks the chain only about slots that had closed."""
    if slot >= state.epoch_from_slot:
        return epoch == state.epoch
    holds: bool = contracts.exchange.read("is_current", account, slot, epoch)
    return holds
