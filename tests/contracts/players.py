"""Whoever acts on an exchange, for the state machine: mostly what makes sense, now and then what does not."""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from ledger.batches import (
    FilledOrder,
    MemberReading,
    deliver_calldata,
    posted_words,
    settle_calldata,
    unwind_calldata,
)
from ledger.eip712 import SignedOrder
from ledger.keys import Key
from matching.orders import Side
from tests.contracts.machine import MEMBERS, Machine
from tests.contracts.model import METER_AUTHORITY, OPEN, OPERATOR, PARTIAL, SETTLED, UNWINDING, UTILITY, VOIDED
from tests.world import MARKET, ONE_CREDIT, SLOT, TERMS

members = st.integers(0, MEMBERS - 1)
# The roles' holders at first, the utility, and two who may become one of them.
anybody = st.sampled_from(["owner", "operator", "meter_authority", "utility", "first stranger", "second stranger"])
roles = st.sampled_from([OPERATOR, METER_AUTHORITY, UTILITY])
# What makes sense, eight times in nine.
often = st.integers(0, 8).map(bool)
prices = st.integers(0, 300_000)
# Buyer, seller, Wh, and how much better than the price both orders are.
trades = st.lists(st.tuples(members, members, st.integers(1, 1_500), st.integers(0, 50_000)), max_size=3)
metered = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 3_000)), min_size=MEMBERS, max_size=MEMBERS)


@dataclass(frozen=True)
class Settlement:
    """What the operator means to settle, whatever has become of it."""

    price: int
    fills: list[FilledOrder]


