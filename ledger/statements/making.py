"""Makes statements from the chain: the one way, for the issuer that signs them and for whoever verifies them."""

from collections.abc import Iterable, Sequence

from ledger.deployment import Contracts
from ledger.statements.building import Words, retirement_statement
from ledger.statements.disclosing import disclosure_statement
from ledger.statements.errors import InvalidStatementError
from ledger.statements.facts import Facts
from ledger.statements.model import Kind, Scope, Statement
from ledger.statements.reading import read_facts


def make(
    contracts: Contracts, kind: Kind, scope: Scope, *, block: int, revealed: Iterable[Words] = ()
) -> Statement:
    """The statement of a scope at a block; the issuer takes one that will not be re-organised away.

    Args:
        contracts: what it is read from.
        kind: a retirement statement is about an account; a disclosure about an account or a market.
        scope: what to say.
        block: the last block that counts.
        revealed: private texts of the retirements, as far as their holder reveals them.

    Raises:
        InvalidStatementError: scope and kind do not go together.
        CannotStateError: there is nothing to state or too much, or the chain does not say what is needed.
        ChainError: the chain is out of reach, has no such block, or forgot what is needed.
    """
    words = tuple(revealed)
    check_scope(kind, scope, words)
    return made_from(read_facts(contracts, scope, block, kind=kind), kind, scope, words)


def check_scope(kind: Kind, scope: Scope, revealed: Sequence[Words]) -> None:
    """Refuse a scope that its kind of statement would not heed.

    Raises:
        InvalidStatementError: scope and kind do not go together.
    """
    if kind is Kind.RETIREMENT and (scope.account is None or scope.factors is not None):
        raise InvalidStatementError("scope", "of a retirement statement must name an account and no factors")
    if kind is Kind.DISCLOSURE and (scope.transactions or revealed):
        raise InvalidStatementError("scope", "of a disclosure can choose no transactions and reveal no texts")


def made_from(facts: Facts, kind: Kind, scope: Scope, revealed: Sequence[Words]) -> Statement:
    """The statement that facts come to.

    Raises:
        CannotStateError: as `make`.
    """
    if kind is Kind.RETIREMENT:
        return retirement_statement(facts, scope, revealed)
    return disclosure_statement(facts, scope)
