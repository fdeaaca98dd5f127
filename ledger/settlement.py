"""The operator's part of a slot's life on chain: commit its book, settle it, or void it when it is too late."""

from collections.abc import Callable, Sequence
from enum import IntEnum

from ledger import merkle
from ledger.abi import Contract
from ledger.batches import FilledOrder, fills_hash, settle_calldata, unpack_fill, unwind_calldata
from ledger.eip712 import Domain, settlement_hash
from ledger.keys import Key
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

FILLS_PER_TRANSACTION = 1_000
"""Most filled orders of one transaction. The contract takes 1,024, but nodes do not pass on more than 128 KiB."""

MAX_FILLS = 16 * FILLS_PER_TRANSACTION
"""Most filled orders of a slot."""

NO_BOOK = bytes(32)

# In what the exchange keeps of a market; see `contracts/markets.vy`.
_FROZEN = 1 << 242


class SlotPhase(IntEnum):
    """How far a slot is, as the exchange numbers it."""

    OPEN = 0
    SETTLED = 1
    DELIVERED = 2
    VOIDED = 3
    PARTIAL = 4
    UNWINDING = 5


class TooManyFillsError(WattbookError):
    """More filled orders than a slot can have."""

    code = "settlement.too_many_fills"


class SlotClosedError(WattbookError):
    """A slot is closed already, and in the other way: voided instead of settled, or settled instead of voided."""

    code = "settlement.slot_closed"


class HeldUpError(WattbookError):
    """No slot can be committed or settled now: the market is frozen, or another slot is settled in part."""

    code = "settlement.held_up"


class ForeignBookError(WattbookError):
    """Another order set than ours is committed for a slot."""

    code = "settlement.foreign_book"


class Settlement:
    """Commits, settles and voids the slots of one market. Every step can be repeated."""

    def __init__(self, exchange: Contract, market: bytes, operator: Key, stepper: Stepper) -> None:
        self._exchange = exchange
        self._market = market
        self._operator = operator
        self._stepper = stepper

    def commit_book(self, slot: int, hashes: Sequence[bytes]) -> bytes:
        """Fix the slot's order set on chain, and return its Merkle root; `hashes` ascend.

        Raises:
            ForeignBookError: another order set is committed, and stays so: e.g. the store is not the one that
                committed it.
            HeldUpError: the market is frozen.
        """
        root = merkle.root(hashes)
        size = len(hashes)

        def is_done() -> bool:
            committed: bytes = self._exchange.read("books", self._market, slot)
            if committed not in (NO_BOOK, merkle.commitment(root, size)):
                raise ForeignBookError(f"slot {slot} has a committed book that is not these {size} orders")
            return committed != NO_BOOK

        def calldata() -> bytes:
            self._check_frozen()
            return self._exchange.interface.call("commit_book", self._market, slot, root, size)

        self._run(slot, "commit", "BookCommitted", is_done, calldata)
        return root

    def settle(self, slot: int, price: int, fills: Sequence[FilledOrder], approvals: Sequence[bytes] = ()) -> None:
        """Settle the slot's filled orders at one price, or with `price` 0 each at its own amount.

        More than `FILLS_PER_TRANSACTION` go in chunks; a slot whose first chunks are in goes on from there.
        `approvals` are signatures of `approval_hash` by the market's validators, by ascending address.

        Raises:
            TooManyFillsError: more than `MAX_FILLS`.
            SlotClosedError: somebody voided the slot.
            HeldUpError: the market is frozen, or another slot is settled in part.
            CallRevertedError: the contract finds a fill that breaks its rules.
        """
        if len(fills) > MAX_FILLS:
            raise TooManyFillsError(f"slot {slot} has {len(fills)} filled orders: at most {MAX_FILLS} can settle")
        chunks = in_chunks(fills)
        for number, chunk in enumerate(chunks[:-1]):
            self._settle_chunk(slot, price, number, chunk)
        selector = self._exchange.interface.selector("settle")

        def calldata() -> bytes:
            self._check_free(slot)
            return settle_calldata(selector, self._market, slot, price, chunks[-1], approvals=approvals)

        self._run(slot, "settle", "Settled", lambda: self._is_settled(slot), calldata)

    def void(self, slot: int) -> None:
        """Close a slot whose time to settle is over, and take back whatever of it had been settled.

        Raises:
            SlotClosedError: the slot is settled.
            CallRevertedError: its time is not over.
        """
        self._run(
            slot,
            "void",
            "Voided",
            lambda: self._is_voided(slot),
            lambda: self._exchange.interface.call("void", self._market, slot),
        )
        while self.phase(slot) is SlotPhase.UNWINDING:
            self._unwind_chunk(slot, self._exchange.read("slot_of", self._market, slot)["chunks"] - 1)

    def is_settled(self, slot: int) -> bool:
        """Whether the chain has settled the slot and not yet delivered it."""
        return self.phase(slot) is SlotPhase.SETTLED

    def phase(self, slot: int) -> SlotPhase:
        """How far the slot is on chain."""
        return SlotPhase(self._exchange.read("slot_of", self._market, slot)["state"])

    def _check_frozen(self) -> None:
        control: int = self._exchange.read("controls", self._market)
        if control & _FROZEN:
            raise HeldUpError("the market is frozen")

    def _check_free(self, slot: int) -> None:
        self._check_frozen()
        unfinished: int = self._exchange.read("unfinished_slot", self._market)
        if unfinished not in (0, slot):
            raise HeldUpError(f"slot {unfinished} is settled in part, and has to be finished or taken back first")

    def _settle_chunk(self, slot: int, price: int, number: int, chunk: Sequence[FilledOrder]) -> None:
        selector = self._exchange.interface.selector("settle")

        def is_done() -> bool:
            chunks: int = self._exchange.read("slot_of", self._market, slot)["chunks"]
            return self._is_settled(slot) or chunks > number

        def calldata() -> bytes:
            self._check_free(slot)
            return settle_calldata(selector, self._market, slot, price, chunk, more=True)

        self._run(slot, f"settle-{number}", "ChunkSettled", is_done, calldata, chunk=number)

    def _unwind_chunk(self, slot: int, number: int) -> None:
        def is_done() -> bool:
            chunks: int = self._exchange.read("slot_of", self._market, slot)["chunks"]
            return chunks <= number

        def calldata() -> bytes:
            fills = settled_chunk(self._exchange, self._market, slot, number)
            return unwind_calldata(self._exchange.interface.selector("unwind"), self._market, slot, fills)

        self._run(slot, f"unwind-{number}", "ChunkUnwound", is_done, calldata, chunk=number)

    def _is_settled(self, slot: int) -> bool:
        # A delivered slot was closed one way or the other; its state no longer tells which.
        phase = self.phase(slot)
        if phase in (SlotPhase.VOIDED, SlotPhase.UNWINDING):
            raise SlotClosedError(f"slot {slot} is voided: it cannot be settled")
        return phase in (SlotPhase.SETTLED, SlotPhase.DELIVERED)

    def _is_voided(self, slot: int) -> bool:
        phase = self.phase(slot)
        if phase is SlotPhase.SETTLED:
            raise SlotClosedError(f"slot {slot} is settled: it cannot be voided")
        return phase in (SlotPhase.VOIDED, SlotPhase.UNWINDING, SlotPhase.DELIVERED)

    def _run(
        self,
        slot: int,
        name: str,
        event: str,
        is_done: Callable[[], bool],
        calldata: Callable[[], bytes],
        *,
        chunk: int | None = None,
    ) -> None:
        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name=name,
                key=self._operator,
                to=self._exchange.address,
                event=self._exchange.interface.topic(event),
                topics=() if chunk is None else (chunk.to_bytes(32, "big"),),
                is_done=is_done,
                calldata=calldata,
            )
        )


