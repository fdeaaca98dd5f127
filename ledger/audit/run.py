"""The audit: replay everything, check every rule, compare with storage; from the beginning or a checkpoint on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.audit.allocations import check_certified, check_late, is_over
from ledger.audit.beginning import check_code, first_block, fixed_terms, note_first_roles
from ledger.audit.calls import Calls
from ledger.audit.certification_rules import CertificationRules
from ledger.audit.challenge_rules import ChallengeRules
from ledger.audit.checkpoint import Checkpoint, CheckpointFile
from ledger.audit.claim_rules import ClaimRules
from ledger.audit.comparison import Comparison, take_over
from ledger.audit.correction_rules import CorrectionRules
from ledger.audit.delivery_rules import DeliveryRules
from ledger.audit.device_rules import DeviceRules
from ledger.audit.escrow_rules import EscrowRules
from ledger.audit.evidence_files import EvidenceFiles
from ledger.audit.evidence_rules import EvidenceRules
from ledger.audit.expiry import add_certificates, drop_expired, keep_spent
from ledger.audit.findings import Finding, Findings
from ledger.audit.guarantee_comparison import GuaranteeComparison
from ledger.audit.history import FIRST_WINDOW_BLOCKS, ChangedHistoryError, History, Occurrence
from ledger.audit.holding_rules import HoldingRules
from ledger.audit.import_rules import ImportRules
from ledger.audit.issuance_rules import IssuanceRules
from ledger.audit.lot_rules import LotRules
from ledger.audit.market_rules import MarketRules
from ledger.audit.model import Model, SlotModel, Totals
from ledger.audit.rulebook import Rulebook, Terms
from ledger.audit.settlement_rules import SettlementRules
from ledger.audit.transaction_notes import CertificateBook, TransactionNotes
from ledger.chain import Chain
from ledger.deployment import Contracts, attach

SlotConsumer = Callable[[SlotModel, Model, Findings], None]
"""Gets each slot when it is settled, with the model of then; what it finds counts as the audit's."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found, and what it looked at.

    Attributes:
        findings: broken rules; none means that the history holds.
        checks: how many comparisons were made.
        first_block: where the exchange's history begins.
        resumed_from: the block of the checkpoint that the audit went on from; None if it began at the beginning.
        notes: what the reader should know besides, such as that a re-organisation was found.
        totals: what the history came to.
        model: the state that the history leads to; slots that are over are in it only if they were to be kept.
    """

    chain_id: int
    exchange: bytes
    first_block: int
    last_block: int
    findings: tuple[Finding, ...]
    checks: int
    resumed_from: int | None
    notes: tuple[str, ...]
    totals: Totals
    model: Model

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def audit(
    chain: Chain,
    exchange: bytes,
    *,
    keep_slots: bool = False,
    on_settled: SlotConsumer | None = None,
    checkpoint: Path | None = None,
    last_block: int | None = None,
    window_blocks: int = FIRST_WINDOW_BLOCKS,
    evidence: EvidenceFiles | None = None,
) -> AuditReport:
    """Re-verify an exchange from its first block to the head, using nothing but the chain.

    Args:
        chain: where it is.
        exchange: the Exchange's address.
        keep_slots: whether the report's model keeps slots that are over; otherwise memory holds only what is not.
        on_settled: gets every slot that is settled.
        checkpoint: a file to go on from, if it is there, and to write how far the audit came.
        last_block: the last one to look at; default: the head.
        window_blocks: how many blocks to read at first; windows adapt.
        evidence: what certificates rest on, if it is to be checked too; see `ledger.audit.evidence_files`. It is
            compared with certificates that had not expired by the checkpoint.

    Raises:
        DeploymentError: there is no exchange at this address.
        EvidenceFilesError: evidence cannot be read.
        CheckpointError: the checkpoint is damaged, or another exchange's.
        ChangedHistoryError: a re-organisation came between: audit again.
        ChainUnavailableError: the chain is out of reach.
    """
    contracts = attach(chain, exchange)
    until = chain.head().number if last_block is None else last_block
    notes: list[str] = []
    file = None if checkpoint is None else CheckpointFile(checkpoint)
    resumed = None if file is None else file.read(chain, exchange, notes)
    begins = _beginning(chain, contracts, until) if resumed is None else resumed
    auditor = Auditor(chain, contracts, begins, keep_slots=keep_slots, on_settled=on_settled, evidence=evidence)
    auditor.run(until, file, window_blocks)
    return replace(
        auditor.report(until), resumed_from=None if resumed is None else resumed.block, notes=tuple(notes)
    )


def _beginning(chain: Chain, contracts: Contracts, last_block: int) -> Checkpoint:
    start = first_block(chain, contracts, last_block)
    model, findings = Model(), Findings()
    check_code(chain, contracts, findings)
    note_first_roles(contracts, model, start, last_block)
    return Checkpoint(
        chain_id=chain.chain_id,
        exchange=contracts.exchange.address,
        first_block=start,
        block=start - 1,
        block_hash=bytes(32),
        model=model,
        found=findings.found,
        checks=findings.checks,
    )


class Auditor:
    """One audit under way, from a checkpoint on."""

    def __init__(
        self,
        chain: Chain,
        contracts: Contracts,
        begins: Checkpoint,
        *,
        keep_slots: bool,
        on_settled: SlotConsumer | None,
        evidence: EvidenceFiles | None,
    ) -> None:
        self._chain = chain
        self._contracts = contracts
        self._begins = begins
        self._model, self._findings = begins.model, begins.findings
        self._keep_slots = keep_slots
        self._kept: dict[tuple[bytes, int], SlotModel] = {}
        self._on_settled = on_settled
        self._evidence = evidence
        self._forgotten_wh: dict[int, int] = {}
        terms = fixed_terms(contracts)
        self._lifetime_s = terms.certificate_lifetime_s
        self._notes = TransactionNotes()
        self._books = _rulebooks(Calls(chain, contracts), terms, self._model, self._findings, self._notes)
        self._now = 0

    def run(self, until: int, file: CheckpointFile | None, window_blocks: int) -> None:
        """Replay everything up to a block."""
        history = History(self._chain, self._contracts, window_blocks=window_blocks)
        for window in history.windows(self._begins.block + 1, until):
            for occurrence in window.occurrences:
                self._take_over_before(occurrence.block)
                self._now = occurrence.timestamp
                for book in self._books[occurrence.contract]:
                    book.apply(occurrence)
                self._hand_out(occurrence)
            self._take_over_before(window.last_block + 1)
            self._check_freezes()
            self._notes.close(self._findings)
            self._fold(until)
            if file is not None:
                file.write(self._checkpoint(window.last_block))

    def report(self, until: int) -> AuditReport:
        """Compare what is left with storage, and sum up."""
        findings, model = self._findings.copy(), self._model
        Comparison(self._contracts, model, findings, until).everything()
        self._guarantee_comparison(findings, until).everything()
        totals = replace(model.totals)
        for slot in model.slots.values():
            check_certified(model, slot, findings)
            _add_slot(totals, slot)
        add_certificates(totals, model.guarantees)
        check_late(model, findings, now=self._time_of(until))
        if self._evidence is not None:
            rules = EvidenceRules(self._chain.chain_id, model.guarantees, self._forgotten_wh, findings)
            rules.check(self._evidence)
        model.slots |= self._kept
        return AuditReport(
            chain_id=self._chain.chain_id,
            exchange=self._contracts.exchange.address,
            first_block=self._begins.first_block,
            last_block=until,
            findings=tuple(findings.found),
            checks=findings.checks,
            resumed_from=None,
            notes=(),
            totals=totals,
            model=model,
        )

    def _time_of(self, number: int) -> int:
        block = self._chain.block(number)
        return self._now if block is None else block.timestamp

    def _take_over_before(self, block: int) -> None:
        """Once a block is over of which calldata did not show everything, read what came of it from storage."""
        for market, state in self._model.states.items():
            if state.stale_since is not None and state.stale_since < block:
                take_over(self._contracts, self._model, market, state.stale_since)

    def _check_freezes(self) -> None:
        """A transaction's events lie in one window, so whatever is due by now did not happen."""
        for market, state in self._model.states.items():
            if state.freeze_due is not None:
                where = f"market 0x{market.hex()}, transaction 0x{state.freeze_due.hex()}"
                self._findings.require("upheld.frozen", where, False, expected="a frozen market", found="none")
                state.freeze_due = None

    def _hand_out(self, occurrence: Occurrence) -> None:
        if self._on_settled is None or occurrence.event.name != "Settled":
            return
        key = (occurrence.event.arguments["market"], occurrence.event.arguments["slot"])
        slot = self._model.slots.get(key)
        if slot is not None:
            self._on_settled(slot, self._model, self._findings)

    def _fold(self, until: int) -> None:
        """Let go of whatever nothing more can happen to, once it is compared with storage and counted."""
        comparison = Comparison(self._contracts, self._model, self._findings, until)
        over = {key: slot for key, slot in self._model.slots.items() if self._is_over(slot)}
        comparison.slots(over.values())
        for (market, number), slot in over.items():
            check_certified(self._model, slot, self._findings)
            _add_slot(self._model.totals, slot)
            length_s = self._model.markets[market].slot_length_s
            self._model.states[market].finish(number, length_s)
            del self._model.slots[market, number]
        if self._keep_slots:
            self._kept |= over
        guarantees, now = self._model.guarantees, self._now
        certificates = self._guarantee_comparison(self._findings, until)
        expired = drop_expired(guarantees, self._model.totals, certificates, now=now, lifetime_s=self._lifetime_s)
        if self._evidence is not None:
            self._forgotten_wh |= expired
        keep_spent(guarantees, certificates)

    def _is_over(self, slot: SlotModel) -> bool:
        return is_over(self._model, slot, expires_at=slot.slot + self._lifetime_s, now=self._now)

    def _guarantee_comparison(self, findings: Findings, block_number: int) -> GuaranteeComparison:
        guarantees = self._model.guarantees
        return GuaranteeComparison(self._contracts, guarantees, findings, block_number, self._lifetime_s)

    def _checkpoint(self, number: int) -> Checkpoint:
        block = self._chain.block(number)
        if block is None:
            raise ChangedHistoryError(f"block {number} was re-organised while it was audited: audit again")
        return replace(
            self._begins,
            block=number,
            block_hash=block.hash,
            model=self._model,
            found=self._findings.found,
            checks=self._findings.checks,
        )


def _rulebooks(
    calls: Calls, terms: Terms, model: Model, findings: Findings, notes: TransactionNotes
) -> dict[str, list[Rulebook]]:
    kinds: dict[str, list[type[Rulebook]]] = {
        "exchange": [SettlementRules, DeliveryRules],
        "escrow": [EscrowRules],
        "markets": [MarketRules],
        "challenges": [ChallengeRules],
        "devices": [DeviceRules],
    }
    books = {name: [kind(calls, terms, model, findings) for kind in each] for name, each in kinds.items()}
    # Issued and moved first, then why: a certification's own event comes last.
    certificate_kinds: list[type[CertificateBook]] = [
        HoldingRules, ClaimRules, LotRules, CorrectionRules, ImportRules, IssuanceRules, CertificationRules,
    ]  # fmt: skip
    certificates: list[Rulebook] = [kind(calls, terms, model, findings, notes) for kind in certificate_kinds]
    return books | {"issuance": certificates, "certificates": certificates}


def _add_slot(totals: Totals, slot: SlotModel) -> None:
    totals.slots += 1
    totals.filled_orders += len(slot.fills)
    totals.trades += len(slot.trades)
    totals.traded_wh += slot.bought_wh
