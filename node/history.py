"""An account's history: every change of what it has, less what it owes, from the chain and the store."""

from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter

from ledger.bills import SlotMetered, SlotTrades, charges_of
from ledger.deployment import Contracts
from node.ports import Tariffs
from node.store import Store

_EVER = 2**40


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


def history_of(store: Store, contracts: Contracts, tariffs: Tariffs, account: bytes) -> list[Change]:
    """A member's whole history, in the order of blocks.

    Raises:
        ChainUnavailableError: the chain is out of reach.
    """
    changes = [*_payments(contracts, account), *_slots(store, tariffs, account)]
    found, balance_nano = [], 0
    for change in sorted(changes, key=attrgetter("place")):
        balance_nano += change.change_nano
        found.append(replace(change, balance_nano=balance_nano))
    return found


def _payments(contracts: Contracts, account: bytes) -> list[Change]:
    head = contracts.escrow.chain.head().number
    topics = [account.rjust(32, b"\0")]
    events = contracts.escrow.events(["Deposited", "Withdrawn"], first_block=0, last_block=head, topics=topics)
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


def _slots(store: Store, tariffs: Tariffs, account: bytes) -> list[Change]:
    trades = store.billed_trades(0, _EVER, account=account)
    metered = store.billed_readings(0, _EVER, account=account)
    slots = sorted({slot for _, slot in trades.keys() | metered.keys()})
    if not slots:
        return []
    spans = tariffs.tariffs(slots[0], slots[-1])
    delivered, confirmed = store.delivered_slots(0, _EVER), store.confirmed(slots)
    found = []
    for slot in slots:
        key = (account, slot)
        traded = trades.get(key, SlotTrades())
        steps = {"settle": (ChangeKind.SETTLEMENT, traded.received_nano - traded.paid_nano)}
        if slot in delivered:
            tariff = next(each for since, each in reversed(spans) if since <= slot)
            whole = charges_of(traded, metered.get(key, SlotMetered()), tariff)
            steps["deliver"] = (ChangeKind.DELIVERY, -whole.total_nano - steps["settle"][1])
        for step, (kind, change_nano) in steps.items():
            record = confirmed.get((slot, step))
            if change_nano and record is not None and record.block_number is not None:
                place = (record.block_number, kind, slot, 0)
                found.append(Change(*place, record.intent.transaction_hash, change_nano))
    return found
