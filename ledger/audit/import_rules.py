"""Replays imports: each of another registry's serial numbers once, for what it says."""

from ledger.audit.device_rules import ISSUER
from ledger.audit.guarantees import ImportModel, device_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.rulebook import Handler
from ledger.audit.transaction_notes import CertificateBook


class ImportRules(CertificateBook):
    """Applies imports in chain order."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"Imported": self._imported}

    def _imported(self, occurrence: Occurrence) -> None:
        certificate, details = (occurrence.event.arguments[name] for name in ("id", "details"))
        guarantees, where = self.guarantees, f"import of {details['serial']} from {details['registry']}"
        self.check_sender("import.issuer", where, occurrence, guarantees.roles.get(ISSUER))
        name = f"{details['registry']}\n{details['serial']}"
        self.findings.require(
            "import.serial", where, name not in guarantees.import_serials, expected="a serial number once",
            found="again",
        )  # fmt: skip
        guarantees.import_serials[name] = certificate
        number = len(guarantees.imports) + 1
        self.findings.check("import.number", where, expected=number, found=device_of(certificate))
        area = guarantees.area(details["area"])
        self.findings.require(
            "import.area", where, area is not None, expected="a known area", found=details["area"]
        )
        state = guarantees.certificates.get(certificate)
        issued = (slot_of(certificate), state and state.owner, self.notes.issued.pop(certificate, None))
        expected = (details["slot"], details["to"], details["amount_wh"])
        self.findings.check("import.issued", where, expected=expected, found=issued)
        length_s = details["slot_length_s"]
        is_over = occurrence.timestamp >= details["slot"] + length_s
        self.findings.require(
            "certificate.slot", where, details["slot"] % length_s == 0 and is_over, expected="a slot that is over",
            found=details["slot"],
        )  # fmt: skip
        guarantees.imports[number] = ImportModel(details["to"], details["area"], length_s)
