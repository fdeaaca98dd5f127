"""Whether a node does its work: what stops it, and what needs a person's attention though it goes on."""

from dataclasses import dataclass

from ledger.market import Market
from matching.errors import WattbookError
from node.approvals import Approvals, NoProposalError
from node.clock import Clock
from node.ports import Accounts, Lifecycle, MarketState
from node.store import Store
from node.store.records import SlotState

MAX_LATE_SLOTS = 4
"""So many slots may be unsettled a slot's length after their gates closed: an hour's, at four an hour."""

_SEEN_FACT = "last asked whether ready"
_TO_SETTLE = (SlotState.OPEN, SlotState.CLOSED, SlotState.COMMITTED, SlotState.CLEARED)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node does not do its work; `code` as of a problem."""

    code: str
    text: str


@dataclass(frozen=True)
class Readiness:
    """Looks at everything that has to work."""

    store: Store
    market: Market
    clock: Clock
    accounts: Accounts
    market_state: MarketState
    lifecycle: Lifecycle
    approvals: Approvals

    def reasons(self) -> list[Reason]:
        """What keeps the node from its work; nothing if it does it."""
        found = [self._store(), self._chain(), self._slots()]
        if self.lifecycle.trouble is not None:
            found.append(Reason("node.trouble", f"slots do not move on: {self.lifecycle.trouble}"))
        return [reason for reason in found if reason is not None]

    def concerns(self) -> list[str]:
        """What a person should see to: slots without their approvals, unanswered challenges, a frozen market.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        found = [*self._awaited(), *self.lifecycle.concerns]
        if self.market_state.is_frozen():
            found.append("the market is frozen: nothing is settled until its owner unfreezes it")
        return found

    def _store(self) -> Reason | None:
        try:
            self.store.set_fact(_SEEN_FACT, str(self.clock.now()))
        except WattbookError as error:
            return Reason("store.unavailable", f"the store cannot be written to: {error}")
        return None

    def _chain(self) -> Reason | None:
        try:
            self.accounts.state(self.market.operator)
        except WattbookError as error:
            return Reason("chain.unavailable", f"the chain is out of reach: {error}")
        return None

    def _slots(self) -> Reason | None:
        try:
            records = self.store.slots(states=_TO_SETTLE)
        except WattbookError:
            return None  # writing failed as well, and tells of it
        late_from = self.clock.now() - self.market.slot_length_s
        late = [record.slot for record in records if self.market.gate_closes_at(record.slot) < late_from]
        if len(late) <= MAX_LATE_SLOTS:
            return None
        return Reason(
            "node.late", f"{len(late)} slots are late, from {late[0]} on: at most {MAX_LATE_SLOTS} may be"
        )

    def _awaited(self) -> list[str]:
        found = []
        for record in self.store.slots(states=[SlotState.CLEARED]):
            try:
                _, given = self.approvals.given(record.slot)
            except NoProposalError:
                continue
            validators = self.approvals.validators()
            count = sum(account in validators.accounts for account in given)
            if count < validators.approvals_needed:
                found.append(
                    f"slot {record.slot} awaits approvals: {count} of {validators.approvals_needed} are in"
                )
        return found
