"""The issuer's part beside the certification of slots: corrections, imports, requests, and what days rest on.

Each is a step: its intent is written down first, and it is done when the contract's state shows it, its event is
in a block and the issuer's nonce is used. So all of it can be repeated, whatever was killed on the way.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eth_hash.auto import keccak

from ledger import merkle
from ledger.abi import Contract
from ledger.certificates.actions import check_serial
from ledger.certificates.days import DAY_S, Day
from ledger.certificates.ids import CertificateId
from ledger.chain import ZERO_ADDRESS
from ledger.deployment import Contracts
from ledger.devices import Device
from ledger.keys import Key
from ledger.metered import CERTIFICATE_KINDS
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

MAX_REASON_BYTES = 128
MAX_AMOUNT_WH = 2**31 - 1
MAX_ANCHORS = 256
MAX_ISSUED_SLOTS = 100
"""Most anchors, and slots of one device, in one transaction; more are sent in several."""


class IssuerError(WattbookError):
    """What the issuer is to do has a field outside its limits."""

    code = "certificates.issuer"


class AlreadyOtherwiseError(WattbookError):
    """It was done before, in another way, and for good."""

    code = "certificates.already_otherwise"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a device's evidence of a day comes to: the root of its tree, and its number of leaves."""

    device: int
    root: bytes
    leaves: int

    @property
    def commitment(self) -> bytes:
        """What the Devices contract keeps of it."""
        return merkle.commitment(self.root, self.leaves)


@dataclass(frozen=True, slots=True)
class Import:
    """A certificate that another registry has retired, to be issued here.

    Attributes:
        registry, serial: which one it is, there.
        to: who is to hold it.
        area: number of the area where it was generated.
        slot, slot_length_s: when, Unix seconds UTC.
        technology, fuel: digits of its EECS codes.
    """

    registry: str
    serial: str
    to: bytes
    area: int
    slot: int
    slot_length_s: int
    amount_wh: int
    technology: int
    fuel: int


@dataclass(frozen=True, slots=True)
class Share:
    """What an account gets of a certificate that is issued anew, Wh, instead of its owner."""

    account: bytes
    amount_wh: int


