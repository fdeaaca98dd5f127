"""The exchange in plain Python: what replaying a history leads to. Money in nano-credits, energy in Wh.

Everything here is of a few plain types, so that `ledger.audit.codec` can write it down and read it back.
"""

from bisect import bisect_right, insort
from dataclasses import dataclass, field

from ledger.allocation import Consumption, Issuance, Match, Move
from ledger.audit.guarantees import Guarantees
from ledger.batches import FilledOrder, MemberReading
from ledger.eip712 import SignedOrder
from ledger.market import WITHDRAWAL_WINDOW_S, Market
from ledger.trades import Trade, trades_of
from matching.orders import Side
from matching.tariff import Tariff

ORDERS_AHEAD_S = 8 * 86_400
"""No operator takes orders for slots further ahead; as in `contracts/markets.vy`."""


@dataclass
class AccountModel:
    """One account; `market` is None if nobody registered it."""

    market: bytes | None
    balance_nano: int = 0
    debt_nano: int = 0
    epoch_starts: list[int] = field(default_factory=lambda: [0])
    withdrawal_nano: int = 0
    withdrawal_ready_at: int = 0
    latest_slot: int = 0

    @property
    def epoch(self) -> int:
        """The epoch of orders signed now."""
        return len(self.epoch_starts) - 1

    @property
    def epoch_from_slot(self) -> int:
        """The first slot of the epoch."""
        return self.epoch_starts[-1]

    def requested_nano(self, now: int) -> int:
        """What it asked to withdraw, unless so long ago that the request has lapsed."""
        return self.withdrawal_nano if now <= self.withdrawal_ready_at + WITHDRAWAL_WINDOW_S else 0

    def epoch_holds(self, slot: int, epoch: int) -> bool:
        """Whether orders of this epoch hold for the slot."""
        return epoch == bisect_right(self.epoch_starts, slot) - 1


@dataclass
class PostedOrder:
    """An order that its owner put on chain, and what is set aside for it."""

    signed: SignedOrder
    set_aside_nano: int
    is_filled: bool = False


@dataclass
class SlotModel:
    """Everything that happened to one slot of a market.

    Attributes:
        state: "open", "partial" while chunks of its settlement are missing, "settled", "unwinding", "voided" or
            "delivered".
        book_root: None before the book is committed.
        fills: of all chunks that are in, in the order in which they settled.
        chunk_sizes: how many of them each chunk brought.
        clearing_nano: what sellers received less what buyers paid, so far.
        positions: Wh bought (positive) or sold (negative) by each account, until its delivery.
        delivery_members: how many members there were when the delivery began.
        unrecorded_wh: what of each member's consumption was not on chain after the last certification.
        is_unread: whether a call that belongs to the slot could not be read; then nothing follows from the rest.
        is_certified_unread: whether a certification of it could not be; then where certificates went is not known.
        blocks: and `transactions`, by step name; the last one of each.
    """

    market: bytes
    slot: int
    uniform_price: bool = True
    state: str = "open"
    book_root: bytes | None = None
    book_size: int = 0
    price: int = 0
    fills: list[FilledOrder] = field(default_factory=list)
    chunk_sizes: list[int] = field(default_factory=list)
    fills_hashes: list[bytes] = field(default_factory=list)
    clearing_nano: int = 0
    posted: dict[bytes, PostedOrder] = field(default_factory=dict)
    positions: dict[bytes, int] = field(default_factory=dict)
    readings: list[MemberReading] = field(default_factory=list)
    delivery_members: int = 0
    issuances: list[Issuance] = field(default_factory=list)
    consumptions: list[Consumption] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    unrecorded_wh: dict[bytes, int] = field(default_factory=dict)
    is_unread: bool = False
    is_certified_unread: bool = False
    blocks: dict[str, int] = field(default_factory=dict)
    transactions: dict[str, bytes] = field(default_factory=dict)

    @property
    def trades(self) -> list[Trade]:
        """Who traded with whom; empty where fills differ in price, as that is not on chain, or make no sense."""
        is_balanced = 2 * self.bought_wh == sum(fill.fill_wh for fill in self.fills)
        is_unique = len({fill.signed.hash for fill in self.fills}) == len(self.fills)
        return trades_of(self.fills) if self.uniform_price and is_balanced and is_unique else []

    @property
    def bought_wh(self) -> int:
        """Energy traded in the community."""
        return sum(fill.fill_wh for fill in self.fills if fill.signed.order.side is Side.BID)


