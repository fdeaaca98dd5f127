"""Checks a statement with nothing but the chain: makes it anew from its own scope and block, and compares.

A statement names the contracts that it was read from, and the verifier checks that their code is ours. That does
not make them the contracts of the community that one has in mind: anybody can deploy the same code, be its issuer,
and say what he likes there. Whoever cares passes the Exchange's address as the community publishes it.
"""

from collections.abc import Iterator
from typing import Any

from eth_abi.exceptions import DecodingError

from ledger.certificates.claims import ClaimError
from ledger.certificates.history import CertificateHistory
from ledger.chain import CallRevertedError, Chain, ChainError, ChainUnavailableError
from ledger.deployment import Contracts, DeploymentError, attach
from ledger.hexcodec import to_data
from ledger.statements.building import Words
from ledger.statements.codec import to_plain
from ledger.statements.corrections import corrections_since
from ledger.statements.errors import (
    CannotStateError,
    InvalidStatementError,
    NoStatementError,
    OtherFormatError,
    StatementSignatureError,
)
from ledger.statements.files import Pages, StatementFile, read
from ledger.statements.making import check_scope, made_from
from ledger.statements.model import Statement
from ledger.statements.reading import issuer_at, read_facts
from ledger.statements.signing import SignedStatement
from ledger.statements.verdict import Correction, Outcome, Verdict

_CHECKED_CODE = ("exchange", "markets", "certificates", "issuance", "devices")
_MOST_REASONS = 20


class _Failed(Exception):  # noqa: N818 -- carries a verdict up to `verify`, and never leaves this module
    def __init__(self, outcome: Outcome, *reasons: str) -> None:
        super().__init__(*reasons)
        self.outcome = outcome
        self.reasons = reasons


def verify(data: bytes, chain: Chain, *, exchange: bytes | None = None) -> Verdict:
    """What a statement's file is worth; asks nobody but the chain.

    Args:
        data: the file: a signed statement, or a PDF with one attached.
        chain: the one that the statement names, wherever it is reached.
        exchange: the address that it has to name; None takes what it names.

    Returns:
        a verdict, whatever the file holds and whatever the chain answers.
    """
    try:
        file = read(data)
    except (NoStatementError, OtherFormatError) as error:
        return Verdict(Outcome.UNCHECKABLE, (str(error),))
    except (InvalidStatementError, StatementSignatureError) as error:
        return Verdict(Outcome.FORGED, (str(error),))
    try:
        corrections, head = _checked(file, chain, exchange)
    except _Failed as failed:
        return Verdict(failed.outcome, failed.reasons, signed=file.signed, pages=file.pages)
    except ChainError as error:
        reason = f"the chain did not say what is needed: {error}"
        return Verdict(Outcome.UNCHECKABLE, (reason,), signed=file.signed, pages=file.pages)
    if file.pages is Pages.UNKNOWN:
        reason = (
            "the attached statement holds, but these pages were made or saved by something else and cannot be "
            "compared with it: render the statement anew, or check the attachment by itself"
        )
        return Verdict(Outcome.UNCHECKABLE, (reason,), corrections, file.signed, file.pages, head)
    outcome = Outcome.CORRECTED if corrections else Outcome.VALID
    return Verdict(outcome, (), corrections, file.signed, file.pages, head)


def _checked(file: StatementFile, chain: Chain, exchange: bytes | None) -> tuple[tuple[Correction, ...], int]:
    """Corrections since, and the head; anything wrong is raised."""
    signed, statement = file.signed, file.signed.statement
    if file.pages is Pages.ALTERED:
        raise _Failed(Outcome.FORGED, "the pages are not what the attached statement is rendered to")
    if exchange is not None and statement.chain.exchange != exchange:
        named = to_data(statement.chain.exchange)
        raise _Failed(Outcome.FORGED, f"it is about Exchange {named}, not {to_data(exchange)}")
    head = _check_block(chain, statement)
    contracts = _contracts(chain, statement)
    _check_issuer(contracts, signed)
    history = _check_content(contracts, statement)
    history.read_on(contracts, head)
    return corrections_since(history, statement), head


