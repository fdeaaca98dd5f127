"""What may go wrong between a client and its node."""

from collections.abc import Mapping
from typing import Any

from matching.errors import WattbookError


class ApiProblemError(WattbookError):
    """The node refused.

    Attributes:
        code: the problem's stable code, e.g. `order.uncovered`.
        status: the HTTP status.
        detail: what was wrong, in words.
        most_wh: the most energy that it could have been, Wh; None if the problem is another.
        details: the problem's other members, such as what an order needs; nothing of them is checked.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        most_wh: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.status = status
        self.detail = detail
        self.most_wh = most_wh
        self.details = dict(details or {})


class UnreachableError(WattbookError):
    """No answer came in time; the request may have taken effect, and may be repeated."""

    code = "client.unreachable"


class UnexpectedAnswerError(WattbookError):
    """The answer is not one that a node gives."""

    code = "client.answer"


class NoKeyError(WattbookError):
    """Something was to be signed, but the client has no key."""

    code = "client.no_key"


class ReceiptError(WattbookError):
    """The receipt is not the operator's, or for something else: do not rely on it."""

    code = "client.receipt"


class TransactionFailedError(WattbookError):
    """A member's transaction was mined and had no effect, or its nonce was taken."""

    code = "client.transaction_failed"


class WrongTransactionError(WattbookError):
    """What the node prepared is not what was asked for: it is not signed."""

    code = "client.wrong_transaction"
