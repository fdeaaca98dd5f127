"""Pairing: which of an account's certificates go with which of its consumption, slot by slot."""

from collections.abc import Sequence

from ledger.certificates.actions import Pair
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.selection import MAX_IDS, Part
from matching.errors import WattbookError


class NothingToPairError(WattbookError):
    """No certificate of the account is of a slot and zone in which it has uncovered consumption on chain.

    Consumption that nothing was matched with is on chain once its owner has requested that.
    """

    code = "certificates.nothing_to_pair"


def pairs_of(
    history: CertificateHistory,
    usable: Sequence[Part],
    account: bytes,
    *,
    amount_wh: int | None,
    slots: range,
) -> list[Pair]:
    """As many Wh as fit, up to `amount_wh` and to one transaction, the oldest slots first.

    Raises:
        NothingToPairError: nothing fits.
    """
    uncovered: dict[tuple[int, int, str], list[Part]] = {}
    for part in history.holdings(account):
        record = history.records[part.id]
        if part.id.kind is CertificateKind.CONSUMPTION and part.id.slot in slots and record.withdrawal is None:
            uncovered.setdefault(_place(history, part.id), []).append(part)
    left_wh = 2**62 if amount_wh is None else amount_wh
    pairs: list[Pair] = []
    for part in sorted(usable, key=lambda each: each.id):
        waiting = uncovered.get(_place(history, part.id), [])
        available_wh = part.amount_wh
        while waiting and available_wh and left_wh and len(pairs) < MAX_IDS:
            wh = min(waiting[0].amount_wh, available_wh, left_wh)
            pairs.append(Pair(part.id, waiting[0].id, wh))
            available_wh, left_wh = available_wh - wh, left_wh - wh
            rest_wh = waiting[0].amount_wh - wh
            waiting[:1] = [Part(waiting[0].id, rest_wh)] if rest_wh else []
    if not pairs:
        raise NothingToPairError(_why_nothing(account, has_certificates=bool(usable)))
    return pairs


def _why_nothing(account: bytes, *, has_certificates: bool) -> str:
    if not has_certificates:
        return f"0x{account.hex()} holds no certificate that it may retire"
    return (
        f"0x{account.hex()} has no uncovered consumption on chain in the slots and zones of its certificates: "
        "what its loads metered in a slot in which nothing was matched is there once it is requested "
        "(`wattbook certificates request`, `POST /v1/certificates/request/prepare`)"
    )


def _place(history: CertificateHistory, certificate: CertificateId) -> tuple[int, int, str]:
    """What a certificate and consumption must have in common: slot, slot length and zone."""
    if certificate.kind is CertificateKind.IMPORTED:
        imported = history.records[certificate].imported
        assert imported is not None  # noqa: S101 - an imported certificate says where it is from
        return certificate.slot, imported.slot_length_s, history.areas[imported.area].zone
    device = history.devices[certificate.device].device
    return certificate.slot, device.slot_length_s, history.areas[device.area].zone
