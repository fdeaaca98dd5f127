"""Who gets what of a certificate that is issued anew: whoever held some of the withdrawn one, its owner last.

Buyers paid for what they hold, and the device's owner answers for its meter. So what a correction takes away is
taken from the owner's own holding first. If less is issued than the others held, they get it pro rata of what they
held, whole Wh by largest remainder, the lower account first among equals. What was retired stays retired.

A correction hands on to `MAX_SHARES` accounts at most: the largest holdings, the lower account first among equals.
"""

from collections.abc import Mapping

from ledger.allocation.rule import pro_rata
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId
from ledger.certificates.issuer import Share
from ledger.certificates.records import Record

MAX_SHARES = 128
"""Most accounts that a correction hands on to; as in `contracts/issuance.vy`."""


def divided(issued_wh: int, owner: bytes, held_wh: Mapping[bytes, int]) -> tuple[Share, ...]:
    """The shares of what is issued anew, by ascending account; the rest is the owner's.

    Args:
        issued_wh: what is issued anew.
        owner: who gets it first.
        held_wh: what each account holds of the withdrawn certificate.
    """
    others = [(account, wh) for account, wh in held_wh.items() if account != owner and wh > 0]
    largest = sorted(others, key=lambda each: (-each[1], each[0]))[:MAX_SHARES]
    ascending = sorted(largest)
    parts = pro_rata(issued_wh, [wh for _, wh in ascending])
    return tuple(Share(account, wh) for (account, _), wh in zip(ascending, parts, strict=True) if wh)


def shares_of(history: CertificateHistory, withdrawn: CertificateId, corrected_wh: int) -> tuple[Share, ...]:
    """The shares of what a correction to `corrected_wh` issues; none if nothing was issued before."""
    record = history.records.get(withdrawn)
    if record is None:
        return ()
    gone_wh = _gone_before_wh(history, record) + record.retired_wh
    left_wh = max(corrected_wh - gone_wh, 0)
    left_wh -= min(left_wh, history.debts[withdrawn.device])
    return divided(left_wh, record.owner, record.held)


def _gone_before_wh(history: CertificateHistory, record: Record) -> int:
    """What this revision was issued less for, as it was retired before, or given for a debt."""
    if record.correction is None:
        return history.paid[record.id.device, record.id.slot]
    return record.correction.corrected_wh - record.issued_wh
