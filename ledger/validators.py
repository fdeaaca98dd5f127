"""Who has to approve a market's settlements."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the contracts take long to import
    from ledger.deployment import Contracts

MAX_VALIDATORS = 16
"""Most validators that a market can name."""

# The number of a market's first validator among its roles; see `contracts/markets.vy`.
_FIRST_SEAT = 16


@dataclass(frozen=True, slots=True)
class Validators:
    """A market's validators by address, ascending, and how many of them must sign each settlement."""

    accounts: tuple[bytes, ...] = ()
    approvals_needed: int = 0


def read_validators(contracts: "Contracts", market: bytes) -> Validators:
    """The validators at the chain's head; seats are handed over now and then, their numbers never change.

    Raises:
        ChainUnavailableError: the chain is out of reach.
    """
    seats = range(contracts.markets.read("validator_count", market))
    accounts = (contracts.markets.read("holder_of", market, _FIRST_SEAT + seat) for seat in seats)
    return Validators(tuple(sorted(accounts)), contracts.markets.read("approvals_needed", market))


def may_have_taken(contracts: "Contracts", market: bytes, account: bytes, slot: int) -> bool:
    """Whether the account can have taken orders for the slot as the market's operator: then its receipts bind."""
    answer: bool = contracts.markets.read("may_have_taken", market, account, slot)
    return answer
