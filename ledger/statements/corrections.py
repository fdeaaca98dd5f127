"""What was corrected after a statement was made: withdrawals of certificates that it counts, and what followed."""

from collections.abc import Iterable, Mapping

from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import MAX_REVISION, CertificateId
from ledger.certificates.records import Record, Withdrawal
from ledger.statements.disclosing import members
from ledger.statements.model import Kind, Statement
from ledger.statements.verdict import Correction


def corrections_since(history: CertificateHistory, statement: Statement) -> tuple[Correction, ...]:
    """Withdrawals after the statement's block, block by block; `history` goes on beyond it.

    What a storage's certificate was charged with counts too.
    """
    reached = _with_sources(history.records, _counted(history, statement))
    found = [
        _correction(history.records, record, record.withdrawal)
        for record in map(history.records.__getitem__, sorted(reached))
        if record.withdrawal is not None and record.withdrawal.point.block > statement.chain.block
    ]
    return tuple(sorted(found, key=lambda each: each.block))


def _counted(history: CertificateHistory, statement: Statement) -> set[CertificateId]:
    """The certificates that went into a statement's figures."""
    if statement.kind is Kind.RETIREMENT:
        return {line.certificate for line in statement.retirements}
    scope, accounts = statement.scope, members(history, statement.scope)
    return {
        each
        for each, record in history.records.items()
        if scope.first_slot <= each.slot < scope.end_slot and not accounts.isdisjoint(_concerned(record))
    }


def _concerned(record: Record) -> set[bytes]:
    claimed = {account for claim in record.retirements for account in (claim.holder, claim.subject)}
    return {record.owner, *record.held, *claimed}


def _with_sources(records: Mapping[CertificateId, Record], counted: Iterable[CertificateId]) -> set[CertificateId]:
    reached: set[CertificateId] = set()
    waiting = set(counted)
    while waiting:
        each = waiting.pop()
        reached.add(each)
        first = CertificateId(each.slot, each.device, each.kind)
        waiting |= {source.id for source in records[first].sources if source.id is not None} - reached
    return reached


def _correction(records: Mapping[CertificateId, Record], record: Record, withdrawal: Withdrawal) -> Correction:
    successor = None if record.id.revision == MAX_REVISION else records.get(record.id.next_revision)
    correction = None if successor is None else successor.correction
    return Correction(
        certificate=record.id,
        reason=withdrawal.reason,
        issued_wh=record.issued_wh,
        successor=None if successor is None else successor.id,
        corrected_wh=None if correction is None else correction.corrected_wh,
        shortfall_wh=None if correction is None else correction.shortfall_wh,
        block=withdrawal.point.block,
        transaction=withdrawal.point.transaction,
    )
