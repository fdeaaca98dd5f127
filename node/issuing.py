"""Issuing: what the issuer does when somebody asks, or when a re-organisation took it away."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import rlp
import structlog

from ledger.certificates.ids import CertificateId
from ledger.certificates.issuer import Anchor, Import, Issuer
from ledger.certificates.occurrences import Point
from ledger.certificates.records import Request
from ledger.certificates.shares import shares_of
from ledger.evidence.evidence import Quality
from ledger.metered import CERTIFICATE_KINDS
from matching.errors import WattbookError
from node.certificate_view import CertificateView
from node.certifying import Certifying
from node.refusals import UnknownDeviceError
from node.store import Store
from node.store.records import DeviceRecord, SlotState

_UNCERTIFIED = tuple(state for state in SlotState if state is not SlotState.CERTIFIED)

log = structlog.get_logger(__name__)


class RequestNotApprovedError(WattbookError):
    """Certificates are issued for approved requests only."""

    code = "request.not_approved"


class UnknownRequestError(WattbookError):
    """There is no request with this number."""

    code = "request.unknown"


class MissingEvidenceError(WattbookError):
    """A slot has no measured reading that certificates could be issued for."""

    code = "request.evidence"


class TooEarlyRequestError(WattbookError):
    """A slot's own certification of the device, or its correction, is still to come."""

    code = "request.too_early"


