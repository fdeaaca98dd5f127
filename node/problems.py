"""Problems: how errors look to a caller of the API (RFC 9457), and which HTTP status each code has."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from ledger.chain import CallRevertedError
from matching.errors import WattbookError
from node.reasons import in_words
from node.refusals import UncoveredOrderError

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "approval.not_a_validator": HTTPStatus.FORBIDDEN,
    "approval.signature": HTTPStatus.FORBIDDEN,
    "audit.unknown": HTTPStatus.NOT_FOUND,
    "bill.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.action": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.already_otherwise": HTTPStatus.CONFLICT,
    "certificates.batch_too_large": HTTPStatus.CONFLICT,
    "certificates.claim": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.id": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.in_part": HTTPStatus.CONFLICT,
    "certificates.issuer": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.not_enough": HTTPStatus.CONFLICT,
    "certificates.nothing_to_pair": HTTPStatus.CONFLICT,
    "certificates.selection": HTTPStatus.UNPROCESSABLE_ENTITY,
    "certificates.unknown": HTTPStatus.NOT_FOUND,
    "chain.reverted": HTTPStatus.CONFLICT,
    "chain.unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "clock.backwards": HTTPStatus.CONFLICT,
    "clock.not_stepped": HTTPStatus.CONFLICT,
    "coverage.emissions": HTTPStatus.CONFLICT,
    "coverage.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "coverage.period": HTTPStatus.UNPROCESSABLE_ENTITY,
    "coverage.unknown_factor": HTTPStatus.NOT_FOUND,
    "deposit.known": HTTPStatus.CONFLICT,
    "devchain.storage_failed": HTTPStatus.INSUFFICIENT_STORAGE,
    "device.eecs_code": HTTPStatus.UNPROCESSABLE_ENTITY,
    "device.foreign": HTTPStatus.CONFLICT,
    "device.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "device.key_taken": HTTPStatus.CONFLICT,
    "device.owner_unknown": HTTPStatus.CONFLICT,
    "device.past_change": HTTPStatus.CONFLICT,
    "device.unknown": HTTPStatus.NOT_FOUND,
    "event.forgotten": HTTPStatus.GONE,
    "event.signature": HTTPStatus.FORBIDDEN,
    "event.too_many_streams": HTTPStatus.SERVICE_UNAVAILABLE,
    "event.unknown": HTTPStatus.CONFLICT,
    "evidence.clock": HTTPStatus.UNPROCESSABLE_ENTITY,
    "evidence.device": HTTPStatus.UNPROCESSABLE_ENTITY,
    "evidence.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "evidence.key": HTTPStatus.FORBIDDEN,
    "evidence.key_malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "evidence.nameplate": HTTPStatus.UNPROCESSABLE_ENTITY,
    "evidence.register": HTTPStatus.CONFLICT,
    "evidence.sequence": HTTPStatus.CONFLICT,
    "evidence.signature": HTTPStatus.FORBIDDEN,
    "evidence.slot": HTTPStatus.CONFLICT,
    "evidence.substitute": HTTPStatus.UNPROCESSABLE_ENTITY,
    "file.columns": HTTPStatus.UNPROCESSABLE_ENTITY,
    "file.empty": HTTPStatus.UNPROCESSABLE_ENTITY,
    "file.encoding": HTTPStatus.UNPROCESSABLE_ENTITY,
    "member.foreign": HTTPStatus.CONFLICT,
    "member.unknown": HTTPStatus.NOT_FOUND,
    "node.busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "node.late": HTTPStatus.SERVICE_UNAVAILABLE,
    "node.not_claimed": HTTPStatus.SERVICE_UNAVAILABLE,
    "node.trouble": HTTPStatus.SERVICE_UNAVAILABLE,
    "ocmf.algorithm": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ocmf.field": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ocmf.malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ocmf.span": HTTPStatus.CONFLICT,
    "ocmf.status": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.cancelled_epoch": HTTPStatus.CONFLICT,
    "order.expired": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.gate_closed": HTTPStatus.CONFLICT,
    "order.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.not_a_member": HTTPStatus.FORBIDDEN,
    "order.signature": HTTPStatus.FORBIDDEN,
    "order.slot_misaligned": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.too_early": HTTPStatus.CONFLICT,
    "order.too_large": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.too_many": HTTPStatus.CONFLICT,
    "order.uncovered": HTTPStatus.CONFLICT,
    "order.unknown": HTTPStatus.NOT_FOUND,
    "order.unknown_market": HTTPStatus.UNPROCESSABLE_ENTITY,
    "order.wishes": HTTPStatus.UNPROCESSABLE_ENTITY,
    "proposal.changed": HTTPStatus.CONFLICT,
    "proposal.unknown": HTTPStatus.NOT_FOUND,
    "reading.conflict": HTTPStatus.CONFLICT,
    "reading.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "reading.nothing_to_correct": HTTPStatus.CONFLICT,
    "reading.too_early": HTTPStatus.CONFLICT,
    "reading.unexpected": HTTPStatus.UNPROCESSABLE_ENTITY,
    "reading.unknown_device": HTTPStatus.UNPROCESSABLE_ENTITY,
    "request.evidence": HTTPStatus.CONFLICT,
    "request.forbidden": HTTPStatus.FORBIDDEN,
    "request.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "request.method": HTTPStatus.METHOD_NOT_ALLOWED,
    "request.not_approved": HTTPStatus.CONFLICT,
    "request.not_found": HTTPStatus.NOT_FOUND,
    "request.too_early": HTTPStatus.CONFLICT,
    "request.too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request.too_many": HTTPStatus.TOO_MANY_REQUESTS,
    "request.unauthorized": HTTPStatus.UNAUTHORIZED,
    "request.unknown": HTTPStatus.NOT_FOUND,
    "signature.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "slot.unknown": HTTPStatus.NOT_FOUND,
    "statement.impossible": HTTPStatus.CONFLICT,
    "statement.invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "statement.unknown": HTTPStatus.NOT_FOUND,
    "store.conflict": HTTPStatus.CONFLICT,
    "store.unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "transaction.foreign": HTTPStatus.UNPROCESSABLE_ENTITY,
    "transaction.malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "transaction.refused": HTTPStatus.CONFLICT,
    "transaction.unknown": HTTPStatus.NOT_FOUND,
}
"""HTTP status by code. A code that is missing is not the caller's fault: 500, or 502 if it is the chain's."""


class RequestError(WattbookError):
    """A request is malformed, too large, or leads nowhere.

    Attributes:
        field: the name of the field that is wrong; None if it is not about one.
    """

    code = "request.invalid"

    def __init__(self, message: str, *, code: str = code, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error looks like to a caller; `details` are its own members."""

    code: str
    detail: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the code."""
        if self.code in STATUS:
            return STATUS[self.code]
        return HTTPStatus.BAD_GATEWAY if self.code.startswith("chain.") else HTTPStatus.INTERNAL_SERVER_ERROR

    def body(self) -> dict[str, Any]:
        """As JSON: RFC 9457's members, the code, and the error's own details."""
        return {
            "type": f"urn:wattbook:problem:{self.code}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "code": self.code,
            **self.details,
        }


def problem(error: WattbookError) -> Problem:
    """The problem behind an error."""
    details: dict[str, Any] = dict(getattr(error, "details", {}))
    name = getattr(error, "field", None)
    if name is not None:
        details["field"] = name
    most_wh = getattr(error, "most_wh", None)
    if most_wh is not None:
        details["most_wh"] = most_wh
    if isinstance(error, UncoveredOrderError):
        details |= {"needed": str(error.needed_nano), "free": str(error.free_nano)}
    if isinstance(error, CallRevertedError):
        return Problem(code=error.code, detail=in_words(error.reason), details={"reason": error.reason})
    return Problem(code=error.code, detail=str(error), details=details)
