"""Replays corrections: certificates withdrawn and issued anew, and what devices owe as too much was retired."""

from ledger.audit.device_rules import ISSUER
from ledger.audit.guarantees import CertificateModel, Title, device_of, first_revision, kind_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.holding_rules import check_nameplate
from ledger.audit.rulebook import Handler, hexed
from ledger.audit.transaction_notes import CertificateBook
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.shares import divided
from ledger.metered import CERTIFICATE_KINDS


class CorrectionRules(CertificateBook):
    """Applies withdrawals, new issuances, and debts paid."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"Withdrawn": self._withdrawn, "Reissued": self._reissued, "DebtPaid": self._debt_paid}

    def _withdrawn(self, occurrence: Occurrence) -> None:
        certificate, frozen_wh = (occurrence.event.arguments[name] for name in ("id", "frozen_wh"))
        guarantees, where = self.guarantees, f"certificate {certificate:#x}"
        self.check_sender("correct.issuer", where, occurrence, guarantees.roles.get(ISSUER))
        self.check_lifetime(certificate, slot_of(certificate), occurrence)
        state = guarantees.certificate(certificate)
        is_valid = state is not None and not state.is_withdrawn
        self.findings.require(
            "correct.withdrawn", where, is_valid, expected="a certificate that is not withdrawn", found="none"
        )
        if state is not None:
            left_wh = state.issued_wh - state.all_retired_wh
            self.findings.check("correct.frozen", where, expected=left_wh, found=frozen_wh)
            state.is_withdrawn = True
        if kind_of(certificate) != CertificateKind.IMPORTED:
            guarantees.debts_since_wh[certificate] = [guarantees.debts_wh.get(device_of(certificate), 0)]

    def _reissued(self, occurrence: Occurrence) -> None:
        """The right amount, less what was retired of all former revisions or given for debts."""
        certificate, corrected_wh, issued_wh, shortfall_wh = (
            occurrence.event.arguments[name] for name in ("id", "corrected_wh", "issued_wh", "shortfall_wh")
        )
        guarantees, where, first = self.guarantees, f"certificate {certificate:#x}", first_revision(certificate)
        self.check_sender("correct.issuer", where, occurrence, guarantees.roles.get(ISSUER))
        state, former = guarantees.certificates.get(certificate), guarantees.certificates.get(certificate - 1)
        issued_for_wh = self.notes.issued.pop(certificate, None)
        self.findings.check("correct.issued", where, expected=state and state.issued_wh, found=issued_wh)
        if state is None or former is None or issued_for_wh is None:
            return
        title = guarantees.title(certificate)
        if title is not None:
            self._check_corrected(certificate, title, corrected_wh)
        self._check_shares(certificate, state, former, issued_for_wh)
        paid_wh = issued_for_wh - state.issued_wh
        gone_wh = guarantees.gone_wh.get(first, 0) - paid_wh
        if kind_of(certificate) == CertificateKind.STORED:
            # Its lots are used up as they were.
            most_wh = former.issued_wh + gone_wh
            self.findings.require(
                "correct.stored", where, corrected_wh <= most_wh, expected=f"at most {most_wh} Wh",
                found=corrected_wh,
            )  # fmt: skip
            state.metered_wh = former.metered_wh
        else:
            state.metered_wh = corrected_wh
        gone_wh += former.all_retired_wh
        owed_wh = max(gone_wh - corrected_wh, 0)
        self.findings.check(
            "correct.amount", where, expected=corrected_wh + owed_wh - gone_wh, found=issued_for_wh
        )
        self.findings.check("correct.shortfall", where, expected=owed_wh, found=shortfall_wh)
        if owed_wh:
            number = device_of(certificate)
            guarantees.owes(number, guarantees.debts_wh.get(number, 0) + owed_wh)
        guarantees.gone_wh[first] = gone_wh - owed_wh + paid_wh

    def _check_shares(
        self, certificate: int, state: CertificateModel, former: CertificateModel, issued_for_wh: int
    ) -> None:
        """What is issued anew goes to whoever held what is withdrawn, its owner last.

        Shares are reckoned before the call is sent, by what the device owes at that time. Until it is in a block,
        anybody may mint, which pays of it; what is then issued beyond the shares is the owner's.
        """
        where, owner = f"certificate {certificate:#x}", state.owner
        found = {
            to: amount_wh
            for (moved, holder, to), amount_wh in self.notes.handed.items()
            if (moved, holder) == (certificate, owner)
        }
        for to, amount_wh in found.items():
            del self.notes.handed[certificate, owner, to]
            held_wh = former.held_wh.get(to, 0)
            self.findings.require(
                "correct.held", where, amount_wh <= held_wh,
                expected=f"at most {held_wh} Wh, as {hexed(to)} held before", found=amount_wh,
            )  # fmt: skip
        debts_wh = self.guarantees.debts_since_wh.pop(certificate - 1, [])
        if state.issued_wh < issued_for_wh:
            debts_wh = debts_wh[:-1]  # what its own payment left
        due = [max(issued_for_wh - debt_wh, 0) for debt_wh in debts_wh] + [state.issued_wh]
        expected = [_divided(amount_wh, owner, former) for amount_wh in due]
        self.findings.check(
            "correct.shares", where, expected=found if found in expected else expected[-1], found=found
        )

    def _check_corrected(self, certificate: int, title: Title, corrected_wh: int) -> None:
        known = self.guarantees.devices.get(device_of(certificate))
        if known is not None:
            check_nameplate(self.findings, certificate, title, known.device, corrected_wh)

    def _debt_paid(self, occurrence: Occurrence) -> None:
        number, slot, amount_wh = (occurrence.event.arguments[name] for name in ("device", "slot", "amount_wh"))
        guarantees, where = self.guarantees, f"debt of device {number}"
        left_wh = guarantees.debts_wh.get(number, 0) - amount_wh
        self.findings.require("debt.paid", where, left_wh >= 0, expected="no more than it owes", found=amount_wh)
        guarantees.owes(number, left_wh)
        self.notes.paid[number, slot] += amount_wh
        known = guarantees.devices.get(number)
        if known is not None:
            first = int(CertificateId(slot, number, CERTIFICATE_KINDS[known.device.kind]))
            guarantees.gone_wh[first] = guarantees.gone_wh.get(first, 0) + amount_wh


def _divided(issued_wh: int, owner: bytes, former: CertificateModel) -> dict[bytes, int]:
    return {share.account: share.amount_wh for share in divided(issued_wh, owner, former.held_wh)}
