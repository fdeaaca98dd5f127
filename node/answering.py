"""Answers the challenges against the market's operator, with what the store holds."""

import structlog

from ledger.challenges import (
    NoProofError,
    answer_cancelled_calldata,
    answer_filled_calldata,
    answer_in_book_calldata,
)
from ledger.defence import Challenge, ChallengeKind, Defence
from ledger.settlement import in_chunks
from matching.errors import WattbookError
from node.fills import fills_of
from node.store import Store

log = structlog.get_logger(__name__)


class Answering:
    """Answers challenges as long as they are open; what cannot be answered is there to be shown."""

    def __init__(self, store: Store, defence: Defence) -> None:
        self._store = store
        self._defence = defence
        self.unanswered: dict[int, str] = {}
        """By number, why open challenges are not answered."""

    def answer_open(self) -> None:
        """Answer what can be answered now; the rest is logged, once for each new reason."""
        try:
            challenges = self._defence.open_challenges()
        except WattbookError as error:
            log.warning("challenges not looked for", code=error.code, reason=str(error))
            return
        unanswered: dict[int, str] = {}
        for challenge in challenges:
            try:
                self._defence.answer(challenge, lambda challenge=challenge: self._answer(challenge))  # type: ignore[misc]  # a loop's variable, bound
                log.info("challenge answered", number=challenge.number, slot=challenge.slot)
            except WattbookError as error:
                unanswered[challenge.number] = str(error)
                if self.unanswered.get(challenge.number) != str(error):
                    # Its traceback would say no more.
                    log.error("challenge not answered", number=challenge.number, reason=str(error))  # noqa: TRY400
        self.unanswered = unanswered

    def _answer(self, challenge: Challenge) -> bytes:
        number, order_hash = challenge.number, challenge.order_hash
        if challenge.kind is ChallengeKind.LEFT_OUT:
            chunks = in_chunks(list(fills_of(self._store, challenge.slot).values()))
            return answer_filled_calldata(number, order_hash, chunks)
        record = self._store.order(order_hash)
        if record is not None and record.cancellation_signature is not None:
            return answer_cancelled_calldata(number, record.signed, record.cancellation_signature)
        book = [each.signed.hash for each in self._store.book(challenge.slot)]
        if order_hash not in book:
            raise NoProofError(f"order 0x{order_hash.hex()} is neither in the book of its slot nor cancelled")
        return answer_in_book_calldata(number, order_hash, book)
