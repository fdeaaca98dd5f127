"""The audit as people run it: the chain alone, a node's published orders or its store against it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from ledger.audit.evidence_files import EvidenceFiles
from ledger.audit.findings import Finding, Findings
from ledger.audit.run import AuditReport, audit
from ledger.chain import Chain
from ledger.eip712 import Domain
from ledger.evidence.evidence import Evidence
from ledger.evidence.tree import day_of
from matching.errors import WattbookError
from node.datadir import DataFolder, Deployment
from node.design import Design
from node.order_sets import OrderSets
from node.reconcile import Reconciliation
from node.store import Store
from node.store.beginning import beginning
from node.store.copying import copy_database, copy_file
from node.store.engines import shown_store
from node.store.errors import StoreUnavailableError


class NothingToAuditError(WattbookError):
    """The data folder holds no market, no store, or those of another exchange or chain."""

    code = "audit.nothing"


class CountedEvidence:
    """Evidence that is counted as it is read.

    Attributes:
        readings: how many pieces there were so far.
        devices: those that they are of.
        days: the Unix days that they are of.
    """

    def __init__(self, files: EvidenceFiles) -> None:
        self._evidence = files.evidence
        self.files = EvidenceFiles(self, files.keys)
        self.readings = 0
        self.devices: set[int] = set()
        self.days: set[int] = set()

    def __iter__(self) -> Iterator[Evidence]:
        """Each piece, once."""
        for piece in self._evidence:
            self.readings += 1
            self.devices.add(piece.device)
            self.days.add(day_of(piece.slot))
            yield piece


@dataclass(frozen=True, slots=True)
class NodeAudit:
    """The chain's audit and, if there was a store, a node or evidence to compare, what that adds."""

    chain: AuditReport
    findings: tuple[Finding, ...]
    checks: int
    with_store: bool = False
    with_node: bool = False
    evidence: CountedEvidence | None = None


def audit_node(chain: Chain, exchange: bytes, store: Store, *, design: str) -> NodeAudit:
    """Re-verify the chain's history, and hold the store of a market of this design against it.

    Raises:
        DeploymentError: there is no exchange at this address.
        ForeignMarketError: the store's market is not on this exchange.
        UnknownDesignError: there is no such design.
        UnreadableHistoryError: a settlement, delivery or certification cannot be decoded.
        ChainUnavailableError: the chain is out of reach.
    """
    report, findings = audit(chain, exchange, keep_slots=True), Findings()
    by_design = Design(design, store.devices)
    Reconciliation(store=store, report=report, chain=chain, design=by_design, findings=findings).run()
    return _with_store(report, findings)


def audit_chain(
    chain: Chain, exchange: bytes, *, checkpoint: Path | None = None, evidence: EvidenceFiles | None = None
) -> NodeAudit:
    """Re-verify the chain's history alone; see `ledger.audit.run.audit`."""
    counted = None if evidence is None else CountedEvidence(evidence)
    report = audit(chain, exchange, checkpoint=checkpoint, evidence=None if counted is None else counted.files)
    return NodeAudit(chain=report, findings=report.findings, checks=report.checks, evidence=counted)


def audit_url(
    chain: Chain,
    exchange: bytes | None,
    url: str,
    *,
    api_key: str | None = None,
    checkpoint: Path | None = None,
    evidence: EvidenceFiles | None = None,
) -> NodeAudit:
    """Re-verify the chain's history, and whether the orders that a node publishes were cleared as they should.

    Args:
        chain: the chain.
        exchange: the exchange; None for the one that the node names.
        url: where the node's API is.
        api_key: an API key, if the node wants one of its readers.
        checkpoint: as in `ledger.audit.run.audit`; orders of slots settled before it are not looked at again.
        evidence: as in `ledger.audit.run.audit`.

    Raises:
        NodeError: the node cannot be reached, or does not answer like one.
        NothingToAuditError: the node trades on another exchange.
        WattbookError: whatever `ledger.audit.run.audit` raises.
    """
    with closing(OrderSets(url, chain, api_key=api_key)) as order_sets:
        if exchange not in (None, order_sets.exchange):
            raise NothingToAuditError(f"{url} trades on exchange 0x{order_sets.exchange.hex()}")
        counted = None if evidence is None else CountedEvidence(evidence)
        report = audit(
            chain,
            order_sets.exchange,
            on_settled=order_sets,
            checkpoint=checkpoint,
            evidence=None if counted is None else counted.files,
        )
    return NodeAudit(
        chain=report, findings=report.findings, checks=report.checks, with_node=True, evidence=counted
    )