def in_order(fills: Sequence[FilledOrder]) -> list[FilledOrder]:
    """Fills in the order in which they settle: ascending hashes."""
    return sorted(fills, key=lambda fill: fill.signed.hash)


def approval_hash(
    domain: Domain, *, market: bytes, slot: int, book: bytes, price: int, fills: Sequence[FilledOrder]
) -> bytes:
    """What a validator signs to approve that a slot with this committed book is settled with these fills."""
    return settlement_hash(
        domain, market=market, slot=slot, book=book, price=price, fills_hash=fills_hash(in_order(fills))
    )


def settled_chunk(exchange: Contract, market: bytes, slot: int, number: int) -> list[FilledOrder]:
    """The fills of a chunk that is in, from the calldata of the transaction that settled it.

    Raises:
        LookupError: the chain knows no such chunk.
    """
    head = exchange.chain.head().number
    events = exchange.events(
        ["ChunkSettled"], first_block=0, last_block=head, topics=[market, slot.to_bytes(32, "big")]
    )
    # A slot that was settled in part twice, because a reorganisation came between, has the later one.
    transactions = [event.log.transaction_hash for event in events if event.arguments["chunk"] == number]
    transaction = exchange.chain.transaction(transactions[-1]) if transactions else None
    if transaction is None:
        raise LookupError(f"no chunk {number} of slot {slot}")
    _, arguments = exchange.interface.decode_call(transaction.input)
    domain = Domain(exchange.chain.chain_id, exchange.address)
    return [unpack_fill(domain, market, slot, words) for words in arguments["fills"]]


def in_chunks(fills: Sequence[FilledOrder]) -> list[list[FilledOrder]]:
    """The fills in their order, a transaction's worth at a time; one empty chunk for an empty slot."""
    ordered = in_order(fills)
    starts = range(0, max(len(ordered), 1), FILLS_PER_TRANSACTION)
    return [ordered[start : start + FILLS_PER_TRANSACTION] for start in starts]