class Exchange(Machine):
    """The three kinds of things that happen; few, as each run does without some of its machine's rules."""

    @initialize()
    def begin(self) -> None:
        self.signed: dict[bytes, SignedOrder] = {}
        self.settlements: dict[int, Settlement] = {}

    @rule(data=st.data())
    def a_member_acts(self, data: st.DataObject) -> None:
        actions = [self.deposit, self.request_withdrawal, self.withdraw, self.cancel, self.post, self.post]
        data.draw(st.sampled_from(actions))(data)

    @rule(data=st.data())
    def the_market_moves_on(self, data: st.DataObject) -> None:
        actions = [self.close_gate]
        if self.waiting():
            actions += [self.settle, self.settle, self.void]
        if self.slots_in(UNWINDING):
            actions += [self.unwind, self.unwind]
        if self.slots_in(SETTLED, VOIDED):
            actions += [self.deliver, self.deliver]
        data.draw(st.sampled_from(actions))(data)

    @rule(data=st.data())
    def something_else_happens(self, data: st.DataObject) -> None:
        actions = [self.freeze, self.offer_role, self.let_time_pass, self.note_the_head, self.open_again]
        if self.model.offers:
            actions.append(self.accept_role)
        if self.marks:
            actions.append(self.drop_blocks)
        data.draw(st.sampled_from(actions))(data)

    # ------------------------------------------------------------------------------------------- members

    def deposit(self, data: st.DataObject) -> None:
        account = data.draw(st.sampled_from([*self.addresses, self.model.holders[UTILITY], bytes(20)]))
        amount = data.draw(st.integers(1, ONE_CREDIT)) if data.draw(often) else 0
        treasurer, contracts = self.keys["treasurer"], self.world.contracts
        if amount:
            self.world.send("treasurer", contracts.credit, "mint", treasurer.address, amount)
            self.world.send("treasurer", contracts.credit, "approve", contracts.escrow.address, amount)
        self.call(
            treasurer, "escrow", "deposit", account, amount, step=lambda model, _: model.deposit(account, amount)
        )

    def request_withdrawal(self, data: st.DataObject) -> None:
        key = self.world.members[data.draw(members)]
        amount = self.model.accounts[key.address].balance * data.draw(st.integers(0, 5)) // 4
        self.call(
            key,
            "escrow",
            "request_withdrawal",
            amount,
            step=lambda model, now: model.request_withdrawal(key.address, amount, now),
        )

    def withdraw(self, data: st.DataObject) -> None:
        asked = [key for key in self.world.members if self.model.accounts[key.address].requested]
        key = data.draw(st.sampled_from(asked or self.world.members))
        if data.draw(often):
            self.wait_until(self.model.accounts[key.address].ready_at)
        self.call(key, "escrow", "withdraw", step=lambda model, now: model.withdraw(key.address, now))

    def cancel(self, data: st.DataObject) -> None:
        key = self.world.members[data.draw(members)]
        self.call(key, "escrow", "cancel_all", step=lambda model, now: model.cancel_all(key.address, now))

    def post(self, data: st.DataObject) -> None:
        who, side = data.draw(members), data.draw(st.sampled_from(Side))
        slot = data.draw(st.sampled_from(self.slots_to_come()))
        sender = self.world.members[who if data.draw(often) else (who + 1) % MEMBERS]
        expires_at = 2**40 - 1 if data.draw(often) else slot
        wh, price = data.draw(st.integers(1, 2_000)), data.draw(prices)
        signed = self.sign(who, side, wh, price, slot, expires_at=expires_at)
        self.call(
            sender,
            "escrow",
            "post_order",
            MARKET,
            slot,
            posted_words(signed),
            step=lambda model, now: model.post_order(sender.address, signed.order, signed.hash, now),
        )

    def sign(
        self, who: int, side: Side, wh: int, price: int, slot: int, *, expires_at: int = 2**40 - 1
    ) -> SignedOrder:
        epoch = len(self.model.accounts[self.addresses[who]].epochs) - 1
        signed = self.world.order(who, side, wh, price, slot=slot, epoch=epoch, expires_at=expires_at)
        self.signed[signed.hash] = signed
        return signed

    # ------------------------------------------------------------------------------- the life of a slot

    def slots_to_come(self) -> list[int]:
        next_slot = SLOT + ((self.now() - SLOT) // 900 + 1) * 900
        return [next_slot, next_slot + 900]

    def slots_in(self, *states: int) -> list[int]:
        return [start for start, slot in self.model.slots.items() if slot.state in states]

    def waiting(self) -> list[int]:
        """Slots that can be settled, or settled further."""
        return [start for start in self.slots_in(OPEN, PARTIAL) if start in self.settlements]

    def holder(self, role: int) -> Key:
        return next(key for key in self.keys.values() if key.address == self.model.holders[role])

    def close_gate(self, data: st.DataObject) -> None:
        """Commit a book, and decide on its settlement."""
        posted_for = [start for start in self.slots_in(OPEN) if self.model.slot(start).posted]
        start = data.draw(st.sampled_from([*posted_for, *self.slots_to_come()]))
        if data.draw(often):
            self.wait_until(start - TERMS.gate_lead_s)
        key = self.holder(OPERATOR) if data.draw(often) else self.keys["first stranger"]
        self.call(
            key,
            "exchange",
            "commit_book",
            MARKET,
            start,
            bytes(32),
            0,
            step=lambda model, now: model.commit_book(key.address, start, now),
        )
        slot = self.model.slot(start)
        if slot.is_committed and not slot.chunks:
            self.settlements[start] = self.settlement(start, data)

    def settlement(self, start: int, data: st.DataObject) -> Settlement:
        """Some trades, and the posted orders that are no worse than the price, with somebody to trade with."""
        price, is_flagged = data.draw(prices), data.draw(often)
        fills = []
        for buyer, seller, wh, gain in data.draw(trades):
            fills.append(FilledOrder(self.sign(buyer, Side.BID, wh, price + gain, start), wh))
            fills.append(FilledOrder(self.sign(seller, Side.OFFER, wh, max(price - gain, 0), start), wh))
        for posted in self.model.slot(start).posted:
            order = posted.order
            if (order.price >= price) if order.side is Side.BID else (order.price <= price):
                signed = self.signed[posted.order_hash]
                fills.append(FilledOrder(signed, order.quantity_wh, is_posted=is_flagged))
                other = Side.OFFER if order.side is Side.BID else Side.BID
                partner = self.sign(data.draw(members), other, order.quantity_wh, price, start)
                fills.append(FilledOrder(partner, order.quantity_wh))
        if not data.draw(often):
            del fills[-1:]
        return Settlement(price, sorted(fills, key=lambda fill: fill.signed.hash))

    def settle(self, data: st.DataObject) -> None:
        """Settle what is left, or the next few orders of it; now and then an order that is in already."""
        start = data.draw(st.sampled_from(self.waiting() if data.draw(often) else sorted(self.settlements)))
        settlement, done = self.settlements[start], self.model.slot(start).fills
        left = [fill for fill in settlement.fills if not done or fill.signed.hash > done[-1].signed.hash]
        size = data.draw(st.integers(0, 6))
        chunk = left[:size] if size < 4 else left
        more = chunk != left
        price = settlement.price + (not data.draw(often))
        if done and not data.draw(often):
            chunk = done[-1:]
        key = self.holder(OPERATOR)
        selector = self.contract("exchange").interface.selector("settle")
        self.send(
            key,
            "exchange",
            settle_calldata(selector, MARKET, start, price, chunk, more=more),
            lambda model, now: model.settle(key.address, start, price, chunk, now, more=more),
        )

    def void(self, data: st.DataObject) -> None:
        start = data.draw(st.sampled_from(self.waiting() if data.draw(often) else sorted(self.model.slots)))
        if data.draw(st.booleans()):
            self.wait_until(start + TERMS.settle_within_s + 1)
        self.call(
            "second stranger", "exchange", "void", MARKET, start, step=lambda model, now: model.void(start, now)
        )

    def unwind(self, data: st.DataObject) -> None:
        settled = [start for start, slot in self.model.slots.items() if slot.chunks]
        start = data.draw(st.sampled_from(self.slots_in(UNWINDING) if data.draw(often) else settled))
        chunks = self.model.slot(start).chunks
        chunk = chunks[-1] if data.draw(often) else chunks[0][:-1]
        selector = self.contract("exchange").interface.selector("unwind")
        self.send(
            "first stranger",
            "exchange",
            unwind_calldata(selector, MARKET, start, chunk),
            lambda model, _: model.unwind(start, chunk),
        )

    def deliver(self, data: st.DataObject) -> None:
        start = data.draw(st.sampled_from(self.slots_in(SETTLED, VOIDED)))
        done = len(self.model.slot(start).delivered) if data.draw(often) else 0
        if data.draw(often):
            self.wait_until(start + TERMS.slot_length_s)
        key = self.holder(METER_AUTHORITY)
        readings = [
            MemberReading(account, *wh)
            for account, wh in zip(sorted(self.addresses), data.draw(metered), strict=True)
        ][done : done + data.draw(st.integers(1, MEMBERS))]
        selector = self.contract("exchange").interface.selector("deliver")
        self.send(
            key,
            "exchange",
            deliver_calldata(selector, MARKET, start, readings),
            lambda model, now: model.deliver(key.address, start, readings, now),
        )

    # --------------------------------------------------------------------------------------------- roles

    def freeze(self, data: st.DataObject) -> None:
        """Freeze the market, or let it go on."""
        key = self.keys["owner" if data.draw(st.booleans()) else data.draw(anybody)]
        if self.model.is_frozen:
            self.call(key, "markets", "unfreeze", MARKET, step=lambda model, _: model.unfreeze(key.address))
        else:
            self.call(key, "markets", "freeze", MARKET, step=lambda model, _: model.freeze(key.address))

    def offer_role(self, data: st.DataObject) -> None:
        role, account = data.draw(roles), self.keys[data.draw(anybody)].address
        key = self.holder(role) if data.draw(often) else self.keys["owner"]
        self.call(
            key,
            "markets",
            "offer_role",
            MARKET,
            role,
            account,
            step=lambda model, _: model.offer_role(key.address, role, account),
        )

    def accept_role(self, data: st.DataObject) -> None:
        role = data.draw(st.sampled_from(sorted(self.model.offers)))
        offered = next(key for key in self.keys.values() if key.address == self.model.offers[role])
        key = offered if data.draw(often) else self.keys[data.draw(anybody)]
        self.call(
            key,
            "markets",
            "accept_role",
            MARKET,
            role,
            step=lambda model, _: model.accept_role(key.address, role),
        )

    # ------------------------------------------------------------------------------- time and the chain

    def let_time_pass(self, data: st.DataObject) -> None:
        self.world.time.now += data.draw(st.sampled_from([60, 900, 900, 3_700, 86_400, 9 * 86_400]))

    def note_the_head(self, _: st.DataObject) -> None:
        self.remember()

    def drop_blocks(self, data: st.DataObject) -> None:
        self.reorganise(data.draw(st.sampled_from(self.marks)), same_again=data.draw(st.booleans()))

    def open_again(self, _: st.DataObject) -> None:
        self.restart()