class Issuing:
    """The issuer's acts, one at a time, and none while the slots are moved on. Thread-safe.

    Args:
        turn: held by whoever takes steps on chain.
    """

    def __init__(
        self,
        store: Store,
        view: CertificateView,
        certifying: Certifying,
        issuer: Issuer,
        turn: AbstractContextManager[None],
    ) -> None:
        self._store = store
        self._view = view
        self._certifying = certifying
        self._contracts = view.contracts
        self._issuer = issuer
        self._turn = turn
        # Where the approvals are that nothing is left to be issued for. Nothing of it need last: see `_is_issued`.
        self._issued: dict[int, Point] = {}
        self._waits_for: dict[int, str] = {}
        self._again: dict[str, Callable[[dict[str, Any]], object]] = {
            "withdraw": lambda of: issuer.withdraw(CertificateId.of(of["id"]), of["reason"]),
            "reissue": lambda of: self._reissue(CertificateId.of(of["id"]), of["corrected_wh"]),
            "import_certificate": lambda of: issuer.import_certificate(Import(**of["details"])),
            "decide": lambda of: issuer.decide(of["number"], approved=of["approved"], reason=of["reason"]),
            "issue": self._issue_again,
            "anchor": lambda of: issuer.anchor(of["day"], [Anchor(**each) for each in of["anchors"]]),
        }

    def withdraw(self, certificate: CertificateId, reason: str) -> None:
        """Freeze what is not retired of a certificate; see `Issuer.withdraw`.

        Raises:
            SlotInPartError: a slot is certified in part.
        """
        with self._turn:
            self._certifying.check_whole()
            self._issuer.withdraw(certificate, reason)

    def reissue(self, certificate: CertificateId, corrected_wh: int) -> CertificateId:
        """Issue a withdrawn certificate anew, to its holders, and return the new one; see `Issuer.reissue`.

        Raises:
            SlotInPartError: a slot is certified in part.
        """
        with self._turn:
            self._certifying.check_whole()
            return self._reissue(certificate, corrected_wh)

    def import_certificate(self, details: Import) -> CertificateId:
        """Issue what another registry has retired; see `Issuer.import_certificate`."""
        with self._turn:
            return self._issuer.import_certificate(details)

    def decide(self, number: int, *, approved: bool, reason: str) -> None:
        """Approve or refuse a request; see `Issuer.decide`.

        Raises:
            UnknownRequestError: there is none of this number.
        """
        self.request(number)
        with self._turn:
            self._issuer.decide(number, approved=approved, reason=reason)

    def issue(self, number: int) -> int:
        """Issue certificates for every slot of an approved request, and return how many Wh they come to.

        Slots that are certified already, and those whose certificates would have expired, are passed over.

        Raises:
            UnknownRequestError: there is no such request.
            RequestNotApprovedError: it is not decided, or refused.
            MissingEvidenceError: a slot has no measured reading.
            TooEarlyRequestError: a slot of a device that is certified with its slots is not certified yet, or a
                correction of it is not followed.
            SlotInPartError: a slot is certified in part.
        """
        request = self.request(number)
        if not request["approved"]:
            raise RequestNotApprovedError(f"request {number} is not approved: nothing is issued for it")
        device = self._store.device(request["device"])
        if device is None:
            raise UnknownDeviceError(f"device {request['device']} is not registered here")
        slots = _slots(device, request["first_slot"], request["last_slot"])
        # All with the turn: a correction that comes in between would find nothing to correct.
        with self._turn:
            return self._issue(device, slots, number)

    def issue_approved(self) -> None:
        """Issue certificates for the approved requests that some are still missing for, as `issue` does.

        One that cannot be issued for is tried again at the next call, and holds up no other.

        The caller has the turn.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        with self._view.history() as history:
            requests = [
                (request, request.decision.point)
                for request in history.requests.values()
                if request.decision is not None
                and request.decision.approved
                and self._issued.get(request.number) != request.decision.point
            ]
        for request, approved in requests:
            try:
                self._issue_missing(request)
            except WattbookError as error:
                if self._waits_for.get(request.number) != str(error):
                    log.warning(
                        "approved request waits", number=request.number, code=error.code, reason=str(error)
                    )
                    self._waits_for[request.number] = str(error)
            else:
                self._issued[request.number] = approved
                self._waits_for.pop(request.number, None)

    def request(self, number: int) -> dict[str, Any]:
        """A request as the contract keeps it.

        Raises:
            UnknownRequestError: there is none of this number.
        """
        if not 1 <= number <= self._contracts.devices.read("request_count"):
            raise UnknownRequestError(f"there is no request {number}")
        found: dict[str, Any] = self._contracts.devices.read("request_of", number)
        return found

    def repeat(self, slot: int, step: str) -> None:
        """Take a step again that a re-organisation took away, as its transaction says what it was.

        The caller has the turn.
        """
        raw = next(
            record.intent.raw_transaction
            for record in reversed(self._store.attempts(slot, step))
            if record.intent.raw_transaction is not None
        )
        # EIP-1559: a byte 2, then a list whose sixth field is the contract and whose eighth is the call.
        fields = rlp.decode(raw[1:])
        contracts = (self._contracts.certificates, self._contracts.issuance, self._contracts.devices)
        contract = next(each for each in contracts if each.address == fields[5])
        function, arguments = contract.interface.decode_call(fields[7])
        self._again[function](arguments)

    def _issue_missing(self, request: Request) -> None:
        device = self._store.device(request.device)
        if device is None:
            return  # another market's: its issuer answers for it
        slots = _slots(device, request.first_slot, request.last_slot)
        if not self._is_issued(device, slots):
            amount_wh = self._issue(device, slots, request.number)
            log.info("request issued for", number=request.number, amount_wh=amount_wh)

    def _is_issued(self, device: DeviceRecord, slots: range) -> bool:
        """Whether the chain has a certificate of every slot that there can be one of."""
        kind = CERTIFICATE_KINDS[device.details.kind]
        with self._view.history() as history:
            missing = [slot for slot in slots if CertificateId(slot, device.device, kind) not in history.records]
        return not any(measured_wh(self._store, device.device, self._not_expired(missing)))

    def _issue(self, device: DeviceRecord, slots: range, request: int) -> int:
        self._certifying.check_whole()
        measured = measured_wh(self._store, device.device, slots)
        valid = set(self._not_expired(slots))
        amounts_wh = [wh if slot in valid else 0 for slot, wh in zip(slots, measured, strict=True)]
        left_wh = self._left(device.device, slots, amounts_wh) if device.details.standing else amounts_wh
        self._issuer.issue(device.details, slots.start, left_wh, request=request)
        return sum(amounts_wh)

    def _not_expired(self, slots: Iterable[int]) -> list[int]:
        now, lifetime_s = self._view.now(), self._view.lifetime_s
        return [slot for slot in slots if now < slot + lifetime_s]

    def _left(self, device: int, slots: range, amounts_wh: list[int]) -> list[int]:
        """The amounts of a standing device without those that were certified with their slots."""
        for record in self._store.slots(states=_UNCERTIFIED):
            if record.slot in slots:
                # Issued now, it would be issued once more with its slot, which then could not go on.
                raise TooEarlyRequestError(f"slot {record.slot} is not certified yet, and device {device} with it")
        for correction in self._store.open_corrections():
            if correction.evidence.device == device and correction.evidence.slot in slots:
                # It puts on chain what the slot was delivered with first: without that, by how much it was wrong
                # would not be known there.
                raise TooEarlyRequestError(
                    f"a correction of device {device} in slot {correction.evidence.slot} is not followed yet"
                )
        return [
            0 if self._is_certified(device, slot) else amount_wh
            for slot, amount_wh in zip(slots, amounts_wh, strict=True)
        ]

    def _is_certified(self, device: int, slot: int) -> bool:
        certified = self._store.certified(slot)
        issued = [each.device for each in certified.issuances]
        return device in issued or device in [each.device for each in certified.consumptions]

    def _reissue(self, certificate: CertificateId, corrected_wh: int) -> CertificateId:
        with self._view.history() as history:
            shares = shares_of(history, certificate, corrected_wh)
        return self._issuer.reissue(certificate, corrected_wh, shares)

    def _issue_again(self, of: dict[str, Any]) -> None:
        device = self._store.device(of["device"])
        assert device is not None  # noqa: S101 - the step's own device, which stays
        self._issuer.issue(device.details, of["first_slot"], of["amounts"], request=of["request"])


def _slots(device: DeviceRecord, first_slot: int, last_slot: int) -> range:
    return range(first_slot, last_slot + 1, device.details.slot_length_s)


def measured_wh(store: Store, device: int, slots: Iterable[int]) -> list[int]:
    """What a device was measured with in each of these slots.

    Raises:
        MissingEvidenceError: a slot has no reading, or a substitute value.
    """
    found = []
    for slot in slots:
        record = store.reading(device, slot)
        if record is None or record.evidence.quality is not Quality.MEASURED:
            what = "no reading" if record is None else "a substitute value"
            raise MissingEvidenceError(f"device {device} has {what} of slot {slot}: must have been measured")
        found.append(record.energy_wh)
    return found
