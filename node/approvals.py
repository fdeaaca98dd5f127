"""Validators' approvals: what is proposed to them, and who has signed it.

In a market that names validators, the exchange settles a slot only with the signatures of enough of them. So the
node publishes each clearing before it settles it, and waits; see `docs/validators.md`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger import merkle
from ledger.batches import FilledOrder
from ledger.eip712 import Domain
from ledger.keys import recover
from ledger.settlement import approval_hash
from ledger.validators import Validators
from matching.errors import WattbookError
from node.fills import fills_of
from node.store import Store
from node.store.records import OrderRecord, SlotRecord


class NoProposalError(WattbookError):
    """No settlement of the slot is proposed: it is not that far, or was voided, or needs nobody's approval."""

    code = "proposal.unknown"


class ChangedProposalError(WattbookError):
    """The slot was cleared again just now: ask again."""

    code = "proposal.changed"


class NotAValidatorError(WattbookError):
    """An approval is by an account that has no seat among the market's validators."""

    code = "approval.not_a_validator"


class ApprovalSignatureError(WattbookError):
    """An approval's signature is not its validator's, or not of the settlement that is proposed."""

    code = "approval.signature"


class AwaitedApprovalsError(WattbookError):
    """Not enough validators have approved the slot's settlement so far."""

    code = "approval.awaited"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A settlement that validators are asked to approve.

    Attributes:
        slot: the slot, with its committed book.
        orders: the book and the posted orders, with what clearing made of each, by ascending hash.
        price: at which it settles, nano-credit per Wh; 0 where each fill has its own amount.
        digest: what validators sign.
    """

    slot: SlotRecord
    orders: tuple[OrderRecord, ...]
    price: int
    digest: bytes


class Approvals:
    """Proposes settlements and collects approvals. Thread-safe."""

    def __init__(self, store: Store, domain: Domain, market: bytes, validators: Callable[[], Validators]) -> None:
        """Set up.

        Args:
            store: keeps proposals and approvals.
            domain: the exchange that settles.
            market: the market.
            validators: reads its validators at the chain's head.
        """
        self._store = store
        self._domain = domain
        self._market = market
        self._read = validators
        self._is_needed: bool | None = None

    def validators(self) -> Validators:
        """The market's validators now.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        return self._read()

    def obtain(self, slot: int, price: int, fills: Sequence[FilledOrder]) -> list[bytes]:
        """Propose a settlement, and return enough signatures of it by ascending validator; none if none is needed.

        Raises:
            AwaitedApprovalsError: there are not enough so far.
            ChainUnavailableError: the chain is out of reach.
        """
        if self._is_needed is None:
            self._is_needed = self.validators().approvals_needed > 0  # which never changes
        if not self._is_needed:
            return []
        digest = self._digest(self._slot(slot), price, fills)
        if self._store.proposal(slot) != (price, digest):
            self._store.record_proposal(slot, price, digest)
        found, validators = self._store.approvals(slot), self.validators()
        # Whoever signed and gave its seat away since then no longer counts.
        signatures = [signature for account, signature in found.items() if account in validators.accounts]
        if len(signatures) < validators.approvals_needed:
            raise AwaitedApprovalsError(
                f"{len(signatures)} of {validators.approvals_needed} approvals for slot {slot} are in"
            )
        return signatures[: validators.approvals_needed]

    def proposal(self, slot: int) -> Proposal:
        """What validators are asked to approve.

        Raises:
            NoProposalError: nothing.
            ChangedProposalError: it changes at this moment.
        """
        price, digest = self._proposed(slot)
        record = self._slot(slot)
        orders = tuple(self._store.orders_to_clear(slot))
        if self._digest(record, price, list(fills_of(self._store, slot).values())) != digest:
            raise ChangedProposalError(f"slot {slot} is being cleared again")
        return Proposal(record, orders, price, digest)

    def given(self, slot: int) -> tuple[bytes, dict[bytes, bytes]]:
        """The hash of what is proposed, and its signatures so far by validator, in ascending order.

        Raises:
            NoProposalError: nothing is proposed.
        """
        return self._proposed(slot)[1], self._store.approvals(slot)

    def take(self, slot: int, validator: bytes, signature: bytes) -> None:
        """Keep a validator's approval; it is on disk afterwards. The same one again is harmless.

        Raises:
            NoProposalError: nothing is proposed.
            NotAValidatorError: the validator is none of the market's.
            ApprovalSignatureError: it did not sign this, but perhaps another settlement.
            InvalidSignatureError: the signature is malformed.
            StoreConflictError: the slot was cleared again just now.
        """
        _, digest = self._proposed(slot)
        if validator not in self.validators().accounts:
            raise NotAValidatorError(f"0x{validator.hex()} is none of the market's validators")
        if recover(digest, signature) != validator:
            raise ApprovalSignatureError(
                f"signature is not by 0x{validator.hex()} or not of 0x{digest.hex()}, which is proposed"
            )
        self._store.add_approval(slot, digest, validator, signature)

    def _proposed(self, slot: int) -> tuple[int, bytes]:
        found = self._store.proposal(slot)
        if found is None:
            raise NoProposalError(f"no settlement of slot {slot} is proposed")
        return found

    def _slot(self, slot: int) -> SlotRecord:
        record = self._store.slot(slot)
        assert record is not None  # noqa: S101 - slots are written down before they are proposed, and stay
        return record

    def _digest(self, record: SlotRecord, price: int, fills: Sequence[FilledOrder]) -> bytes:
        assert record.book_root is not None  # noqa: S101 - a slot is cleared once its book is committed
        assert record.book_size is not None  # noqa: S101 - the same
        return approval_hash(
            self._domain,
            market=self._market,
            slot=record.slot,
            book=merkle.commitment(record.book_root, record.book_size),
            price=price,
            fills=fills,
        )
