"""Rebuilding a store: from the chain, which knows what happened, and an archive of what people and meters signed.

The chain is replayed as an audit does. What it tells of a slot is written down by the same methods of the store,
and in the same order, as the node once did; in the end the store is held against the chain like any other.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eth_hash.auto import keccak

from ledger.audit.findings import Finding, Findings
from ledger.audit.model import SlotModel
from ledger.audit.run import audit
from ledger.certificates.ids import CertificateId
from ledger.chain import Chain
from ledger.deployment import Contracts, attach
from ledger.eip712 import Domain
from ledger.evidence.tree import DAY_S
from ledger.intents import Intent, IntentRecord, IntentStatus
from ledger.metered import CERTIFICATE_KINDS
from ledger.posted import read_posted
from matching.errors import WattbookError
from node.anchoring import trees
from node.archive import Archive
from node.datadir import DataFolder
from node.design import Design
from node.reconcile import Reconciliation
from node.store import Store
from node.store.beginning import beginning, holds_store
from node.store.engines import shown_store
from node.store.records import (
    CertificateMoveRecord,
    CertifiedSlot,
    ConsumptionRecord,
    IssuanceRecord,
    MatchRecord,
    OrderRecord,
    OrderStatus,
    TradeRecord,
)

LOST = (
    "the steps' signed transactions, attempts that had no effect, and what was done beside the slots' own steps",
    "members' transactions that were handed in, and are not in a block",
    "approvals of slots that are not settled: validators are asked again",
    "statements, and the private words of retirements",
    "since when silent meters are awaited: the wait begins anew",
    "numbers of events: streams begin anew",
    "the operator's API key, other API keys, and the key that signs statements: new ones are made",
)
"""What is neither on chain nor in an archive."""


class RebuildError(WattbookError):
    """The new folder or database is not empty, or the archive is of another chain, or lacks committed orders."""

    code = "rebuild.impossible"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: how many slots and orders, and where the store differs from the chain."""

    slots: int
    orders: int
    findings: tuple[Finding, ...]


def rebuild(chain: Chain, archive: Archive, data: Path, *, store_url: str | None = None) -> Rebuilt:
    """Make a node's folder from the chain and an archive; without the embedded chain's own files.

    Args:
        chain: the chain.
        archive: the archive.
        data: a new folder, or an empty one.
        store_url: the empty PostgreSQL database that the store is made in; None for a file in the folder.

    Raises:
        RebuildError: see there.
        ArchiveError: the archive cannot be read.
        StoreUnavailableError: the database does not answer.
        StoreUrlError: the URL names no database that could be used.
        WattbookError: whatever `ledger.audit.run.audit` raises.
    """
    deployment = archive.deployment
    if data.exists() and any(data.iterdir()):
        raise RebuildError(f"{data} is not empty: name a new folder")
    if store_url is not None and holds_store(store_url):
        raise RebuildError(f"{shown_store(store_url)} holds a store, or a part of one: name an empty database")
    if chain.chain_id != deployment.chain_id:
        raise RebuildError(
            f"the archive is of chain {deployment.chain_id}: the chain here has id {chain.chain_id}"
        )
    report = audit(chain, deployment.exchange, keep_slots=True)
    folder = DataFolder(data)
    domain = Domain(deployment.chain_id, deployment.exchange)
    store = Store(store_url or folder.store_url, domain=domain, market=deployment.market)
    try:
        store.tell_restored()
        rebuilding = _Rebuilding(
            chain=chain,
            contracts=attach(chain, deployment.exchange),
            archive=archive,
            store=store,
            design=Design(deployment.design, store.devices),
        )
        models = [slot for (market, _), slot in sorted(report.model.slots.items()) if market == store.market]
        rebuilding.run(models)
        findings = Findings()
        Reconciliation(store=store, report=report, chain=chain, design=rebuilding.design, findings=findings).run()
        found = Rebuilt(
            slots=len(store.slots()),
            orders=sum(1 for _ in archive.orders()),
            findings=report.findings + tuple(findings.found),
        )
    finally:
        store.close()
    # Last: a folder, or a database, that lacks it is not taken for a whole one.
    if store_url is not None:
        with beginning(store_url) as shared:
            shared.write_whereabouts(deployment.encoded())
    folder.write_deployment(deployment)
    return found


