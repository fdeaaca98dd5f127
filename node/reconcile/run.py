"""The comparison of a whole store: one part after the other, and no row left out."""

from functools import partial

from ledger.audit.findings import Findings
from ledger.audit.run import AuditReport
from ledger.certificates.history import read_history
from ledger.chain import Chain
from ledger.deployment import attach
from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.design import Design
from node.reconcile.context import Context
from node.reconcile.events import compare_events
from node.reconcile.intents import check_intent, is_beside
from node.reconcile.registry import compare_anchors, compare_devices, compare_members
from node.reconcile.slots import SlotComparison
from node.store import Store, schema
from node.store.evidence import damage, slots_in

# Onboarding belongs to slot 0, which no market trades.
_ONBOARDING = 0

_OF_SLOTS = (
    schema.orders,
    schema.trades,
    schema.issuances,
    schema.consumptions,
    schema.certificate_moves,
    schema.matches,
    schema.proposals,
    schema.approvals,
    schema.intents,
)


class ForeignMarketError(WattbookError):
    """The store's market is not on the exchange that was audited."""

    code = "audit.foreign_market"


class Reconciliation:
    """Compares one store with an audited history of the same market.

    Raises:
        ForeignMarketError: the history has no such market.
    """

    def __init__(
        self,
        *,
        store: Store,
        report: AuditReport,
        chain: Chain,
        design: Design,
        findings: Findings,
    ) -> None:
        domain = Domain(report.chain_id, report.exchange)
        if store.domain != domain or store.market not in report.model.markets:
            raise ForeignMarketError(
                f"the store is of market 0x{store.market.hex()}, exchange 0x{store.domain.exchange.hex()}, chain "
                f"{store.domain.chain_id}: not on exchange 0x{report.exchange.hex()}, chain {report.chain_id}"
            )
        contracts = attach(chain, report.exchange)
        self._context = Context(
            store=store,
            model=report.model,
            last_block=report.last_block,
            history=read_history(contracts, report.last_block),
            chain=chain,
            contracts=contracts,
            domain=domain,
            market=report.model.markets[store.market],
            design=design,
            findings=findings,
        )

    def run(self) -> None:
        """Compare everything."""
        context, store = self._context, self._context.store
        for problem in context.read("the store's file", lambda: damage(store)) or []:
            context.findings.require("store.damaged", "the store's file", False, expected="whole", found=problem)
        context.read("table members", lambda: compare_members(context))
        context.read("table devices, table meter_keys", lambda: compare_devices(context))
        context.read("table anchored_days", lambda: compare_anchors(context))
        records = context.read("table slots", store.slots)
        if records is None:
            return
        self._compare_slots_known({record.slot for record in records})
        for record in records:
            comparison = SlotComparison(context, record)
            context.read(f"table slots, slot {record.slot}", comparison.run)
        context.read("table events", partial(compare_events, context, records))

    def _compare_slots_known(self, known: set[int]) -> None:
        """The chain's slots are all in the store, and no row of it belongs to a slot that is not."""
        context = self._context
        for market, slot in sorted(context.model.slots):
            if market == context.store.market:
                where = f"table slots, slot {slot}"
                context.findings.require("store.slot", where, slot in known, expected="a slot", found="none")
        for table in _OF_SLOTS:
            where = f"table {table.name}"
            named = context.read(where, partial(slots_in, context.store, table)) or set()
            orphans = named - known
            if table is schema.intents:
                orphans = {slot for slot in orphans if not self._is_apart(slot)}
            context.findings.check("store.orphans", where, expected=[], found=sorted(orphans, key=str))

    def _is_apart(self, slot: int) -> bool:
        """Whether no step of a slot is one that moves it on; then its intents are checked here.

        So it is with what was done at the onboarding, and with what the issuer did about a day, or for an import.
        """
        context = self._context
        intents = context.read(f"table intents, slot {slot}", lambda: context.store.intents(slot)) or []
        for intent in intents:
            check_intent(context, intent, overtaken=False)
        return slot == _ONBOARDING or all(is_beside(each.intent.step) for each in intents)
