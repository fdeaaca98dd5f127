"""What the rules of all contracts share: the model, the calls, and who may have sent what."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ledger.audit.calls import Calls, UnreadableCallError
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import AccountModel, MarketModel, Model, SlotModel
from ledger.chain import Address
from ledger.market import Market

Handler = Callable[[Occurrence], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was fixed when the contracts were deployed; in seconds and nano-credits."""

    withdrawal_notice_s: int
    certificate_lifetime_s: int
    stake_nano: int
    penalty_nano: int
    claim_period_s: int
    response_s: int


class Rulebook:
    """The rules for one contract's events; `handlers` by event name."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        self.calls = calls
        self.terms = terms
        self.model = model
        self.findings = findings
        self.handlers: dict[str, Handler] = {}

    def apply(self, occurrence: Occurrence) -> None:
        """Check one event and let it take its effect on the model."""
        handler = self.handlers.get(occurrence.event.name)
        if handler is not None:
            handler(occurrence)

    # The model

    def market_of(self, occurrence: Occurrence) -> tuple[Market, MarketModel] | None:
        """The event's market, or None and a finding if it was never opened."""
        market = occurrence.event.arguments["market"]
        known = self.findings.require(
            "market.known", f"{occurrence.event.name} in block {occurrence.block}", market in self.model.markets,
            expected="a market that was opened", found=market,
        )  # fmt: skip
        return (self.model.markets[market], self.model.states[market]) if known else None

    def slot_of(self, occurrence: Occurrence, step: str | None) -> SlotModel | None:
        """The event's slot, with the step (if it is one) noted; None and a finding if it is over, or nowhere."""
        found = self.market_of(occurrence)
        if found is None:
            return None
        market, state = found
        number = occurrence.event.arguments["slot"]
        where = f"slot {number}"
        is_over = (market.id, number) not in self.model.slots and state.has_finished(number)
        if not self.findings.require(
            "slot.over", where, not is_over, expected="nothing", found=occurrence.event.name
        ):
            return None
        self.findings.check("slot.aligned", where, expected=0, found=number % market.slot_length_s)
        slot = self.model.slot(market.id, number)
        if step is not None:
            slot.blocks[step], slot.transactions[step] = occurrence.block, occurrence.transaction
        return slot

    def account(self, occurrence: Occurrence, account: bytes) -> AccountModel:
        """An account of the model; one that nobody registered is a finding, and has nothing."""
        where = f"account {hexed(account)} in block {occurrence.block}"
        known = account in self.model.accounts
        self.findings.require("account.known", where, known, expected="a registered account", found="none")
        return self.model.accounts.setdefault(account, AccountModel(None))

    def not_negative(self, account: AccountModel, where: str) -> None:
        """Escrow is never below zero."""
        self.findings.require(
            "escrow.negative", where, account.balance_nano >= 0, expected="0 or more", found=account.balance_nano
        )

    # Who sent what

    def check_sender(
        self,
        rule: str,
        where: str,
        occurrence: Occurrence,
        expected: Address | Collection[Address] | None,
        *,
        through: str | None = None,
    ) -> None:
        """Whether the transaction's call came from (one of) the expected; with None, that is not known.

        A transaction that called another contract shows who called ours only if that other one is the expected.

        Args:
            rule: what is broken if it did not.
            where: what it is about.
            occurrence: the event.
            expected: whoever may have sent it.
            through: the contract that is to be called; by default the event's own.
        """
        if expected is None or occurrence.call is None:
            return
        allowed = {expected} if isinstance(expected, bytes) else set(expected)
        sender, to = occurrence.call.sender, occurrence.call.to
        if to == self.calls.addresses[through or occurrence.contract]:
            self.findings.require(
                rule, where, sender in allowed, expected=" or ".join(sorted(map(hexed, allowed))), found=sender
            )
        elif to not in allowed:
            self.findings.require(
                "history.indirect", where, False, expected=f"a call whose sender can be told, for {rule}",
                found=f"sent through {'a creation' if to is None else hexed(to)}",
            )  # fmt: skip

    def unread(self, error: UnreadableCallError, slot: SlotModel, occurrence: Occurrence) -> None:
        """A call of the slot cannot be read: say so, and take its effects from storage later."""
        self.findings.require(
            error.rule, where_of(slot), False, expected="a call that calldata shows", found=str(error)
        )
        slot.is_unread = True
        self.model.states[slot.market].stale_since = occurrence.block


def where_of(slot: SlotModel) -> str:
    """The slot, in words."""
    return f"slot {slot.slot}"


def hexed(value: bytes) -> str:
    """Bytes as people read them."""
    return "0x" + value.hex()
