"""Makes retirement statements from what the chain says. Whoever makes one again gets the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.certificates.claims import NO_TEXT, Claim, ClaimError, Purpose, text_hash
from ledger.certificates.records import Record
from ledger.certificates.records import Retirement as Claimed
from ledger.statements.errors import CannotStateError
from ledger.statements.facts import Facts, claims_in, origin_of, sources_of
from ledger.statements.model import FORMAT, MAX_LINES, MAX_TIME, Kind, Retirement, Scope, Statement


@dataclass(frozen=True, slots=True)
class Words:
    """A private text that its holder reveals, and the 32-byte salt that it was hashed with."""

    text: str
    salt: bytes


def retirement_statement(facts: Facts, scope: Scope, revealed: Iterable[Words] = ()) -> Statement:
    """What was retired for the scope's account, certificate by certificate.

    Raises:
        CannotStateError: there is nothing to state or too much for one statement, a chosen transaction retired
            nothing of it, or a revealed text is not one of those that the chain has the hashes of.
        ClaimError: a salt is not 32 bytes.
    """
    texts = {text_hash(each.text, each.salt): each for each in revealed}
    chosen = [
        (record, claim)
        for record, claim in claims_in(facts, scope)
        if claim.subject == scope.account
        and (not scope.transactions or claim.point.transaction in scope.transactions)
    ]
    if not chosen:
        raise CannotStateError("nothing was retired in this scope: there is nothing to state")
    if len(chosen) > MAX_LINES:
        raise CannotStateError(f"{len(chosen)} retirements: at most {MAX_LINES}; choose a shorter period")
    missing = set(scope.transactions) - {claim.point.transaction for _, claim in chosen}
    if missing:
        raise CannotStateError(f"transaction 0x{min(missing).hex()} retired nothing for this account and period")
    lines = tuple(_line(record, claim, texts) for record, claim in chosen)
    untold = texts.keys() - {line.text_hash for line in lines}
    if untold:
        raise CannotStateError(f"no retirement of these has the text {texts[min(untold)].text[:80]!r}")
    devices, imports, discharges = sources_of(facts, (line.certificate for line in lines))
    return Statement(
        format=FORMAT,
        kind=Kind.RETIREMENT,
        chain=facts.point,
        issuer=facts.issuer,
        scope=scope,
        total_wh=sum(line.amount_wh for line in lines),
        retirements=lines,
        devices=devices,
        imports=imports,
        discharges=discharges,
        disclosure=None,
    )


def _line(record: Record, claim: Claimed, texts: Mapping[bytes, Words]) -> Retirement:
    declared = _declared(claim)
    hashed = declared.text_hash if declared is not None and declared.text_hash != NO_TEXT else None
    words = texts.get(hashed) if hashed is not None else None
    return Retirement(
        certificate=record.id,
        amount_wh=claim.amount_wh,
        origin=origin_of(record, claim),
        holder=claim.holder,
        beneficiary=claim.subject,
        consumption=claim.consumption,
        purpose=None if declared is None else _purpose(declared.purpose),
        country=None if declared is None else declared.country,
        first_slot=None if declared is None else _second(declared.first_slot),
        last_slot=None if declared is None else _second(declared.last_slot),
        text_hash=hashed,
        text=None if words is None else words.text,
        salt=None if words is None else words.salt,
        withdrawn=record.withdrawal is not None,
        block=claim.point.block,
        time=claim.point.timestamp,
        transaction=claim.point.transaction,
    )


def _declared(claim: Claimed) -> Claim | None:
    """What the holder said; None if it said nothing, or nothing readable: anybody may retire for anybody."""
    try:
        return claim.claim
    except ClaimError:
        return None


def _second(declared: int) -> int | None:
    """A time that somebody declared, if it is one."""
    return declared if declared <= MAX_TIME else None


def _purpose(number: int) -> str:
    return Purpose(number).name.lower() if number in tuple(Purpose) else f"purpose {number}"
