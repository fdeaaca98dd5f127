"""The audit as people run it: the chain alone, and a node's store against it."""

from dataclasses import dataclass

from ledger.audit.findings import Finding, Findings
from ledger.audit.run import AuditReport, audit
from ledger.chain import Chain
from matching import uniform
from node.design import Design
from node.reconcile import Reconciliation
from node.store import Store


@dataclass(frozen=True, slots=True)
class NodeAudit:
    """The chain's audit and, if there was a store to compare, what it adds."""

    chain: AuditReport
    findings: tuple[Finding, ...]
    checks: int
    with_store: bool


def audit_node(chain: Chain, exchange: bytes, store: Store | None, *, design: str = uniform.DESIGN) -> NodeAudit:
    """Re-verify the chain's history, and hold the store of a market of this design against it.

    Raises:
        DeploymentError: there is no exchange at this address.
        UnreadableHistoryError: a settlement, delivery or certification cannot be decoded.
        ChainUnavailableError: the chain is out of reach.
    """
    report = audit(chain, exchange)
    findings = Findings()
    if store is not None:
        by_design = Design(design, store.devices)
        Reconciliation(store=store, report=report, chain=chain, design=by_design, findings=findings).run()
    return NodeAudit(
        chain=report,
        findings=report.findings + tuple(findings.found),
        checks=report.checks + findings.checks,
        with_store=store is not None,
    )
