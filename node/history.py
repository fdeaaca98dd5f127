"""An account's history: every change of what it has, less what it owes, from the chain and the store."""

from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter

from ledger.bills import SlotMetered, SlotTrades, charges_of
from ledger.deployment import Contracts
from matching.tariff import tariff_in_force
from node.ports import Tariffs
from node.store import Store


class ChangeKind(StrEnum):
    """What changed a balance."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    SETTLEMENT = "settlement"
    """Trades were settled: what was bought is paid, what was sold is received."""
    DELIVERY = "delivery"
    """A slot was delivered: grid fee and imbalance."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a balance.

    Attributes:
        block: the block that it is in.
        kind: what it was.
        slot: the slot that it is of; 0 of deposits and withdrawals.
        number: tells deposits and withdrawals of one block apart: their position among its logs.
        transaction: the transaction that did it.
        change_nano: nano-credits that came (+) or went (-).
        balance_nano: what the account had after it, less what it owed. Orders that it posted on chain set
            credits aside until their slot is settled; these count as had.
    """

    block: int
    kind: ChangeKind
    slot: int
    number: int
    transaction: bytes
    change_nano: int
    balance_nano: int = 0

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where it is in the history; ascending."""
        return self.block, _KINDS.index(self.kind), self.slot, self.number


_KINDS = tuple(ChangeKind)


def history_of(
    store: Store, contracts: Contracts, tariffs: Tariffs, account: bytes, *, before: tuple[int, ...] | None = None
) -> list[Change]:
    """A member's history, in the order of blocks: whole, or what comes `before` a place in it.

    Raises:
        ChainUnavailableError: the chain is out of reach.
    """
    last_block = contracts.escrow.chain.head().number
    if before is not None:
        last_block = max(0, min(last_block, before[0]))
    changes = [*_payments(contracts, account, last_block), *_slots(store, tariffs, account, last_block)]
    found, balance_nano = [], 0
    for change in sorted(changes, key=attrgetter("place")):
        if before is not None and change.place >= before:
            break
        balance_nano += change.change_nano
        found.append(replace(change, balance_nano=balance_nano))
    return found


def _payments(contracts: Contracts, account: bytes, last_block: int) -> list[Change]:
    topics = [account.rjust(32, b"\0")]
    events = contracts.escrow.events(
        ["Deposited", "Withdrawn"], first_block=0, last_block=last_block, topics=topics
    )
    return [
        Change(
            block=event.log.block_number,
            kind=ChangeKind.DEPOSIT if event.name == "Deposited" else ChangeKind.WITHDRAWAL,
            slot=0,
            number=event.log.log_index,
            transaction=event.log.transaction_hash,
            change_nano=event.arguments["amount"] * (1 if event.name == "Deposited" else -1),
        )
        for event in events
    ]


def _slots(store: Store, tariffs: Tariffs, account: bytes, last_block: int) -> list[Change]:
    steps = store.billed_steps(account, last_block)
    if not steps:
        return []
    first, last = min(each.slot for each in steps), max(each.slot for each in steps)
    trades = store.billed_trades(first, last + 1, [account])
    metered = store.billed_readings(first, last + 1, [account])
    spans = tariffs.tariffs(first, last)
    found = []
    for each in steps:
        key = (account, each.slot)
        traded = trades.get(key, SlotTrades())
        kind, change_nano = ChangeKind.SETTLEMENT, traded.received_nano - traded.paid_nano
        if each.step == "deliver":
            tariff = tariff_in_force(spans, each.slot)
            whole = charges_of(traded, metered.get(key, SlotMetered()), tariff)
            kind, change_nano = ChangeKind.DELIVERY, -whole.total_nano - change_nano
        if change_nano:
            found.append(Change(each.block_number, kind, each.slot, 0, each.transaction_hash, change_nano))
    return found
