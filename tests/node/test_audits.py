"""Audits beside a node's work: one at a time, remembered, and stopped with the node."""

import threading

import pytest

from ledger.audit.findings import Finding, Findings
from ledger.audit.model import Model, SlotModel, Totals
from ledger.audit.run import AuditReport, SlotConsumer
from ledger.chain import ChainUnavailableError
from node.audits import KEPT, Audits, AuditState, UnknownAuditError


def report(*findings: Finding) -> AuditReport:
    return AuditReport(
        chain_id=1337,
        exchange=b"\xe0" * 20,
        first_block=0,
        last_block=9,
        findings=findings,
        checks=3,
        resumed_from=None,
        notes=(),
        totals=Totals(),
        model=Model(),
    )


def done(audits: Audits, number: int) -> AuditState:
    """How an audit ends, which is soon."""
    for thread in threading.enumerate():
        if thread.name == "audit":
            thread.join(10)
    return audits.record(number).state


def test_an_audit_holds_or_has_findings_or_fails_and_says_why() -> None:
    def unreachable(_: SlotConsumer) -> AuditReport:
        raise ChainUnavailableError("no connection")

    audits = Audits()
    finding = Finding("settle.price", "slot 1", "1", "2")
    states = []
    for number, run in enumerate((lambda _: report(), lambda _: report(finding), unreachable), start=1):
        assert audits.start(run, 100).number == number
        states.append(done(audits, number))
    assert states == [AuditState.HOLDS, AuditState.FINDINGS, AuditState.FAILED]
    assert audits.record(3).failure == "no connection (chain.unavailable)"
    assert [record.number for record in audits.records()] == [3, 2, 1]


def test_while_one_runs_another_is_that_one_and_stopping_ends_it() -> None:
    goes_on = threading.Event()

    def slot_by_slot(on_settled: SlotConsumer) -> AuditReport:
        while True:
            goes_on.wait(10)
            on_settled(SlotModel(b"\xaa" * 32, 0), Model(), Findings())

    audits = Audits()
    first = audits.start(slot_by_slot, 100)
    assert audits.start(slot_by_slot, 200) == first
    assert audits.record(1).state is AuditState.RUNNING
    goes_on.set()
    audits.close()
    assert audits.record(1).state is AuditState.FAILED
    assert audits.record(1).failure == "the node stops (audit.stopped)"


def test_only_the_latest_are_remembered() -> None:
    audits = Audits()
    for number in range(1, KEPT + 3):
        audits.start(lambda _: report(), number)
        done(audits, number)
    assert len(audits.records()) == KEPT
    with pytest.raises(UnknownAuditError, match="no audit 2"):
        audits.record(2)
