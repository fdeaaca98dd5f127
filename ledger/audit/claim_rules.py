"""Replays claims: what certificates were retired for, and that no consumption is covered twice."""

from collections.abc import Callable

from ledger.audit.device_rules import ISSUER
from ledger.audit.guarantees import Title, kind_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.rulebook import Handler
from ledger.audit.transaction_notes import CertificateBook
from ledger.certificates.claims import ClaimError, Purpose, Topic, claim_of, consumption_of
from ledger.certificates.ids import CertificateKind
from ledger.devices import DeviceKind

_AGAINST_CONSUMPTION = (Topic.MATCHED, Topic.SELF_CONSUMED, Topic.STORED)


class ClaimRules(CertificateBook):
    """Applies ERC-1888's claims, and exports."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"ClaimSingle": self._claimed, "ClaimBatch": self._claimed_batch, "Exported": self._exported}

    def _claimed(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        names = ("topic", "id", "value", "claimData")
        self._claim(occurrence, *(arguments[name] for name in names))

    def _claimed_batch(self, occurrence: Occurrence) -> None:
        """All certificates of a batch are claimed in one way, which stands there once."""
        arguments = occurrence.event.arguments
        ways = list(zip(arguments["topics"], arguments["claimData"], strict=False))
        where = f"claims in block {occurrence.block}"
        self.findings.require("claim.data", where, len(ways) == 1, expected="one topic and its data", found=ways)
        for topic, data in ways[:1]:
            for certificate, amount_wh in zip(arguments["ids"], arguments["values"], strict=False):
                self._claim(occurrence, topic, certificate, amount_wh, data)

    def _claim(self, occurrence: Occurrence, topic: int, certificate: int, amount_wh: int, data: bytes) -> None:
        subject, where = occurrence.event.arguments["claimSubject"], f"claim of certificate {certificate:#x}"
        issuer = self.guarantees.roles.get(ISSUER)
        if issuer is not None:
            found = occurrence.event.arguments["claimIssuer"]
            self.findings.check("claim.issuer", where, expected=issuer, found=found)
        self.notes.burnt[certificate] -= amount_wh
        state = self.guarantees.certificate(certificate)
        if state is not None:
            state.retired_wh[subject] = state.retired_wh.get(subject, 0) + amount_wh
        if topic in _AGAINST_CONSUMPTION:
            sink = self._read(where, lambda: consumption_of(data))
            if sink is not None:
                self._against_consumption(subject, topic, certificate, sink, amount_wh)
        elif topic == Topic.EXPORTED:
            self.notes.exported[certificate] += amount_wh
        elif topic == Topic.RETIRED:
            purpose = self._read(where, lambda: claim_of(data, subject).purpose)
            self.findings.require(
                "claim.data", where, purpose in list(Purpose), expected="a purpose that we know", found=purpose
            )
        else:
            self.findings.require("claim.topic", where, False, expected="a topic that we know", found=topic)

    def _read(self, where: str, read: Callable[[], int]) -> int | None:
        try:
            return read()
        except ClaimError as error:
            self.findings.require("claim.data", where, False, expected="a claim's data", found=error)
            return None

    def _against_consumption(
        self, subject: bytes, topic: int, certificate: int, sink: int, amount_wh: int
    ) -> None:
        where = f"claim of certificate {certificate:#x}"
        self.notes.burnt[sink] -= amount_wh
        self.notes.matched[certificate, sink] += amount_wh
        source_title, title = self.guarantees.title(certificate), self.guarantees.title(sink)
        is_consumption = kind_of(sink) == CertificateKind.CONSUMPTION and self.guarantees.was_issued(sink)
        self.findings.require(
            "claim.data", where, is_consumption, expected="an issued consumption", found=f"{sink:#x}"
        )
        if title is None or source_title is None:
            return
        self.findings.check("claim.subject", where, expected=title.owner, found=subject)
        self._check_fit(where, certificate, source_title, sink, title)
        self._check_topic(where, topic, certificate, source_title, title)
        if title.kind is DeviceKind.CHARGE:
            storage = self.guarantees.devices[sink >> 72 & 2**64 - 1].device.storage
            self.notes.stored[storage, certificate] += amount_wh

    def _check_fit(self, where: str, source: int, source_title: Title, sink: int, title: Title) -> None:
        self.findings.check(
            "claim.slot", where, expected=(slot_of(sink), title.slot_length_s),
            found=(slot_of(source), source_title.slot_length_s),
        )  # fmt: skip
        self.findings.require(
            "claim.zone", where, self.guarantees.same_zone(source_title.area, title.area),
            expected=f"the zone of area {title.area}", found=f"area {source_title.area}",
        )  # fmt: skip

    def _check_topic(self, where: str, topic: int, source: int, source_title: Title, title: Title) -> None:
        is_own = title.owner == source_title.owner and kind_of(source) != CertificateKind.IMPORTED
        if topic == Topic.SELF_CONSUMED:
            self.findings.require(
                "claim.self", where, is_own, expected="generation and consumption of one owner",
                found="of two, or an import",
            )  # fmt: skip
        own_topic = Topic.SELF_CONSUMED if is_own else Topic.MATCHED
        expected = Topic.STORED if title.kind is DeviceKind.CHARGE else own_topic
        self.findings.check("claim.topic", where, expected=int(expected), found=topic)

    def _exported(self, occurrence: Occurrence) -> None:
        holder, registry, serial, ids, amounts = (
            occurrence.event.arguments[name] for name in ("holder", "registry", "serial", "ids", "amounts")
        )
        where, name = f"export {serial} to {registry}", f"{holder.hex()}\n{registry}\n{serial}"
        serials = self.guarantees.export_serials
        self.findings.require(
            "export.serial", where, name not in serials, expected="a serial number once", found="again"
        )
        serials.append(name)
        for certificate, amount_wh in zip(ids, amounts, strict=True):
            self.notes.exported[certificate] -= amount_wh
