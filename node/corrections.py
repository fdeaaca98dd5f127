"""Corrections: certificates follow a reading that was put right, after its slot was certified with another.

What was issued is withdrawn and issued anew, to whoever holds it; what was not, because a substitute of 0 Wh had
stood in, is issued now. Of a load with which nothing was matched, nothing was issued either: it is put on chain as
it was delivered, and corrected there, so that whoever reads the chain alone knows what was consumed. The slot's
money is not touched: imbalances were settled with what was delivered, and that is final.
"""

import structlog

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.issuer import AlreadyOtherwiseError, Issuer
from ledger.certificates.shares import shares_of
from ledger.devices import DeviceKind
from ledger.evidence.evidence import Substitution
from ledger.metered import CERTIFICATE_KINDS
from matching.errors import WattbookError
from node.certificate_view import CertificateView
from node.certifying import Certifying
from node.metered import metered_wh
from node.store import Store
from node.store.records import DeviceRecord, ReadingRecord, SlotState

STANDING = 0
"""In the place of a request's number: the device's owner asked for good."""

log = structlog.get_logger(__name__)


class Corrections:
    """Brings certificates in line with corrected readings. Every step can be repeated."""

    def __init__(self, store: Store, view: CertificateView, certifying: Certifying, issuer: Issuer) -> None:
        self._store = store
        self._view = view
        self._certifying = certifying
        self._certificates = view.contracts.certificates
        self._issuance = view.contracts.issuance
        self._issuer = issuer

    def follow(self) -> None:
        """Follow all corrections of certified slots; one that fails is tried again at the next call.

        Raises:
            SlotInPartError: none is followed, as a slot is certified in part.
        """
        corrections = [record for record in self._store.open_corrections() if self._is_certified(record)]
        if corrections:
            self._certifying.check_whole()
        for record in corrections:
            try:
                self._follow(record)
            except WattbookError as error:
                log.warning(
                    "correction stays open",
                    slot=record.evidence.slot,
                    device=record.evidence.device,
                    code=error.code,
                    reason=str(error),
                )

    def _is_certified(self, record: ReadingRecord) -> bool:
        slot = self._store.slot(record.evidence.slot)
        return slot is not None and slot.state is SlotState.CERTIFIED

    def _follow(self, record: ReadingRecord) -> None:
        evidence = record.evidence
        if self._view.is_expired(evidence.slot):
            self._store.close_correction(record)
            log.warning("correction comes after the certificates", slot=evidence.slot, device=evidence.device)
            return
        device = self._store.device(evidence.device)
        assert device is not None  # noqa: S101 - a reading's device is registered, and stays
        first = CertificateId(evidence.slot, evidence.device, CERTIFICATE_KINDS[device.details.kind])
        wrong = self._store.correction_of(evidence.device, evidence.slot)
        if wrong is None:
            wrong = self._latest(first)
            if wrong is not None:
                # Written down first: whoever comes back after a kill must not withdraw what replaced it.
                self._store.note_correction_of(evidence.device, evidence.slot, wrong)
        if wrong is None and device.details.standing:
            self._issue(device, record)
        elif wrong is not None and self._is_wrong(first, record):
            self._replace(CertificateId(first.slot, first.device, first.kind, wrong), record)
        self._store.close_correction(record)
        log.info("correction followed", slot=evidence.slot, device=evidence.device, energy_wh=evidence.energy_wh)

    def _issue(self, device: DeviceRecord, record: ReadingRecord) -> None:
        """Nothing was issued. Generation is now; a load's consumption as it was delivered, and then corrected."""
        slot, kind = record.evidence.slot, device.details.kind
        if kind is DeviceKind.GENERATOR:
            self._issue_wh(device, slot, record.energy_wh)
        elif kind is DeviceKind.LOAD and self._is_wrong(_consumption(device, slot), record):
            delivered_wh = metered_wh(self._store, slot)[device.device]
            if delivered_wh > 0:
                self._issue_wh(device, slot, delivered_wh)
                self._store.note_correction_of(device.device, slot, 0)
                self._replace(_consumption(device, slot), record)
            elif record.energy_wh > 0:
                self._issue_all_loads(device, record)

    def _issue_all_loads(self, device: DeviceRecord, record: ReadingRecord) -> None:
        """A load was delivered with 0 Wh, which cannot be issued and corrected.

        What all of its owner's loads took is issued then, this one's last, so that they add up to what is right.
        """
        slot = record.evidence.slot
        delivered_wh = metered_wh(self._store, slot)
        for each in self._store.devices():
            is_load = each.details.kind is DeviceKind.LOAD and each.details.standing
            is_another = each.account == device.account and each.device != device.device
            if is_load and is_another and self._latest(_consumption(each, slot)) is None:
                self._issue_wh(each, slot, delivered_wh.get(each.device, 0))
        self._issue_wh(device, slot, record.energy_wh)

    def _issue_wh(self, device: DeviceRecord, slot: int, amount_wh: int) -> None:
        if amount_wh > 0:
            self._issuer.issue(device.details, slot, [amount_wh], request=STANDING)

    def _is_wrong(self, first: CertificateId, record: ReadingRecord) -> bool:
        """Whether any reading before this one came to another amount: whichever of them certificates follow."""
        revisions = self._store.revisions(first.device, first.slot)
        return any(each.energy_wh != record.energy_wh for each in revisions)

    def _replace(self, wrong: CertificateId, record: ReadingRecord) -> None:
        corrected_wh = record.energy_wh
        if wrong.kind is CertificateKind.STORED:
            corrected_wh = min(corrected_wh, self._stored_wh(wrong))
        self._issuer.withdraw(wrong, _reason(record))
        with self._view.history() as history:
            shares = shares_of(history, wrong, corrected_wh)
        try:
            self._issuer.reissue(wrong, corrected_wh, shares)
        except AlreadyOtherwiseError:
            # An earlier correction was on its way when this one came: what it issued is what is wrong now.
            self._store.note_correction_of(wrong.device, wrong.slot, wrong.next_revision.revision)
            raise

    def _stored_wh(self, wrong: CertificateId) -> int:
        """What a storage's certificate was right to be issued for so far: its lots are used up as they were.

        Not what was issued of it, which is less by what was retired before, or given for a debt.
        """
        name, figure = ("Reissued", "corrected_wh") if wrong.revision else ("Discharged", "certified_wh")
        (event,) = self._issuance.events(
            [name],
            first_block=0,
            last_block=self._issuance.chain.head().number,
            topics=[int(wrong).to_bytes(32, "big")],
        )
        found: int = event.arguments[figure]
        return found

    def _latest(self, certificate: CertificateId) -> int | None:
        """The latest revision on chain; None if nothing was issued."""
        latest = None
        while self._certificates.read("state_of", int(certificate))["exists"]:
            latest, certificate = certificate.revision, certificate.next_revision
        return latest


def _consumption(device: DeviceRecord, slot: int) -> CertificateId:
    return CertificateId(slot, device.device, CertificateKind.CONSUMPTION)


def _reason(record: ReadingRecord) -> str:
    basis = record.evidence.basis
    why = basis.reason if isinstance(basis, Substitution) else "the meter's own reading came"
    return f"corrected: {why}".encode()[:128].decode(errors="ignore")