def _check_block(chain: Chain, statement: Statement) -> int:
    """The chain is the one that the statement was made from: the number of its head."""
    point = statement.chain
    if chain.chain_id != point.chain_id:
        raise _Failed(
            Outcome.UNCHECKABLE,
            f"the chain at the endpoint has id {chain.chain_id}, the statement's {point.chain_id}",
        )
    head = chain.head().number
    block = chain.block(point.block) if point.block <= head else None
    if block is None:
        raise _Failed(
            Outcome.UNCHECKABLE,
            f"the chain at the endpoint ends at block {head}, the statement is of {point.block}",
        )
    if (block.hash, block.timestamp) != (point.block_hash, point.time):
        raise _Failed(
            Outcome.FORGED,
            f"block {point.block} has hash {to_data(block.hash)} and time {block.timestamp}, not "
            f"{to_data(point.block_hash)} and {point.time}: the statement is of another chain, or of a block that "
            "was re-organised away",
        )
    return head


def _contracts(chain: Chain, statement: Statement) -> Contracts:
    """The contracts that the statement names, if they belong together and their code is ours."""
    point = statement.chain
    try:
        contracts = attach(chain, point.exchange)
    except ChainUnavailableError:
        raise
    except (DeploymentError, CallRevertedError, DecodingError) as error:
        raise _Failed(Outcome.FORGED, f"there is no Exchange at {to_data(point.exchange)}: {error}") from error
    for name in _CHECKED_CODE:
        contract = getattr(contracts, name)
        if not chain.code(contract.address).startswith(contract.interface.artifact.runtime_code):
            raise _Failed(Outcome.FORGED, f"the code of {name} at {to_data(contract.address)} is not ours")
    for name in ("certificates", "devices"):
        found, stated = getattr(contracts, name).address, getattr(point, name)
        if found != stated:
            raise _Failed(Outcome.FORGED, f"the Exchange's {name} is {to_data(found)}, not {to_data(stated)}")
    return contracts


def _check_issuer(contracts: Contracts, signed: SignedStatement) -> None:
    statement = signed.statement
    issuer = issuer_at(contracts.devices, statement.chain.block)
    if signed.endorser != issuer:
        raise _Failed(
            Outcome.FORGED,
            f"the signing key was endorsed by {to_data(signed.endorser)}; at block {statement.chain.block} "
            f"{to_data(issuer)} was issuer",
        )


def _check_content(contracts: Contracts, statement: Statement) -> CertificateHistory:
    """The history up to the statement's block, if the statement is what it comes to."""
    revealed = [
        Words(line.text, line.salt)
        for line in statement.retirements
        if line.text is not None and line.salt is not None
    ]
    try:
        check_scope(statement.kind, statement.scope, revealed)
        facts = read_facts(contracts, statement.scope, statement.chain.block, kind=statement.kind)
        found = made_from(facts, statement.kind, statement.scope, revealed)
    except (CannotStateError, InvalidStatementError, ClaimError) as error:
        missing = _missing_transactions(contracts.exchange.chain, statement)
        raise _Failed(Outcome.FORGED, *missing, f"the chain does not bear it out: {error}") from error
    wrong = list(_differences(to_plain(statement), to_plain(found), "statement"))
    if wrong:
        missing = _missing_transactions(contracts.exchange.chain, statement)
        raise _Failed(Outcome.FORGED, *missing, *_shortened(wrong))
    return facts.history


def _missing_transactions(chain: Chain, statement: Statement) -> list[str]:
    named = dict.fromkeys([*statement.scope.transactions, *(line.transaction for line in statement.retirements)])
    missing = (each for each in named if chain.transaction(each) is None)
    return [f"transaction {to_data(each)} does not exist" for each, _ in zip(missing, range(3), strict=False)]


def _differences(stated: Any, found: Any, where: str) -> Iterator[str]:
    """Where two plain values differ, field by field."""
    if isinstance(stated, dict) and isinstance(found, dict):
        for name in stated:
            yield from _differences(stated[name], found[name], f"{where}.{name}")
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        for place, (left, right) in enumerate(zip(stated, found, strict=True)):
            yield from _differences(left, right, f"{where}[{place}]")
    elif isinstance(stated, list) and isinstance(found, list):
        yield f"{where} has {len(stated)} entries, by the chain {len(found)}"
    elif stated != found:
        yield f"{where} is {stated!r}, by the chain {found!r}"


def _shortened(reasons: list[str]) -> list[str]:
    if len(reasons) <= _MOST_REASONS:
        return reasons
    return [*reasons[:_MOST_REASONS], f"and {len(reasons) - _MOST_REASONS} more differences"]