def audit_folder(chain: Chain, data: Path, *, exchange: bytes | None = None) -> NodeAudit:
    """Re-verify the history of a data folder's market, and hold a copy of its store against it.

    The folder stays as it is, and its node may be running: what is compared is the store of one moment.

    Args:
        chain: the chain.
        data: the data folder, which exists.
        exchange: the exchange that the folder is expected to be of; None if any will do.

    Raises:
        NothingToAuditError: the folder holds no market or no store, or they are of another exchange or chain.
        ForeignStoreError: the store is another market's.
        WattbookError: whatever `audit_node` raises.
    """
    folder = DataFolder(data)
    deployment = folder.deployment()
    path = Path(make_url(folder.store_url).database or "")
    if deployment is None:
        raise NothingToAuditError(f"{data} holds no market")
    if not path.is_file():
        raise NothingToAuditError(f"{data} holds no store: {path.name} is missing; is it in PostgreSQL?")
    _require_asked(str(data), deployment, chain, exchange)
    with TemporaryDirectory() as temporary:
        copy = Path(temporary) / path.name
        return _audit_copy(chain, deployment, copy, str(path), lambda: copy_file(path, copy))


def audit_shared(chain: Chain, url: str, *, exchange: bytes | None = None) -> NodeAudit:
    """Re-verify the history of a shared store's market, and hold a copy of the store against it.

    The database stays as it is, and nodes may be running: what is compared is the store of one moment.

    Args:
        chain: the chain.
        url: the PostgreSQL database.
        exchange: the exchange that it is expected to be of; None if any will do.

    Raises:
        NothingToAuditError: the store is of another exchange or chain, or of no market.
        ForeignStoreError: the database holds no store of this version.
        StoreUnavailableError: it does not answer.
        StoreUrlError: the URL names no database that could be used.
        WattbookError: whatever `audit_node` raises.
    """
    with TemporaryDirectory() as temporary:
        copy = Path(temporary) / "store.sqlite"
        copy_database(url, copy)
        with beginning(f"sqlite:///{copy}") as store:
            text = store.whereabouts()
        if text is None:
            raise NothingToAuditError(f"{shown_store(url)} holds no market")
        deployment = Deployment.decoded(text, shown_store(url))
        _require_asked(shown_store(url), deployment, chain, exchange)
        return _audit_copy(chain, deployment, copy, shown_store(url), lambda: None)


def _require_asked(where: str, deployment: Deployment, chain: Chain, exchange: bytes | None) -> None:
    for name, ours, asked in (
        ("chain", deployment.chain_id, chain.chain_id),
        ("exchange", "0x" + deployment.exchange.hex(), "0x" + (exchange or deployment.exchange).hex()),
    ):
        if ours != asked:
            raise NothingToAuditError(f"{where} is of {name} {ours}: cannot be held against {name} {asked}")


def _audit_copy(chain: Chain, deployment: Deployment, copy: Path, of: str, make: Callable[[], None]) -> NodeAudit:
    """Audit a copy, as to open a store is to write to it; one that cannot be made or opened is a finding."""
    try:
        make()
        domain = Domain(deployment.chain_id, deployment.exchange)
        with closing(Store(f"sqlite:///{copy}", domain=domain, market=deployment.market)) as store:
            return audit_node(chain, deployment.exchange, store, design=deployment.design)
    except (sqlite3.Error, SQLAlchemyError, StoreUnavailableError) as error:
        findings = Findings()
        findings.require("store.damaged", of, False, expected="a database", found=error)
        return _with_store(audit(chain, deployment.exchange, keep_slots=True), findings)


def _with_store(report: AuditReport, findings: Findings) -> NodeAudit:
    return NodeAudit(
        chain=report,
        findings=report.findings + tuple(findings.found),
        checks=report.checks + findings.checks,
        with_store=True,
    )
