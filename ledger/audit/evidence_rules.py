"""Checks evidence against the chain: anchors, signatures, keys, and that what was issued is what it shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ledger import merkle
from ledger.audit.evidence_files import EvidenceFiles, PublicKeys
from ledger.audit.findings import Findings
from ledger.audit.guarantees import DAY_S, Guarantees, device_of, kind_of, revision_of, slot_of
from ledger.certificates.ids import CertificateKind
from ledger.evidence.compact import of_reading
from ledger.evidence.errors import SignatureError
from ledger.evidence.evidence import MWH_PER_WH, Count, DeviceTerms, Evidence, Statement
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.evidence.ocmf import parse
from ledger.evidence.ocmf_slots import Progress, extend
from ledger.evidence.substitutes import SignedSubstitute, Substitute, of_substitute
from ledger.evidence.tree import day_of, leaf
from matching.errors import WattbookError
from matching.readings import Reading, SignedReading


@dataclass
class _Day:
    """A device's day: leaves and energies by slot."""

    leaves: dict[int, bytes] = field(default_factory=dict)
    energies_wh: dict[int, int] = field(default_factory=dict)


class EvidenceRules:
    """Checks all evidence that is there against what a history leads to.

    Args:
        forgotten_wh: by id, what expired certificates were issued for.
    """

    def __init__(
        self, chain_id: int, guarantees: Guarantees, forgotten_wh: Mapping[int, int], findings: Findings
    ) -> None:
        self._chain_id = chain_id
        self._guarantees = guarantees
        self._forgotten_wh = forgotten_wh
        self._findings = findings
        self._days: dict[tuple[int, int], _Day] = {}
        self._devices_of_source: dict[bytes, int] = {}

    def check(self, files: EvidenceFiles) -> None:
        """Check each piece by itself, then the anchors of the devices that there is evidence of, then amounts."""
        meters = {(key.algorithm, key.on_chain): key for key in files.keys.meters}
        for piece in files.evidence:
            self._check_piece(piece, meters, files.keys)
        self._check_anchors()
        self._check_amounts()

    # Piece by piece

    def _check_piece(
        self, piece: Evidence, meters: Mapping[tuple[KeyAlgorithm, bytes], MeterKey], keys: PublicKeys
    ) -> None:
        where = f"evidence of device {piece.device}, slot {piece.slot}"
        day = self._days.setdefault((piece.device, day_of(piece.slot)), _Day())
        # One message may be evidence of several slots, of one meter.
        user = self._devices_of_source.setdefault(piece.source_hash, piece.device)
        self._findings.require(
            "evidence.once", where, piece.slot not in day.leaves and user == piece.device,
            expected="evidence that is used once", found=f"evidence of device {user} too",
        )  # fmt: skip
        day.leaves[piece.slot] = leaf(piece)
        day.energies_wh[piece.slot] = piece.energy_wh
        self._check_reading(where, piece, keys.authority)
        for statement in piece.statements:
            key = self._key(piece, statement, meters, keys.authority)
            if key is None:
                self._findings.require(
                    "evidence.key", where, False, expected="a key that is valid, and known", found="none"
                )
            else:
                self._check_signature(where, statement, key)

    def _check_reading(self, where: str, piece: Evidence, authority: MeterKeys) -> None:
        """What is read from the statements anew is this evidence."""
        try:
            found = list(self._read_again(piece, authority))
        except WattbookError as error:
            self._findings.require("evidence.reading", where, False, expected="what was signed", found=error)
            return
        sources = [each.source for each in piece.statements]
        is_read = any(each == piece and [said.source for said in each.statements] == sources for each in found)
        # A pause of an OCMF meter ends with a reading that by itself says nothing of the slots before.
        is_read = is_read or (not found and piece.energy_wh == 0)
        self._findings.require(
            "evidence.reading",
            where,
            is_read,
            expected="what was signed",
            found=[each.energy_wh for each in found],
        )

    def _read_again(self, piece: Evidence, authority: MeterKeys) -> Iterator[Evidence]:
        known = self._guarantees.devices.get(piece.device)
        basis, first = piece.basis, piece.statements[0]
        terms = DeviceTerms(
            chain_id=self._chain_id,
            market=self._guarantees.market_of(piece.device) or bytes(32),
            device=piece.device,
            slot_length_s=known.device.slot_length_s if known else 1,
            nameplate_w=0,
            keys=MeterKeys(()),
            authority=authority,
            register=basis.register if isinstance(basis, Count) else None,
        )
        about = (terms.chain_id, terms.market, piece.device, piece.slot, piece.energy_wh)
        if not isinstance(basis, Count):
            value = Substitute(*about, basis.method, basis.reason)
            yield of_substitute(SignedSubstitute(value, first.signature), terms)
        elif basis.register is None:
            reading = Reading(*about, basis.register_mwh // MWH_PER_WH, basis.sequence)
            yield of_reading(SignedReading(reading, first.signature), terms)
        else:
            progress = Progress()
            for statement in piece.statements:
                progress, complete = extend(progress, parse(statement.source), terms)
                yield from (each for each in complete if each.slot == piece.slot)

    def _key(
        self,
        piece: Evidence,
        statement: Statement,
        meters: Mapping[tuple[KeyAlgorithm, bytes], MeterKey],
        authority: MeterKeys,
    ) -> MeterKey | None:
        if not isinstance(piece.basis, Count):
            return authority.at(statement.made_at)
        known = self._guarantees.devices.get(piece.device)
        on_chain = known.key_at(statement.made_at) if known else None
        if on_chain is None or on_chain.algorithm is not statement.algorithm:
            return None
        if on_chain.algorithm is KeyAlgorithm.ED25519:
            return MeterKey(on_chain.algorithm, on_chain.key)
        return meters.get((on_chain.algorithm, on_chain.key))

    def _check_signature(self, where: str, statement: Statement, key: MeterKey) -> None:
        found: SignatureError | None = None
        try:
            key.verify(statement.message, statement.signature, statement.digest)
        except SignatureError as error:
            found = error
        self._findings.check("evidence.signature", where, expected=None, found=found)

    # All together

    def _check_anchors(self) -> None:
        devices = {device for device, _ in self._days}
        for (device, number), anchor in self._guarantees.anchors.items():
            if device in devices:
                day, where = self._days.get((device, number), _Day()), f"day {number} of device {device}"
                leaves = [day.leaves[slot] for slot in sorted(day.leaves)]
                self._findings.check("evidence.leaves", where, expected=anchor.leaves, found=len(leaves))
                self._findings.check("evidence.root", where, expected=anchor.root, found=merkle.root(leaves))

    def _check_amounts(self) -> None:
        """On days that there is evidence of, each device's last word on a slot is what its evidence shows."""
        for certificate, metered_wh in sorted(self._last_revisions().items()):
            key = (device_of(certificate), slot_of(certificate) // DAY_S)
            is_corrected_discharge = kind_of(certificate) == CertificateKind.STORED and revision_of(certificate)
            if key in self._days and not is_corrected_discharge:
                shown_wh = self._days[key].energies_wh.get(slot_of(certificate))
                where = f"certificate {certificate:#x}"
                self._findings.check("evidence.amount", where, expected=shown_wh, found=metered_wh)

    def _last_revisions(self) -> dict[int, int]:
        """What each slot of each device was issued for at last, by id."""
        guarantees = self._guarantees
        issued = dict(self._forgotten_wh)
        issued |= {id_: metered_wh for id_, (_, metered_wh) in guarantees.spent.items()}
        issued |= {id_: state.metered_wh for id_, state in guarantees.certificates.items()}
        return {
            id_: metered_wh
            for id_, metered_wh in issued.items()
            if id_ + 1 not in issued and kind_of(id_) != CertificateKind.IMPORTED
        }