@dataclass(frozen=True)
class _Rebuilding:
    chain: Chain
    contracts: Contracts
    archive: Archive
    store: Store
    design: Design

    def run(self, models: list[SlotModel]) -> None:
        for member in self.archive.members():
            self.store.add_member(member)
        for device in self.archive.devices():
            self.store.add_device(device)
        reasons = self._add_orders()
        self._add_readings()
        for model in models:
            self._add_slot(model, reasons)
        self._note_anchored()

    def _add_orders(self) -> dict[bytes, str]:
        """All orders as they had come; returns why clearing had left some out, by hash."""
        by_slot: dict[int, list[OrderRecord]] = defaultdict(list)
        for record in self.archive.orders():
            by_slot[record.signed.order.slot].append(record)
        reasons: dict[bytes, str] = {}
        for _, records in sorted(by_slot.items()):
            reasons |= {each.signed.hash: each.reason for each in records if each.reason is not None}
            self.store.add_orders([_as_it_came(each) for each in records])
            cancelled = {
                each.signed.hash: each.cancellation_signature
                for each in records
                if each.cancellation_signature is not None
            }
            if cancelled:
                self.store.cancel_orders(cancelled)
        return reasons

    def _add_readings(self) -> None:
        """All readings and journals; corrections stay open if their certificates were not touched since."""
        still_open = {(each.device, each.slot): each for each in self.archive.open_corrections()}
        for record in self.archive.readings():
            evidence = record.evidence
            if record.revision == 0:
                self.store.add_reading(evidence, record.received_at)
                continue
            self.store.add_correction(evidence, record.received_at)
            correction = still_open.get((evidence.device, evidence.slot))
            if correction is None:
                self.store.close_correction(record)
            elif correction.withdrawn_revision is not None:
                self.store.note_correction_of(evidence.device, evidence.slot, correction.withdrawn_revision)
            elif self._is_reissued(evidence.device, evidence.slot):
                # Whether that follows this correction or an earlier one, nobody knows any more.
                raise RebuildError(
                    f"a correction of device {evidence.device}, slot {evidence.slot}, was being followed when the "
                    "archive was written: take an older or a newer one"
                )
        for entry in self.archive.journal():
            if entry.source is not None:
                self.store.add_ocmf(entry.device, entry.number, entry.source, (), 0)
            elif entry.covered_slot is not None:
                first = self.store.revisions(entry.device, entry.covered_slot)[0]
                self.store.add_cover(entry.device, entry.number, first.evidence, first.received_at)

    def _is_reissued(self, device: int, slot: int) -> bool:
        record = self.store.device(device)
        assert record is not None  # noqa: S101 - its reading was taken
        first = CertificateId(slot, device, CERTIFICATE_KINDS[record.details.kind])
        state = self.contracts.certificates.read("state_of", int(first.next_revision))
        return bool(state["exists"])

    def _add_slot(self, model: SlotModel, reasons: Mapping[bytes, str]) -> None:
        store, slot, done = self.store, model.slot, model.blocks
        store.ensure_slot(slot)
        if not done.keys() & {"commit", "void"}:
            return
        book = store.close_slot(slot)
        if model.book_root is not None:
            if len(book) != model.book_size:
                raise RebuildError(
                    f"slot {slot} was committed with {model.book_size} orders: the archive has {len(book)}"
                )
            store.record_committed(slot, model.book_root, model.book_size)
        if "void" in done:
            store.record_voided(slot)
        elif "settle" in done:
            self._settle(model, reasons)
        if model.state == "delivered":
            store.record_delivered(slot)
            if "certify" in done:
                store.record_certified(slot, _certified(model))
        for step, transaction_hash in model.transactions.items():
            self._note_step(slot, step, transaction_hash)

    def _settle(self, model: SlotModel, reasons: Mapping[bytes, str]) -> None:
        """The fills are the chain's; who traded with whom is what clearing the same orders again comes to."""
        store, slot = self.store, model.slot
        store.note_posted(slot, read_posted(self.contracts, store.market, slot))
        orders = store.orders_to_clear(slot)
        left_out = {each.signed.hash: reasons[each.signed.hash] for each in orders if each.signed.hash in reasons}
        cleared = self.design.clear([each for each in orders if each.signed.hash not in left_out])
        store.record_clearing(
            slot,
            price=cleared.price,
            fills={fill.signed.hash: fill.fill_wh for fill in model.fills},
            amounts={fill.signed.hash: fill.amount_nano for fill in model.fills if fill.amount_nano},
            rejected=left_out,
            trades=[
                TradeRecord(
                    slot=slot,
                    number=trade.number,
                    seller_order=trade.seller.signed.hash,
                    buyer_order=trade.buyer.signed.hash,
                    quantity_wh=trade.quantity_wh,
                    price=price,
                )
                for trade, price in cleared.trades
            ],
            bought_wh=model.bought_wh,
        )
        store.record_settled(slot)

    def _note_step(self, slot: int, step: str, transaction_hash: bytes) -> None:
        transaction, receipt = self.chain.transaction(transaction_hash), self.chain.receipt(transaction_hash)
        assert transaction is not None  # noqa: S101 - the audit has read it
        assert receipt is not None  # noqa: S101 - the same
        intent = Intent(
            market=self.store.market,
            slot=slot,
            step=step,
            attempt=0,
            sender=transaction.sender,
            nonce=transaction.nonce,
            calldata_hash=keccak(transaction.input),
            raw_transaction=None,
            transaction_hash=transaction_hash,
        )
        self.store.record_intent(intent)
        record = IntentRecord(
            intent,
            IntentStatus.CONFIRMED,
            is_final=False,  # the node looks again how deep it lies
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            gas_used=receipt.gas_used,
        )
        self.store.note_intent(record)

    def _note_anchored(self) -> None:
        """The days of which the chain has the very evidence that the archive has."""
        for day in self.store.days_to_anchor(self.chain.head().timestamp // DAY_S + 1):
            readings = self.store.day_readings(day)
            found = trees(day, readings)
            if all(self.contracts.devices.read("anchor_of", it.device, day) == it.commitment for it in found):
                corrections = sum(each.revision for records in readings.values() for each in records)
                self.store.note_anchored(day, corrections)


def _as_it_came(record: OrderRecord) -> OrderRecord:
    """An order before anything had become of it."""
    return replace(
        record,
        status=OrderStatus.OPEN,
        fill_wh=0,
        amount_nano=0,
        reason=None,
        cancellation_signature=None,
        posted=False,
    )


def _certified(model: SlotModel) -> CertifiedSlot:
    slot = model.slot
    return CertifiedSlot(
        issuances=tuple(
            IssuanceRecord(slot, each.device, each.amount_wh, each.certified_wh) for each in model.issuances
        ),
        consumptions=tuple(ConsumptionRecord(slot, each.device, each.amount_wh) for each in model.consumptions),
        moves=tuple(
            CertificateMoveRecord(slot, number, each.device, each.account, each.amount_wh)
            for number, each in enumerate(model.moves)
        ),
        matches=tuple(
            MatchRecord(slot, number, each.device, each.consumption, each.amount_wh)
            for number, each in enumerate(model.matches)
        ),
    )
