"""Compares the replayed model with what the contracts' getters say, and reads there what cannot be replayed."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from ledger import merkle
from ledger.audit.device_rules import ISSUER, REGISTRAR
from ledger.audit.findings import Findings
from ledger.audit.market_rules import ROLE_FIELDS, VALIDATOR, holder
from ledger.audit.model import Model, SlotModel
from ledger.audit.questions import Question, Questioner, ask
from ledger.audit.rulebook import hexed, where_of
from ledger.deployment import Contracts

_SLOT_STATES = {"open": 0, "settled": 1, "delivered": 2, "voided": 3, "partial": 4, "unwinding": 5}
_ACCOUNT_RULES = {
    "storage.balance": ("balance",),
    "storage.debt": ("debt",),
    "storage.epoch": ("epoch", "epoch_from_slot"),
    "storage.market": ("market_number",),
}


class Comparison(Questioner):
    """Compares parts of a model with the contracts' storage after one block."""

    def __init__(self, contracts: Contracts, model: Model, findings: Findings, block_number: int) -> None:
        super().__init__(contracts.exchange.chain, findings, block_number)
        self._contracts = contracts
        self._model = model

    def everything(self) -> None:
        """All that the model still holds."""
        self.ask(self._accounts())
        self.ask(self._markets())
        self.ask(self._sums())
        self.slots(self._model.slots.values())

    def slots(self, slots: Iterable[SlotModel]) -> None:
        """State, book, fills and positions of slots."""
        self.ask(question for slot in slots for question in self._slot(slot))

    def _accounts(self) -> Iterator[Question]:
        numbers = {market: number for number, market in enumerate(self._model.markets, start=1)}
        for account, state in sorted(self._model.accounts.items()):
            expected = {
                "balance": state.balance_nano,
                "debt": state.debt_nano,
                "epoch": state.epoch,
                "epoch_from_slot": state.epoch_from_slot,
                "market_number": 0 if state.market is None else numbers[state.market],
            }
            take = partial(self._take_account, f"account {hexed(account)}", expected)
            yield Question(self._contracts.exchange, "account_of", (account,), take)

    def _take_account(self, where: str, expected: dict[str, int], found: dict[str, int]) -> None:
        for rule, names in _ACCOUNT_RULES.items():
            ours, theirs = ([fields[name] for name in names] for fields in (expected, found))
            self.findings.check(rule, where, expected=ours, found=theirs)

    def _markets(self) -> Iterator[Question]:
        contracts, model = self._contracts, self._model
        yield self.question("storage.owner", "the owner", model.owner, contracts.markets, "owner")
        for role, view in ((ISSUER, "issuer"), (REGISTRAR, "registrar")):
            held = model.guarantees.roles.get(role)
            if held is not None:
                yield self.question("storage.role", view, held, contracts.devices, view)
        for market, state in model.states.items():
            where = f"market {hexed(market)}"
            roles = [*ROLE_FIELDS, *range(VALIDATOR, VALIDATOR + len(state.validators))]
            for role in roles:
                held = holder(model.markets[market], state, role)
                at = f"{where}, role {role}"
                yield self.question("storage.role", at, held, contracts.markets, "holder_of", market, role)
            for rule, expected, contract, view in (
                ("storage.frozen", state.is_frozen, contracts.markets, "is_frozen"),
                ("storage.unfinished", state.unfinished_slot or 0, contracts.exchange, "unfinished_slot"),
                ("storage.members", len(state.members), contracts.escrow, "member_count"),
                ("storage.bond", state.bond_nano, contracts.challenges, "bonds"),
                ("storage.challenges", state.open_challenges, contracts.challenges, "open_challenges"),
            ):
                yield self.question(rule, where, expected, contract, view, market)

    def _sums(self) -> Iterator[Question]:
        """Credits sent to a contract without a deposit belong to nobody: more is harmless, less is not."""
        stakes = len(self._model.challenges) * self._contracts.challenges.read("terms")[0]
        bonds = sum(state.bond_nano for state in self._model.states.values())
        for rule, contract, owed in (
            ("storage.escrow", self._contracts.escrow, self._model.credits_nano),
            ("storage.stakes", self._contracts.challenges, bonds + stakes),
        ):
            take = partial(self._take_sum, rule, owed)
            yield Question(self._contracts.credit, "balanceOf", (contract.address,), take)

    def _take_sum(self, rule: str, owed: int, found: int) -> None:
        self.findings.require(rule, "all accounts", found >= owed, expected=f"{owed} or more", found=found)

    def _slot(self, slot: SlotModel) -> Iterator[Question]:
        exchange, where, key = self._contracts.exchange, where_of(slot), (slot.market, slot.slot)

        def take(found: dict[str, Any]) -> None:
            self.findings.check("storage.slot", where, expected=_SLOT_STATES[slot.state], found=found["state"])
            self.findings.check("storage.price", where, expected=slot.price, found=found["price"])

        yield Question(exchange, "slot_of", key, take)
        if slot.book_root is not None:
            book = merkle.commitment(slot.book_root, slot.book_size)
            yield self.question("storage.book", where, book, exchange, "books", *key)
        if not slot.is_unread:
            for chunk, fills_hash in enumerate(slot.fills_hashes):
                at = f"{where}, chunk {chunk}"
                yield self.question("storage.fills", at, fills_hash, exchange, "fills_hashes", *key, chunk)
        for account, position in sorted(slot.positions.items()):
            # A position counts from the slot's settlement.
            expected = position if slot.state == "settled" else 0
            at = f"position of {hexed(account)} in {where}"
            yield self.question("storage.position", at, expected, exchange, "position_of", account, slot.slot)


def take_over(contracts: Contracts, model: Model, market: bytes, block_number: int) -> None:
    """Read a market's accounts and positions after a block from storage, where calldata did not show them.

    Raises:
        ChainError: the endpoint no longer has the state of that block.
    """

    def take_account(account: bytes, found: dict[str, int]) -> None:
        state = model.accounts[account]
        state.balance_nano, state.debt_nano = found["balance"], found["debt"]

    def take_position(slot: SlotModel, account: bytes, found: int) -> None:
        slot.positions[account] = found

    def questions() -> Iterator[Question]:
        accounts = [account for account, state in model.accounts.items() if state.market == market]
        for account in accounts:
            yield Question(contracts.exchange, "account_of", (account,), partial(take_account, account))
        for slot in model.slots.values():
            if slot.market == market and slot.state == "settled" and slot.is_unread:
                for account in accounts:
                    take = partial(take_position, slot, account)
                    yield Question(contracts.exchange, "position_of", (account, slot.slot), take)

    ask(contracts.exchange.chain, questions(), block_number)
    model.states[market].stale_since = None
