"""Deciding: requests for certificates that valid evidence covers are approved at once, and others refused."""

import structlog
from eth_hash.auto import keccak

from ledger.certificates.issuer import MAX_REASON_BYTES, Issuer
from ledger.devices import Device, DeviceKind
from ledger.evidence.evidence import Evidence
from ledger.evidence.tree import DayTree, day_of
from node.certificate_view import CertificateView
from node.issuing import MissingEvidenceError, measured_wh
from node.store import Store

log = structlog.get_logger(__name__)


class Deciding:
    """Decides the requests of one market's devices by policy. Every step can be repeated.

    Args:
        is_automatic: False if the operator decides; then nothing is done here.
    """

    def __init__(self, store: Store, view: CertificateView, issuer: Issuer, *, is_automatic: bool) -> None:
        self._store = store
        self._view = view
        self._issuer = issuer
        self._is_automatic = is_automatic

    def decide_open(self) -> None:
        """Decide every request that is not decided.

        Raises:
            ChainError: one could not be decided; it is tried again at the next call, before those behind it.
        """
        if not self._is_automatic:
            return
        with self._view.history() as history:
            waiting = [request for request in history.requests.values() if request.decision is None]
        for request in waiting:
            device = self._store.device(request.device)
            if device is None:
                continue  # another market's: its issuer answers for it
            slots = range(request.first_slot, request.last_slot + 1, device.details.slot_length_s)
            refusal = self._refusal(device.details, slots, request.evidence)
            self._issuer.decide(request.number, approved=refusal is None, reason=refusal or "")
            log.info("request decided", number=request.number, approved=refusal is None)

    def _refusal(self, device: Device, slots: range, claimed: bytes) -> str | None:
        """Why a request is refused; None if it is approved."""
        if device.kind not in (DeviceKind.GENERATOR, DeviceKind.LOAD):
            return "a storage and what charges it are certified with their slots, and not for a request"
        if self._view.is_expired(slots.start):
            return f"slot {slots.start} is over for too long: its certificate would have expired"
        try:
            measured_wh(self._store, device.device, slots)
        except MissingEvidenceError as error:
            return str(error).encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        found = evidence_hash(self._store, device.device, slots)
        return None if claimed == found else f"the slots' evidence is 0x{found.hex()}"


def evidence_hash(store: Store, device: int, slots: range) -> bytes:
    """What a request says of its slots' evidence: the hash of the commitments to each day's part of it."""
    by_day: dict[int, list[Evidence]] = {}
    for slot in slots:
        record = store.reading(device, slot)
        if record is not None:
            by_day.setdefault(day_of(slot), []).append(record.evidence)
    return keccak(b"".join(DayTree(device, day, found).commitment for day, found in sorted(by_day.items())))