@dataclass
class ChallengeModel:
    """A challenge that is not decided."""

    market: bytes
    slot: int
    kind: int
    order: bytes
    opened_at: int


@dataclass
class MarketModel:
    """What changes of a market while it goes on; its terms and the holders of its roles are in `Model.markets`.

    Attributes:
        validators: by their seats.
        operators: everyone who ever was, and until when, Unix seconds; None for the present one.
        offers: to whom each role is offered.
        members: in the order of registration, the utility left out.
        unfinished_slot: the slot of which some chunks are in, and not all.
        freeze_due: the transaction that upheld a challenge, in which the market then has to freeze.
        stale_since: the block whose effects on the market's accounts are still to be read from storage.
        finished: slots that are over, as ranges: first and last, ascending.
        certified_slot: the latest one that was certified.
    """

    validators: list[bytes] = field(default_factory=list)
    approvals_needed: int = 0
    operators: dict[bytes, int | None] = field(default_factory=dict)
    offers: dict[int, bytes] = field(default_factory=dict)
    members: list[bytes] = field(default_factory=list)
    is_frozen: bool = False
    unfinished_slot: int | None = None
    bond_nano: int = 0
    bond_ready_at: int = 0
    open_challenges: int = 0
    freeze_due: bytes | None = None
    stale_since: int | None = None
    finished: list[list[int]] = field(default_factory=list)
    certified_slot: int = 0

    def may_have_taken(self, account: bytes, slot: int) -> bool:
        """Whether an account can have taken orders for a slot as the operator: receipts it signed then bind."""
        if account not in self.operators:
            return False
        until = self.operators[account]
        return until is None or slot <= until + ORDERS_AHEAD_S

    def finish(self, slot: int, length_s: int) -> None:
        """Remember that a slot is over."""
        insort(self.finished, [slot, slot])
        merged = [self.finished[0]]
        for first, last in self.finished[1:]:
            if first <= merged[-1][1] + length_s:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self.finished = merged

    def has_finished(self, slot: int) -> bool:
        """Whether a slot is over."""
        return any(first <= slot <= last for first, last in self.finished)


@dataclass
class Totals:
    """What the history came to; energy in Wh. What was issued for consumption, or withdrawn, is left out."""

    slots: int = 0
    filled_orders: int = 0
    trades: int = 0
    traded_wh: int = 0
    issued_wh: int = 0
    retired_wh: int = 0


@dataclass
class Model:
    """An exchange and its certificates.

    Attributes:
        slots: those that are not over; with `keep_slots` all of them.
        guarantees: devices and certificates.
    """

    owner: bytes | None = None
    markets: dict[bytes, Market] = field(default_factory=dict)
    states: dict[bytes, MarketModel] = field(default_factory=dict)
    tariffs: dict[bytes, list[tuple[int, Tariff]]] = field(default_factory=dict)
    accounts: dict[bytes, AccountModel] = field(default_factory=dict)
    slots: dict[tuple[bytes, int], SlotModel] = field(default_factory=dict)
    guarantees: Guarantees = field(default_factory=Guarantees)
    challenges: dict[int, ChallengeModel] = field(default_factory=dict)
    challenge_count: int = 0
    challenged: list[tuple[int, bytes]] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)

    def slot(self, market: bytes, slot: int) -> SlotModel:
        """The slot's history, begun if there is none."""
        if (market, slot) not in self.slots:
            uniform_price = self.markets[market].uniform_price
            self.slots[market, slot] = SlotModel(market, slot, uniform_price)
        return self.slots[market, slot]

    def tariff_at(self, market: bytes, slot: int) -> Tariff:
        """The tariff in force in a slot."""
        return max((entry for entry in self.tariffs[market] if entry[0] <= slot), key=lambda entry: entry[0])[1]

    def members(self, market: bytes) -> list[bytes]:
        """Accounts of a market, the utility's left out, ascending."""
        return sorted(self.states[market].members)

    @property
    def credits_nano(self) -> int:
        """All credits in escrow, those set aside for posted orders among them."""
        balances = sum(state.balance_nano for state in self.accounts.values())
        return balances + sum(
            order.set_aside_nano
            for slot in self.slots.values()
            for order in slot.posted.values()
            if not order.is_filled
        )
