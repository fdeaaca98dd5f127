"""The audit: replay everything, check every rule, compare with storage."""

from dataclasses import dataclass

from ledger.audit.certificate_rules import CertificateRules
from ledger.audit.comparison import compare
from ledger.audit.exchange_rules import ExchangeRules
from ledger.audit.findings import Finding, Findings
from ledger.audit.history import History
from ledger.audit.model import Model
from ledger.chain import Chain
from ledger.deployment import attach


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found, and what it looked at.

    Attributes:
        findings: broken rules; none means that the history holds.
        checks: how many comparisons were made.
        model: the state that the history leads to.
    """

    chain_id: int
    exchange: bytes
    last_block: int
    findings: tuple[Finding, ...]
    checks: int
    model: Model

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def audit(chain: Chain, exchange: bytes) -> AuditReport:
    """Re-verify an exchange from its first block to the head, using nothing but the chain.

    Raises:
        DeploymentError: there is no exchange at this address.
        UnreadableHistoryError: a settlement, delivery or certification cannot be decoded.
        ChainUnavailableError: the chain is out of reach.
    """
    contracts = attach(chain, exchange)
    last_block = chain.head().number
    history = History(chain, contracts)
    model, findings = Model(), Findings()
    on_exchange = ExchangeRules(history, model, findings)
    on_certificates = CertificateRules(history, model, findings)
    for occurrence in history.occurrences(0, last_block):
        if occurrence.contract == "certificates":
            on_certificates.apply(occurrence)
        else:
            on_exchange.apply(occurrence)
    on_certificates.finish()
    compare(contracts, model, findings, last_block)
    return AuditReport(
        chain_id=chain.chain_id,
        exchange=exchange,
        last_block=last_block,
        findings=tuple(findings.found),
        checks=findings.checks,
        model=model,
    )
