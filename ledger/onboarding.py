"""Members and money come on chain. Registering looks first, so that repeating it does nothing."""

from collections.abc import Sequence

from ledger.deployment import Contracts, confirmed, transact
from ledger.keys import Key
from ledger.transactions import build
from matching.errors import WattbookError

_REGISTRATIONS_PER_TRANSACTION = 256
FIRST_NATIVE_WEI = 10**17
"""What an account gets with its first deposit: enough for dozens of withdrawals at usual gas prices."""


class ForeignMemberError(WattbookError):
    """An account belongs to another market already."""

    code = "member.foreign"


def register_members(contracts: Contracts, registrar: Key, market: bytes, accounts: Sequence[bytes]) -> None:
    """Make accounts members of a market, unless they are.

    Raises:
        ForeignMemberError: one belongs to another market.
    """
    escrow = contracts.escrow
    new = []
    for account in dict.fromkeys(accounts):  # once each, in their order
        number = contracts.exchange.read("account_of", account)["market_number"]
        if number == 0:
            new.append(account)
        elif contracts.markets.read("market_of_number", number) != market:
            raise ForeignMemberError(f"account 0x{account.hex()} is a member of market number {number}")
    for start in range(0, len(new), _REGISTRATIONS_PER_TRANSACTION):
        batch = new[start : start + _REGISTRATIONS_PER_TRANSACTION]
        transact(escrow, registrar, escrow.interface.call("register", market, batch))


def fund(contracts: Contracts, treasurer: Key, account: bytes, amount_nano: int) -> None:
    """Mint credits and put them into an account's escrow: what a treasurer does when money has arrived.

    An account without native money also gets some, so that it can pay for leaving without anybody's help.

    Not repeatable: each call is a payment. The caller keeps the books of what was paid in.
    """
    credit, escrow = contracts.credit, contracts.escrow
    if escrow.chain.balance(account) == 0:
        gift = build(escrow.chain, treasurer, to=account, data=b"", value_wei=FIRST_NATIVE_WEI)
        confirmed(escrow.chain, gift.raw)
    transact(credit, treasurer, credit.interface.call("mint", treasurer.address, amount_nano))
    transact(credit, treasurer, credit.interface.call("approve", escrow.address, amount_nano))
    transact(escrow, treasurer, escrow.interface.call("deposit", account, amount_nano))