class Issuer:
    """Acts for the issuer. Every step can be repeated.

    Args:
        market: the one that the journal's intents are kept for.
    """

    def __init__(self, contracts: Contracts, market: bytes, issuer: Key, stepper: Stepper) -> None:
        self._devices = contracts.devices
        self._issuance = contracts.issuance
        self._certificates = contracts.certificates
        self._market = market
        self._issuer = issuer
        self._stepper = stepper

    # Corrections

    def withdraw(self, certificate: CertificateId, reason: str) -> None:
        """Freeze what is not retired of a certificate, because it should not have been issued as it was.

        Raises:
            IssuerError: the reason is empty or too long.
            CallRevertedError: the contract refuses, e.g. as nothing was issued under this id.
        """
        _check_text("reason", reason, MAX_REASON_BYTES)
        self._run(
            self._certificates,
            certificate.slot,
            f"withdraw-{int(certificate):x}",
            event=("Withdrawn", int(certificate)),
            is_done=lambda: bool(self._record(certificate)["withdrawn"]),
            call=lambda: ("withdraw", int(certificate), reason),
        )

    def reissue(
        self, certificate: CertificateId, corrected_wh: int, shares: Sequence[Share] = ()
    ) -> CertificateId:
        """Issue a withdrawn certificate anew, for what should have been issued, to its owner; returns the new one.

        What was retired of the old one stays retired, and what is missing for it is a debt of the device.

        Args:
            certificate: the withdrawn one.
            corrected_wh: what should have been issued.
            shares: who gets what of the new one instead of its owner, by ascending account; see `shares`.

        Raises:
            IssuerError: the amount is outside its limits.
            AlreadyOtherwiseError: it was issued anew for another amount.
            CertificateIdError: it was corrected as often as it can be.
            CallRevertedError: the contract refuses, e.g. as it is not withdrawn.
        """
        _check_number("corrected_wh", corrected_wh, 0, MAX_AMOUNT_WH)
        corrected = certificate.next_revision
        self._run(
            self._issuance,
            certificate.slot,
            f"reissue-{int(certificate):x}",
            event=("Reissued", int(corrected)),
            is_done=lambda: bool(self._record(corrected)["exists"]),
            call=lambda: ("reissue", int(certificate), corrected_wh, [asdict(each) for each in shares]),
        )
        event = self._issuance.latest_event("Reissued", topics=[_topic(int(corrected))])
        if event is not None and event.arguments["corrected_wh"] != corrected_wh:
            raise AlreadyOtherwiseError(
                f"certificate {int(corrected):#x} is issued for {event.arguments['corrected_wh']} Wh metered, "
                f"not {corrected_wh}: only the next revision can be"
            )
        return corrected

    # Other registries

    def import_certificate(self, details: Import) -> CertificateId:
        """Issue what another registry has retired; returns its id here.

        Raises:
            IssuerError: a field is outside its limits.
            ActionError: registry or serial number are.
            CallRevertedError: the contract refuses.
        """
        check_serial("import", details.registry, details.serial)
        _check_number("amount_wh", details.amount_wh, 1, MAX_AMOUNT_WH)
        known = self._imported(details)
        serial = keccak(keccak(details.registry.encode()) + keccak(details.serial.encode()))
        self._run(
            self._issuance,
            details.slot,
            f"import-{serial.hex()[:32]}",
            event=("Imported", *([known] if known else [])),
            is_done=lambda: self._imported(details) != 0,
            call=lambda: ("import_certificate", asdict(details)),
        )
        return CertificateId.of(self._imported(details))

    # Requests, and what is issued for them

    def decide(self, number: int, *, approved: bool, reason: str) -> None:
        """Approve or refuse a request for certificates.

        Raises:
            IssuerError: the reason is too long.
            AlreadyOtherwiseError: it was decided the other way.
            CallRevertedError: there is no such request.
        """
        if approved:
            _check_length("reason", reason, MAX_REASON_BYTES)
        else:
            _check_text("reason", reason, MAX_REASON_BYTES)
        self._run(
            self._devices,
            self._devices.read("request_of", number)["first_slot"],
            f"decide-{number}",
            event=("RequestDecided", number),
            is_done=lambda: bool(self._devices.read("request_of", number)["decided"]),
            call=lambda: ("decide", number, approved, reason),
        )
        if self._devices.read("request_of", number)["approved"] != approved:
            raise AlreadyOtherwiseError(f"request {number} is {'refused' if approved else 'approved'} for good")

    def issue(self, device: Device, first_slot: int, amounts_wh: Sequence[int], *, request: int = 0) -> None:
        """Issue certificates of a generator's or load's consecutive slots.

        Slots of 0 Wh, and slots that are certified already, are passed over.

        Args:
            device: as it is registered.
            first_slot: start of the first slot.
            amounts_wh: what was metered in each slot, from the first on.
            request: the owner's approved request; 0 for a device with a standing one.

        Raises:
            IssuerError: an amount is outside its limits.
            CallRevertedError: the contract refuses, e.g. as the request does not cover a slot.
        """
        for amount_wh in amounts_wh:
            _check_number("amounts_wh", amount_wh, 0, MAX_AMOUNT_WH)
        for start in range(0, len(amounts_wh), MAX_ISSUED_SLOTS):
            amounts = list(amounts_wh[start : start + MAX_ISSUED_SLOTS])
            if any(amounts):
                self._issue(device, first_slot + start * device.slot_length_s, amounts, request)

    # Days

    def anchor(self, day: int, anchors: Sequence[Anchor]) -> None:
        """Anchor the evidence of a day, for each of these devices, in place of what it was anchored to before.

        Raises:
            IssuerError: there are none, or one without leaves.
            CallRevertedError: the contract refuses, e.g. as the day is not over.
        """
        _check_number("anchors", len(anchors), 1, MAX_ANCHORS)
        for each in anchors:
            _check_number("leaves", each.leaves, 1, 2**256 - 1)
        by_device = {each.device: each.commitment for each in anchors}
        digest = keccak(b"".join(device.to_bytes(8, "big") + by_device[device] for device in sorted(by_device)))
        self._run(
            self._devices,
            day * DAY_S,
            f"anchor-{digest.hex()[:32]}",
            event=("Anchored", anchors[0].device, day),
            is_done=lambda: all(
                self._devices.read("anchor_of", device, day) == commitment
                for device, commitment in by_device.items()
            ),
            call=lambda: ("anchor", day, [asdict(each) for each in anchors]),
        )

    def commit_day(self, day: Day) -> None:
        """Commit to what all devices of the market generated in a day, to be minted later.

        Raises:
            AlreadyOtherwiseError: another root is committed to.
            CallRevertedError: the contract refuses, e.g. as the day is not over.
        """
        committed = self._committed(day.day)
        if committed is None or committed == day.root:
            self._run(
                self._issuance,
                day.day * DAY_S,
                "commit-day",
                event=("DayCommitted", self._market, day.day),
                is_done=lambda: self._committed(day.day) is not None,
                call=lambda: ("commit_day", self._market, day.day, day.root, day.leaves, day.total_wh),
            )
            committed = self._committed(day.day)
        if committed != day.root:
            raise AlreadyOtherwiseError(f"day {day.day} is committed to another root, for good")

    # What the contracts say, and how steps are taken

    def _record(self, certificate: CertificateId) -> dict[str, Any]:
        record: dict[str, Any] = self._certificates.read("state_of", int(certificate))
        return record

    def _imported(self, details: Import) -> int:
        token_id: int = self._issuance.read("import_of", details.registry, details.serial)
        return token_id

    def _committed(self, day: int) -> bytes | None:
        found = self._issuance.read("day_of", self._market, day)
        return found["root"] if found["leaves"] else None

    def _issue(self, device: Device, first_slot: int, amounts_wh: list[int], request: int) -> None:
        """Issue slots that one transaction has room for; some are not 0 Wh."""
        length = device.slot_length_s
        issued = [
            CertificateId(first_slot + place * length, device.device, CERTIFICATE_KINDS[device.kind])
            for place, amount_wh in enumerate(amounts_wh)
            if amount_wh
        ]
        self._run(
            self._issuance,
            first_slot,
            # All that tells one from another that begins with the same slot: they may overlap.
            f"issue-{device.device}-{request}-{len(amounts_wh)}",
            event=("TransferBatch", self._issuance.address, ZERO_ADDRESS, device.owner),
            emitter=self._certificates,
            is_done=lambda: all(self._record(each)["exists"] for each in issued),
            call=lambda: ("issue", request, device.device, first_slot, self._left(issued, amounts_wh)),
        )

    def _left(self, issued: Sequence[CertificateId], amounts_wh: Sequence[int]) -> list[int]:
        """The amounts without those that are certified already, which the contract refuses."""
        certificates = iter(issued)
        return [
            0 if amount_wh and self._record(next(certificates))["exists"] else amount_wh
            for amount_wh in amounts_wh
        ]

    def _run(
        self,
        contract: Contract,
        slot: int,
        name: str,
        *,
        event: tuple[object, ...],
        is_done: Callable[[], bool],
        call: Callable[[], tuple[object, ...]],
        emitter: Contract | None = None,
    ) -> None:
        """Take a step.

        `event` is the name of the one that tells of it, and the values of its first indexed fields; `call` tells
        the name of the function, and its arguments. `emitter` logs the event, if the called `contract` does not.
        """
        logging = emitter or contract
        title, *values = event

        def calldata() -> bytes:
            function, *arguments = call()
            return contract.interface.call(str(function), *arguments)

        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name=name,
                key=self._issuer,
                to=contract.address,
                event=logging.interface.topic(str(title)),
                emitter=logging.address,
                topics=tuple(_topic(value) for value in values),
                names_slot=False,
                is_done=is_done,
                calldata=calldata,
            )
        )


def _topic(value: object) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else int(str(value)).to_bytes(32, "big")


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise IssuerError(f"certificate field '{name}' is {value}: must be from {least} to {most}")


def _check_text(name: str, text: str, most: int) -> None:
    if not text.strip():
        raise IssuerError(f"certificate field '{name}' is empty: must say why, in up to {most} bytes")
    _check_length(name, text, most)


def _check_length(name: str, text: str, most: int) -> None:
    if len(text.encode()) > most:
        raise IssuerError(f"certificate field '{name}' has {len(text.encode())} bytes: must have at most {most}")
