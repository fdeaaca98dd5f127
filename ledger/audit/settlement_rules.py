"""Replays a slot from its book to its settlement, or to its voiding: books, chunks, approvals and unwinding."""

from ledger.audit.calls import Batch, Calls, UnreadableCallError
from ledger.audit.fill_rules import FillRules
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import AccountModel, Model, SlotModel
from ledger.audit.rulebook import Rulebook, Terms, where_of
from ledger.batches import fills_hash
from ledger.eip712 import settlement_hash
from ledger.keys import InvalidSignatureError, recover
from ledger.merkle import commitment
from matching.orders import Side

# As in the contract.
_MAX_ORDERS = 1_024
_MAX_CHUNKS = 64


class SettlementRules(Rulebook):
    """Applies the events of the Exchange, deliveries left out, in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self._fills = FillRules(model, findings)
        self.handlers = {
            "BookCommitted": self._book_committed,
            "ChunkSettled": self._chunk_settled,
            "Settled": self._settled,
            "Voided": self._voided,
            "ChunkUnwound": self._chunk_unwound,
        }

    def _book_committed(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, "commit")
        if slot is None:
            return
        market, where = self.model.markets[slot.market], where_of(slot)
        self._check_operator("commit.operator", "commit.frozen", slot, occurrence)
        closes_at, last = market.gate_closes_at(slot.slot), market.void_after(slot.slot)
        self.findings.require(
            "commit.time", where, closes_at <= occurrence.timestamp <= last,
            expected=f"from {closes_at} to {last}", found=occurrence.timestamp,
        )  # fmt: skip
        self.findings.check("commit.once", where, expected=None, found=slot.book_root)
        slot.book_root = occurrence.event.arguments["root"]
        slot.book_size = occurrence.event.arguments["size"]

    # Settlement

    def _chunk_settled(self, occurrence: Occurrence) -> None:
        number = occurrence.event.arguments["chunk"]
        slot = self.slot_of(occurrence, f"settle-{number}")
        if slot is None:
            return
        where = where_of(slot)
        self.findings.check("chunk.number", where, expected=len(slot.chunk_sizes), found=number)
        self.findings.require(
            "chunk.many",
            where,
            number < _MAX_CHUNKS - 1,
            expected=f"fewer than {_MAX_CHUNKS} chunks",
            found=number,
        )
        count = self._take_chunk(slot, occurrence, more=True)
        if count is not None:
            self.findings.check("chunk.orders", where, expected=count, found=occurrence.event.arguments["orders"])
        self.findings.require("chunk.empty", where, count != 0, expected="orders", found="none")
        slot.state = "partial"
        self.model.states[slot.market].unfinished_slot = slot.slot

    def _settled(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, "settle")
        if slot is None:
            return
        where, arguments, state = where_of(slot), occurrence.event.arguments, self.model.states[slot.market]
        self._take_chunk(slot, occurrence, more=False)
        if slot.is_unread:
            state.stale_since = occurrence.block
        else:
            self._check_totals(slot, occurrence)
        self._close_posted(slot, settled=True)
        slot.price = arguments["price"]
        slot.state = "settled"
        if state.unfinished_slot == slot.slot:
            state.unfinished_slot = None
        from_book = sum(not fill.is_posted for fill in slot.fills)
        self.findings.require(
            "settle.size", where, from_book <= slot.book_size, expected=f"at most {slot.book_size} orders",
            found=from_book,
        )  # fmt: skip

    def _take_chunk(self, slot: SlotModel, occurrence: Occurrence, *, more: bool) -> int | None:
        """Check a chunk, the only one or the last one included, and let it take effect; returns its orders."""
        where, state = where_of(slot), self.model.states[slot.market]
        self._check_operator("settle.operator", "settle.frozen", slot, occurrence)
        last = self.model.markets[slot.market].void_after(slot.slot)
        in_time = occurrence.timestamp <= last
        self.findings.require("settle.time", where, in_time, expected=f"by {last}", found=occurrence.timestamp)
        is_open = slot.state in ("open", "partial")
        self.findings.require("settle.once", where, is_open, expected="an open slot", found=slot.state)
        has_book = slot.book_root is not None
        self.findings.require("settle.book", where, has_book, expected="a committed book", found="none")
        is_free = state.unfinished_slot in (None, slot.slot)
        self.findings.require(
            "unfinished.settle", where, is_free, expected=f"slot {state.unfinished_slot} first", found=where
        )
        try:
            batch = self.calls.settlement(occurrence)
        except UnreadableCallError as error:
            self.unread(error, slot, occurrence)
            slot.chunk_sizes.append(0)
            return None
        if slot.chunk_sizes and not slot.is_unread:
            self.findings.check("chunk.price", where, expected=slot.price, found=batch.price)
        slot.price = batch.price
        self.findings.check("settle.price", where, expected=batch.price, found=occurrence.event.arguments["price"])
        self.findings.check("settle.more", where, expected=more, found=batch.more)
        self.findings.require(
            "settle.batch", where, len(batch.fills) <= _MAX_ORDERS, expected=f"at most {_MAX_ORDERS}",
            found=len(batch.fills),
        )  # fmt: skip
        self._apply(slot, batch, occurrence)
        if not more:
            self._check_approvals(slot, batch)
        return len(batch.fills)

    def _apply(self, slot: SlotModel, batch: Batch, occurrence: Occurrence) -> None:
        last = slot.fills[-1].signed.hash if slot.fills else bytes(32)
        for fill, well_formed in zip(batch.fills, batch.well_formed, strict=True):
            where = f"{where_of(slot)}, order 0x{fill.signed.hash.hex()}"
            self.findings.require("settle.form", where, well_formed, expected="no stray bits", found="some")
            self.findings.require(
                "settle.unique", where, fill.signed.hash > last, expected="ascending hashes", found="another order"
            )
            last = fill.signed.hash
            self._fills.check(slot, fill, occurrence.timestamp, where)
            self._fills.apply(slot, fill, where)
        if batch.fills:
            before = slot.fills_hashes[-1] if slot.fills_hashes else bytes(32)
            slot.fills_hashes.append(fills_hash(batch.fills, before))
        slot.fills += batch.fills
        slot.chunk_sizes.append(len(batch.fills))

    def _check_totals(self, slot: SlotModel, occurrence: Occurrence) -> None:
        """Energy and credits over all chunks, and what the event says of them."""
        where, arguments = where_of(slot), occurrence.event.arguments
        bought_wh = slot.bought_wh
        sold_wh = sum(fill.fill_wh for fill in slot.fills if fill.signed.order.side is Side.OFFER)
        self.findings.check("settle.energy", where, expected=bought_wh, found=sold_wh)
        self.findings.check("settle.credits", where, expected=0, found=slot.clearing_nano)
        self.findings.check("settle.orders", where, expected=len(slot.fills), found=arguments["orders"])
        self.findings.check("settle.bought", where, expected=bought_wh, found=arguments["bought_wh"])

    def _check_approvals(self, slot: SlotModel, batch: Batch) -> None:
        """Enough of the validators of then signed the whole settlement."""
        state, where = self.model.states[slot.market], where_of(slot)
        if slot.is_unread:
            return
        digest = settlement_hash(
            self.calls.domain,
            market=slot.market,
            slot=slot.slot,
            book=commitment(slot.book_root or bytes(32), slot.book_size),
            price=batch.price,
            fills_hash=slot.fills_hashes[-1] if slot.fills_hashes else bytes(32),
        )
        signers = set()
        for signature in batch.approvals:
            try:
                signer: object = recover(digest, signature)
            except InvalidSignatureError as error:
                signer = error
            is_validator = self.findings.require(
                "settle.approval",
                where,
                signer in state.validators,
                expected="a validator's signature",
                found=signer,
            )
            if is_validator:
                signers.add(signer)
        needed = state.approvals_needed
        self.findings.require(
            "settle.approvals", where, len(signers) >= needed, expected=f"{needed} validators", found=len(signers)
        )

    def _check_operator(self, sender: str, frozen: str, slot: SlotModel, occurrence: Occurrence) -> None:
        market, state, where = self.model.markets[slot.market], self.model.states[slot.market], where_of(slot)
        self.check_sender(sender, where, occurrence, market.operator)
        self.findings.require(
            frozen, where, not state.is_frozen, expected="a market that is not frozen", found="frozen"
        )

    # Posted orders

    def _close_posted(self, slot: SlotModel, *, settled: bool) -> None:
        """None that is strictly better than the price was left out, and what was set aside goes back."""
        for posted in slot.posted.values():
            if posted.is_filled or slot.is_unread:
                continue
            order = posted.signed.order
            account = self.model.accounts.setdefault(order.account, AccountModel(slot.market))
            if settled and account.epoch_holds(slot.slot, order.epoch):
                is_bid = order.side is Side.BID
                is_better = order.price > slot.price if is_bid else order.price < slot.price
                self.findings.require(
                    "settle.posted", f"{where_of(slot)}, posted order 0x{posted.signed.hash.hex()}", not is_better,
                    expected=f"a fill, at {slot.price}", found=f"none, though its limit is {order.price}",
                )  # fmt: skip
            account.balance_nano += posted.set_aside_nano
        slot.posted = {}

    # Voiding

    def _voided(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, "void")
        if slot is None:
            return
        void_after = self.model.markets[slot.market].void_after(slot.slot)
        self.findings.require(
            "void.time", where_of(slot), occurrence.timestamp > void_after, expected=f"after {void_after}",
            found=occurrence.timestamp,
        )  # fmt: skip
        is_open = slot.state in ("open", "partial")
        self.findings.require("void.open", where_of(slot), is_open, expected="an open slot", found=slot.state)
        if slot.chunk_sizes:
            slot.state = "unwinding"
        else:
            slot.state = "voided"
            self._close_posted(slot, settled=False)

    def _chunk_unwound(self, occurrence: Occurrence) -> None:
        number = occurrence.event.arguments["chunk"]
        slot = self.slot_of(occurrence, f"unwind-{number}")
        if slot is None:
            return
        where = where_of(slot)
        self.findings.check("unwind.voided", where, expected="unwinding", found=slot.state)
        self.findings.check("unwind.chunk", where, expected=len(slot.chunk_sizes) - 1, found=number)
        if slot.is_unread:
            self.model.states[slot.market].stale_since = occurrence.block
        size = slot.chunk_sizes.pop() if slot.chunk_sizes else 0
        for fill in reversed(slot.fills[len(slot.fills) - size :]):
            self._fills.take_back(slot, fill, where)
        del slot.fills[len(slot.fills) - size :]
        del slot.fills_hashes[len(slot.chunk_sizes) :]
        if not slot.chunk_sizes:
            slot.state, slot.price, slot.positions, slot.is_unread = "voided", 0, {}, False
            self.model.states[slot.market].unfinished_slot = None
            self._close_posted(slot, settled=False)
