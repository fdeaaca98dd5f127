"""The exchange in plain Python, to hold the contracts against: what each step changes, what is refused, and why.

One market with one price per slot. Every method is one transaction at the second `now`; it raises `RefusedError`
with the contracts' reason, and may then have changed the model halfway: try steps on a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ledger.batches import FilledOrder, MemberReading
from ledger.deployment import WITHDRAWAL_NOTICE_S, MarketTerms
from matching.orders import Order, Side
from matching.tariff import Tariff

WITHDRAWAL_WINDOW_S = 7 * 86_400
OPEN, SETTLED, DELIVERED, VOIDED, PARTIAL, UNWINDING = range(6)
OPERATOR, METER_AUTHORITY, REGISTRAR, UTILITY = range(4)


class RefusedError(Exception):
    """The contracts refuse this, for the reason that is the message."""


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise RefusedError(reason)


@dataclass
class Account:
    balance: int = 0
    debt: int = 0
    # The first slot of each epoch.
    epochs: list[int] = field(default_factory=lambda: [0])
    positions: dict[int, int] = field(default_factory=dict)
    latest_slot: int = 0
    requested: int = 0
    ready_at: int = 0

    def is_current(self, slot: int, epoch: int) -> bool:
        ends = [*self.epochs[1:], 2**64]
        return epoch < len(self.epochs) and self.epochs[epoch] <= slot < ends[epoch]

    def debit(self, amount: int) -> None:
        require(amount <= self.balance, "account: escrow")
        self.balance -= amount

    def move(self, slot: int, change_wh: int) -> None:
        self.positions[slot] = self.positions.get(slot, 0) + change_wh
        self.latest_slot = max(self.latest_slot, slot)


@dataclass
class Posted:
    order: Order
    order_hash: bytes
    set_aside: int
    is_filled: bool = False


@dataclass
class Slot:
    state: int = OPEN
    price: int = 0
    is_committed: bool = False
    posted: list[Posted] = field(default_factory=list)
    chunks: list[list[FilledOrder]] = field(default_factory=list)
    delivered: list[bytes] = field(default_factory=list)

    @property
    def fills(self) -> list[FilledOrder]:
        return [fill for chunk in self.chunks for fill in chunk]

    def bought_less_sold(self) -> int:
        signs = {Side.BID: 1, Side.OFFER: -1}
        return sum(signs[fill.signed.order.side] * fill.fill_wh for fill in self.fills)

    @property
    def set_aside(self) -> int:
        is_closed = self.state in (SETTLED, DELIVERED, VOIDED)
        return 0 if is_closed else sum(each.set_aside for each in self.posted if not each.is_filled)


@dataclass
class Market:
    """One market: its accounts by address, its slots by their start, who holds and who was offered each role."""

    terms: MarketTerms
    tariff: Tariff
    owner: bytes
    members: list[bytes]
    holders: dict[int, bytes]
    accounts: dict[bytes, Account]
    slots: dict[int, Slot] = field(default_factory=dict)
    offers: dict[int, bytes] = field(default_factory=dict)
    is_frozen: bool = False
    unfinished: int = 0

    # -------------------------------------------------------------------------------------------- members

    def deposit(self, account: bytes, amount: int) -> None:
        require(account in self.accounts, "escrow: not a member")
        require(amount > 0, "escrow: nothing to deposit")
        self.accounts[account].balance += amount

    def request_withdrawal(self, who: bytes, amount: int, now: int) -> None:
        account = self.accounts[who]
        require(amount <= account.balance, "escrow: more than the balance")
        account.requested, account.ready_at = amount, now + WITHDRAWAL_NOTICE_S

    def withdraw(self, who: bytes, now: int) -> None:
        account = self.accounts[who]
        require(account.requested > 0, "escrow: nothing requested")
        require(now >= account.ready_at, "escrow: notice period")
        require(now <= account.ready_at + WITHDRAWAL_WINDOW_S, "escrow: request lapsed")
        self._require_untouched(account)
        paid = min(account.debt, account.balance)
        account.debt -= paid
        account.balance -= paid
        account.balance -= min(account.requested, account.balance)
        account.requested = account.ready_at = 0
        self.utility.balance += paid

    def cancel_all(self, who: bytes, now: int) -> None:
        length_s = self.terms.slot_length_s
        from_slot = ((now + self.terms.gate_lead_s) // length_s + 1) * length_s
        require(from_slot > self.accounts[who].epochs[-1], "account: cancelled in this slot")
        self.accounts[who].epochs.append(from_slot)

    def post_order(self, sender: bytes, order: Order, order_hash: bytes, now: int) -> None:
        slot = self.slot(order.slot)
        require(now + self.terms.gate_lead_s < order.slot, "escrow: gate closed")
        require(order.expires_at >= order.slot + self.terms.settle_within_s, "escrow: expires too early")
        require(sender == order.account, "escrow: not the account")
        account = self.accounts[order.account]
        require(account.is_current(order.slot, order.epoch), "escrow: cancelled")
        require(all(each.order.account != order.account for each in slot.posted), "escrow: already posted")
        self._require_untouched(account)
        cover_price = order.price
        if order.side is Side.OFFER:
            cover_price = max(self.tariff.retail_price - order.price, 0)
        set_aside = cover_price * order.quantity_wh
        account.debit(set_aside)
        slot.posted.append(Posted(order, order_hash, set_aside))

    def _require_untouched(self, account: Account) -> None:
        reached = self.unfinished != 0 and account.latest_slot >= self.unfinished
        require(not reached, "escrow: a slot is unfinished")

    # ------------------------------------------------------------------------------------ the life of a slot

    def commit_book(self, sender: bytes, start: int, now: int) -> None:
        self._check_operator(sender)
        require(now >= start - self.terms.gate_lead_s, "exchange: gate open")
        require(now <= start + self.terms.settle_within_s, "exchange: too late")
        require(not self.slot(start).is_committed, "exchange: book committed")
        self.slot(start).is_committed = True

    def settle(
        self, sender: bytes, start: int, price: int, fills: Sequence[FilledOrder], now: int, *, more: bool
    ) -> None:
        self._check_operator(sender)
        slot = self.slot(start)
        require(slot.is_committed, "exchange: no book")
        require(slot.state in (OPEN, PARTIAL), "exchange: slot closed")
        require(now <= start + self.terms.settle_within_s, "exchange: too late")
        require(self.unfinished in (0, start), "exchange: a slot is unfinished")
        require(slot.state == OPEN or price == slot.price, "exchange: price")
        last = slot.fills[-1].signed.hash if slot.fills else bytes(32)
        for fill in fills:
            require(fill.signed.hash > last, "exchange: order of orders")
            last = fill.signed.hash
            self._fill(slot, fill, price, now)
        if fills:
            slot.chunks.append(list(fills))
        slot.price = price
        if more:
            require(len(fills) > 0, "exchange: empty chunk")
            slot.state, self.unfinished = PARTIAL, start
            return
        require(slot.bought_less_sold() == 0, "exchange: energy")
        if slot.state == PARTIAL:
            self.unfinished = 0
        self._close(slot, SETTLED)

    def _fill(self, slot: Slot, fill: FilledOrder, price: int, now: int) -> None:
        order, amount = fill.signed.order, price * fill.fill_wh
        require(fill.fill_wh > 0, "exchange: empty fill")
        require(fill.fill_wh <= order.quantity_wh, "exchange: fill")
        require(now <= order.expires_at, "exchange: expired")
        require(order.price == price or fill.fill_wh == order.quantity_wh, "exchange: priority")
        account = self.accounts[order.account]
        require(account.is_current(order.slot, order.epoch), "exchange: cancelled")
        if fill.is_posted:
            posted = next((each for each in slot.posted if each.order_hash == fill.signed.hash), None)
            if posted is None:
                raise RefusedError("escrow: not posted")
            posted.is_filled = True
            account.balance += posted.set_aside
        if order.side is Side.OFFER:
            require(price >= order.price, "exchange: below limit")
            account.balance += amount
            account.move(order.slot, -fill.fill_wh)
        else:
            require(price <= order.price, "exchange: above limit")
            account.debit(amount)
            account.move(order.slot, fill.fill_wh)

    def void(self, start: int, now: int) -> None:
        slot = self.slot(start)
        require(now > start + self.terms.settle_within_s, "exchange: not yet")
        require(slot.state in (OPEN, PARTIAL), "exchange: slot closed")
        if slot.state == PARTIAL:
            slot.state = UNWINDING
        else:
            self._close(slot, VOIDED)

    def unwind(self, start: int, fills: Sequence[FilledOrder]) -> None:
        slot = self.slot(start)
        require(slot.state == UNWINDING, "exchange: nothing to unwind")
        require(list(fills) == slot.chunks[-1], "exchange: not the chunk's fills")
        for fill in reversed(slot.chunks.pop()):
            order, amount = fill.signed.order, slot.price * fill.fill_wh
            account = self.accounts[order.account]
            if order.side is Side.OFFER:
                account.debit(amount)
                account.move(start, fill.fill_wh)
            else:
                account.balance += amount
                account.move(start, -fill.fill_wh)
        if not slot.chunks:
            self.unfinished = 0
            self._close(slot, VOIDED)

    def _close(self, slot: Slot, state: int) -> None:
        for posted in slot.posted:
            if posted.is_filled:
                continue
            order, account = posted.order, self.accounts[posted.order.account]
            if state == SETTLED and account.is_current(order.slot, order.epoch):
                is_better = order.price > slot.price if order.side is Side.BID else order.price < slot.price
                require(not is_better, "escrow: posted order left out")
            account.balance += posted.set_aside
        slot.state = state
        if state == VOIDED:
            slot.price = 0

    def deliver(self, sender: bytes, start: int, readings: Sequence[MemberReading], now: int) -> None:
        slot = self.slot(start)
        require(sender == self.holders[METER_AUTHORITY], "exchange: not the meter authority")
        require(slot.state in (SETTLED, VOIDED), "exchange: slot not settled")
        require(self.unfinished == 0, "exchange: a slot is unfinished")
        require(now >= start + self.terms.slot_length_s, "exchange: slot not over")
        for reading in readings:
            require(not slot.delivered or reading.account > slot.delivered[-1], "exchange: order of readings")
            slot.delivered.append(reading.account)
            self._deliver_one(self.accounts[reading.account], start, reading)
        require(self.utility.balance >= 0, "exchange: utility escrow")
        if len(slot.delivered) == len(self.members):
            slot.state = DELIVERED

    def _deliver_one(self, account: Account, start: int, reading: MemberReading) -> None:
        contracted = account.positions.pop(start, 0) if self.slot(start).state == SETTLED else 0
        imbalance = reading.consumption_wh - reading.generation_wh - contracted
        earned = max(-imbalance, 0) * self.tariff.feed_in_price
        due = account.debt + max(contracted, 0) * self.tariff.grid_fee
        due += max(imbalance, 0) * self.tariff.retail_price
        paid = min(due, account.balance + earned)
        account.balance += earned - paid
        account.debt = due - paid
        self.utility.balance += paid - earned

    # ------------------------------------------------------------------------------------------------ roles

    def freeze(self, sender: bytes) -> None:
        require(sender == self.owner, "markets: not the owner")
        self.is_frozen = True

    def unfreeze(self, sender: bytes) -> None:
        require(sender == self.owner, "ownable: caller is not the owner")
        require(self.is_frozen, "markets: not frozen")
        self.is_frozen = False

    def offer_role(self, sender: bytes, role: int, account: bytes) -> None:
        if role == OPERATOR and self.is_frozen:
            require(sender == self.owner, "ownable: caller is not the owner")
        else:
            require(sender == self.holders[role], "markets: not the holder")
        self.offers[role] = account

    def accept_role(self, sender: bytes, role: int) -> None:
        require(self.offers.get(role) == sender, "markets: not offered")
        former = self.holders[role]
        del self.offers[role]
        self.holders[role] = sender
        if role == UTILITY:
            require(sender not in self.accounts, "escrow: already a member")
            require(self.unfinished == 0, "escrow: a slot is unfinished")
            self.accounts[sender] = replace(self.accounts.pop(former), requested=0, ready_at=0)

    # ------------------------------------------------------------------------------------------- what there is

    @property
    def utility(self) -> Account:
        return self.accounts[self.holders[UTILITY]]

    def slot(self, start: int) -> Slot:
        return self.slots.setdefault(start, Slot())

    def position(self, account: bytes, start: int) -> int:
        """As the contract shows it: from settlement to delivery."""
        known = account in self.accounts and self.slot(start).state == SETTLED
        return self.accounts[account].positions.get(start, 0) if known else 0

    def held(self) -> int:
        """The escrow's credits: all balances, what is set aside, less what half a settlement paid out too much."""
        balances = sum(account.balance for account in self.accounts.values())
        locks = sum(slot.set_aside for slot in self.slots.values())
        half = [slot for slot in self.slots.values() if slot.state in (PARTIAL, UNWINDING)]
        return balances + locks + sum(slot.price * slot.bought_less_sold() for slot in half)

    def _check_operator(self, sender: bytes) -> None:
        require(sender == self.holders[OPERATOR], "exchange: not the operator")
        require(not self.is_frozen, "exchange: frozen")
