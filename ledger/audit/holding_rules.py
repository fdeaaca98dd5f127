"""Replays what is issued and who holds it: every certificate once, to its device's owner, and never below zero."""

from ledger.audit.findings import Findings
from ledger.audit.guarantees import CertificateModel, Title, device_of, kind_of, revision_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.rulebook import Handler, hexed
from ledger.audit.transaction_notes import CertificateBook
from ledger.certificates.ids import CertificateKind
from ledger.chain import ZERO_ADDRESS
from ledger.devices import Device
from ledger.metered import CERTIFICATE_KINDS

_HOUR_S = 3_600


class HoldingRules(CertificateBook):
    """Applies transfers: from nobody what is issued, to nobody what is retired."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {
            "TransferSingle": self._transferred,
            "TransferBatch": self._transferred_batch,
            "ApprovalForAll": self._approved,
        }

    def _approved(self, occurrence: Occurrence) -> None:
        owner, operator, approved = (
            occurrence.event.arguments[name] for name in ("_owner", "_operator", "_approved")
        )
        known = self.guarantees.approvals.setdefault(owner, [])
        if approved and operator not in known:
            known.append(operator)
        elif not approved and operator in known:
            known.remove(operator)

    def _transferred(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        self._move(occurrence, arguments["_id"], arguments["_value"])

    def _transferred_batch(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        for certificate, amount_wh in zip(arguments["_ids"], arguments["_values"], strict=True):
            self._move(occurrence, certificate, amount_wh)

    def _move(self, occurrence: Occurrence, certificate: int, amount_wh: int) -> None:
        self.check_lifetime(certificate, slot_of(certificate), occurrence)
        if occurrence.event.arguments["_from"] == ZERO_ADDRESS:
            self._issue(occurrence, certificate, amount_wh)
            return
        holder, to = occurrence.event.arguments["_from"], occurrence.event.arguments["_to"]
        where, is_consumption = (
            f"certificate {certificate:#x}",
            kind_of(certificate) == CertificateKind.CONSUMPTION,
        )
        state = self.guarantees.certificate(certificate)
        if state is None:
            self.findings.require(
                "certificate.negative", where, False, expected="something issued", found="nothing"
            )
            return
        self.findings.require(
            "certificate.withdrawn", where, not state.is_withdrawn, expected="nothing after its withdrawal",
            found=f"{amount_wh} Wh moved",
        )  # fmt: skip
        self._check_mover(occurrence, certificate, amount_wh)
        left_wh = state.held_wh.get(holder, 0) - amount_wh
        state.held_wh[holder] = left_wh
        self.findings.require(
            "claim.consumption" if is_consumption else "certificate.negative", where, left_wh >= 0,
            expected="no holding below 0", found=left_wh,
        )  # fmt: skip
        if is_consumption:
            self.findings.check("certificate.consumption", where, expected=ZERO_ADDRESS, found=to)
        if to != ZERO_ADDRESS:
            state.held_wh[to] = state.held_wh.get(to, 0) + amount_wh
            return
        self.notes.burnt[certificate] += amount_wh
        if is_consumption:
            state.retired_wh[holder] = state.retired_wh.get(holder, 0) + amount_wh

    def _check_mover(self, occurrence: Occurrence, certificate: int, amount_wh: int) -> None:
        """Its holder, or whom that lets; or Issuance, in a certification, whose rules then check it."""
        operator, holder, to = (occurrence.event.arguments[name] for name in ("_operator", "_from", "_to"))
        if operator == holder or operator in self.guarantees.approvals.get(holder, []):
            return
        if operator == self.calls.addresses["issuance"]:
            if kind_of(certificate) != CertificateKind.CONSUMPTION:
                self.notes.handed[certificate, holder, to] += amount_wh
            return
        self.findings.require(
            "certificate.mover", f"certificate {certificate:#x}", False,
            expected=f"{hexed(holder)}, or whom that approved", found=operator,
        )  # fmt: skip

    # Issuance

    def _issue(self, occurrence: Occurrence, certificate: int, amount_wh: int) -> None:
        guarantees, where = self.guarantees, f"certificate {certificate:#x}"
        to, number, slot = occurrence.event.arguments["_to"], device_of(certificate), slot_of(certificate)
        self.findings.require(
            "certificate.once", where, not guarantees.was_issued(certificate), expected="nothing issued before",
            found="another issuance",
        )  # fmt: skip
        issued_for_wh = amount_wh
        if kind_of(certificate) != CertificateKind.IMPORTED:
            issued_for_wh += self.notes.paid.pop((number, slot), 0)
            owed_wh = guarantees.debts_wh.get(number, 0)
            self.findings.require(
                "debt.first", where, not amount_wh or not owed_wh, expected="debts paid first",
                found=f"{owed_wh} Wh owed",
            )  # fmt: skip
            self._check_device(occurrence, certificate, to)
        if revision_of(certificate):
            self._check_revision(certificate)
        elif kind_of(certificate) != CertificateKind.IMPORTED:
            issued_for_wh = self._metered(certificate, issued_for_wh)
            self._check_metered(certificate, issued_for_wh)
        state = guarantees.certificate(certificate) or CertificateModel(to, 0, issued_for_wh)
        state.issued_wh += amount_wh
        state.held_wh[to] = state.held_wh.get(to, 0) + amount_wh
        guarantees.certificates[certificate] = state
        self.notes.issued[certificate] = issued_for_wh

    def _check_revision(self, certificate: int) -> None:
        former = self.guarantees.certificates.get(certificate - 1)
        is_next = former is not None and former.is_withdrawn
        self.findings.require(
            "certificate.revision", f"certificate {certificate:#x}",
            is_next and kind_of(certificate) != CertificateKind.IMPORTED,
            expected="a withdrawn certificate before it", found="none",
        )  # fmt: skip

    def _metered(self, certificate: int, issued_for_wh: int) -> int:
        """What the meter counted: of a discharge more than it is issued for, if some of it has no origin."""
        if kind_of(certificate) != CertificateKind.STORED:
            return issued_for_wh
        metered_wh, certified_wh = self.notes.discharged.pop(certificate, (issued_for_wh, None))
        self.findings.check(
            "lots.certified", f"certificate {certificate:#x}", expected=certified_wh, found=issued_for_wh
        )
        return metered_wh

    def _check_device(self, occurrence: Occurrence, certificate: int, to: bytes) -> None:
        title, where, slot = (
            self.guarantees.title(certificate),
            f"certificate {certificate:#x}",
            slot_of(certificate),
        )
        self.findings.check("certificate.device", where, expected=title and title.owner, found=to)
        if title is None or title.kind is None:
            return
        kind = CERTIFICATE_KINDS[title.kind]
        self.findings.check("certificate.kind", where, expected=int(kind), found=kind_of(certificate))
        self.findings.require(
            "certificate.slot", where,
            slot % title.slot_length_s == 0 and occurrence.timestamp >= slot + title.slot_length_s,
            expected="a slot that is over", found=slot,
        )  # fmt: skip
        self.findings.require(
            "certificate.period", where, self.guarantees.devices[device_of(certificate)].is_in_use(slot),
            expected="a device that is in use", found=f"slot {slot}",
        )  # fmt: skip

    def _check_metered(self, certificate: int, metered_wh: int) -> None:
        """The nameplate's limit, and that nobody's devices together give or take more than was delivered."""
        title, known = self.guarantees.title(certificate), self.guarantees.devices.get(device_of(certificate))
        if title is None or known is None:
            return
        check_nameplate(self.findings, certificate, title, known.device, metered_wh)
        market = self.guarantees.market_of(device_of(certificate)) or b""
        left = self.guarantees.metered_wh.get((market, slot_of(certificate)))
        if left is None:
            return
        is_consumption = kind_of(certificate) == CertificateKind.CONSUMPTION
        account = left.setdefault(title.owner, [0, 0])
        account[not is_consumption] -= metered_wh
        beyond_wh = min(-account[not is_consumption], metered_wh)
        if beyond_wh > 0:
            self.notes.beyond[certificate] = beyond_wh


def check_nameplate(findings: Findings, certificate: int, title: Title, device: Device, metered_wh: int) -> None:
    """No device does more than it can; loads may have no limit."""
    most_wh = device.nameplate_w * title.slot_length_s // _HOUR_S
    findings.require(
        "certificate.nameplate", f"certificate {certificate:#x}", not device.nameplate_w or metered_wh <= most_wh,
        expected=f"at most {most_wh} Wh", found=metered_wh,
    )  # fmt: skip
