"""The operator's part of a slot's life on chain: commit its book, settle it, or void it when it is too late."""

from collections.abc import Callable, Sequence

from ledger import merkle
from ledger.abi import Contract
from ledger.batches import FilledOrder, settle_calldata
from ledger.keys import Key
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

MAX_FILLS = 1_024
"""Most filled orders of one settlement."""

_OPEN, _SETTLED, _VOIDED = 0, 1, 3
NO_BOOK = bytes(32)


class TooManyFillsError(WattbookError):
    """More filled orders than one settlement can carry."""

    code = "settlement.too_many_fills"


class SlotClosedError(WattbookError):
    """A slot is closed already, and in the other way: voided instead of settled, or settled instead of voided."""

    code = "settlement.slot_closed"


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
        """
        root = merkle.root(hashes)
        size = len(hashes)

        def is_done() -> bool:
            committed: bytes = self._exchange.read("books", self._market, slot)
            if committed not in (NO_BOOK, merkle.commitment(root, size)):
                raise ForeignBookError(f"slot {slot} has a committed book that is not these {size} orders")
            return committed != NO_BOOK

        def calldata() -> bytes:
            return self._exchange.interface.call("commit_book", self._market, slot, root, size)

        self._run(slot, "commit", "BookCommitted", is_done, calldata)
        return root

    def settle(self, slot: int, price: int, fills: Sequence[FilledOrder]) -> None:
        """Settle the slot's filled orders at one price, or with `price` 0 each at its own amount.

        Raises:
            TooManyFillsError: more than `MAX_FILLS`.
            SlotClosedError: somebody voided the slot.
            CallRevertedError: the contract finds a fill that breaks its rules.
        """
        if len(fills) > MAX_FILLS:
            raise TooManyFillsError(f"slot {slot} has {len(fills)} filled orders: at most {MAX_FILLS} can settle")
        ordered = sorted(fills, key=lambda fill: fill.signed.hash)
        selector = self._exchange.interface.selector("settle")
        self._run(
            slot,
            "settle",
            "Settled",
            lambda: self._is_closed(slot, but_not=_VOIDED, problem="is voided: it cannot be settled"),
            lambda: settle_calldata(selector, self._market, slot, price, ordered),
        )

    def void(self, slot: int) -> None:
        """Close a slot whose time to settle is over.

        Raises:
            SlotClosedError: the slot is settled.
            CallRevertedError: its time is not over.
        """
        self._run(
            slot,
            "void",
            "Voided",
            lambda: self._is_closed(slot, but_not=_SETTLED, problem="is settled: it cannot be voided"),
            lambda: self._exchange.interface.call("void", self._market, slot),
        )

    def is_settled(self, slot: int) -> bool:
        """Whether the chain has settled the slot and not yet delivered it."""
        state: int = self._exchange.read("slot_state", self._market, slot)
        return state == _SETTLED

    def _is_closed(self, slot: int, *, but_not: int, problem: str) -> bool:
        # A delivered slot was closed one way or the other; its state no longer tells which.
        state: int = self._exchange.read("slot_state", self._market, slot)
        if state == but_not:
            raise SlotClosedError(f"slot {slot} {problem}")
        return state != _OPEN

    def _run(
        self, slot: int, name: str, event: str, is_done: Callable[[], bool], calldata: Callable[[], bytes]
    ) -> None:
        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name=name,
                key=self._operator,
                to=self._exchange.address,
                event=self._exchange.interface.topic(event),
                is_done=is_done,
                calldata=calldata,
            )
        )
