"""Which certificates make up an amount of energy: the oldest first, the last one split.

A person thinks of certificates as an amount; on chain they are many, one for each device and slot. One transfer or
retirement takes up to `MAX_IDS` of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.certificates.ids import CertificateId
from matching.errors import WattbookError

MAX_IDS = 128
"""Most certificates in one batch, as `contracts/certificates.vy` takes them."""


class SelectionError(WattbookError):
    """An amount cannot be made up from what is held.

    Attributes:
        most_wh: what could be, at most; None if the amount is none that anybody could have.
    """

    code = "certificates.selection"

    def __init__(self, message: str, *, most_wh: int | None = None) -> None:
        super().__init__(message)
        self.most_wh = most_wh


class NotEnoughCertificatesError(SelectionError):
    """Less is held than was asked for."""

    code = "certificates.not_enough"


class BatchTooLargeError(SelectionError):
    """What was asked for takes more certificates than one batch has room for."""

    code = "certificates.batch_too_large"


@dataclass(frozen=True, slots=True)
class Part:
    """Some Wh of one certificate."""

    id: CertificateId
    amount_wh: int


def bundle(held: Iterable[Part], amount_wh: int) -> list[Part]:
    """The oldest of the held certificates that come to exactly this amount, the last one split if need be.

    Args:
        held: what may be given away, each certificate once, in any order; of amount 0 if there is none of it.
        amount_wh: how much is wanted, Wh.

    Raises:
        SelectionError: the amount is not positive.
        NotEnoughCertificatesError: less is held.
        BatchTooLargeError: it takes more than `MAX_IDS` certificates; the message says what fits.
    """
    if amount_wh <= 0:
        raise SelectionError(f"certificate field 'amount_wh' is {amount_wh}: must be at least 1")
    ordered = sorted((part for part in held if part.amount_wh > 0), key=lambda part: part.id)
    held_wh = sum(part.amount_wh for part in ordered)
    if held_wh < amount_wh:
        raise NotEnoughCertificatesError(
            f"certificate field 'amount_wh' is {amount_wh}: must be at most {held_wh}, which is all that is held",
            most_wh=held_wh,
        )
    taken, missing_wh = list[Part](), amount_wh
    for part in ordered:
        wh = min(part.amount_wh, missing_wh)
        taken.append(Part(part.id, wh))
        missing_wh -= wh
        if missing_wh == 0:
            break
    if len(taken) > MAX_IDS:
        fits_wh = sum(part.amount_wh for part in taken[:MAX_IDS])
        raise BatchTooLargeError(
            f"certificate field 'amount_wh' is {amount_wh}, which takes {len(taken)} certificates: at most "
            f"{MAX_IDS} go together, and the oldest of them come to {fits_wh} Wh",
            most_wh=fits_wh,
        )
    return taken
