"""What members, and some of it anybody, do on chain by themselves: nobody's consent or node is needed.

Every function sends transactions with the caller's own key and waits until they are mined. The contract decides;
its refusals come as `CallRevertedError`.
"""

from typing import Any

from ledger.abi import Contract
from ledger.batches import posted_words, unwind_calldata
from ledger.chain import ChainError, Receipt
from ledger.deployment import Contracts, transact
from ledger.eip712 import SignedOrder
from ledger.keys import Key
from ledger.market import read_account
from ledger.settlement import SlotPhase, settled_chunk


class NoMarketError(ChainError):
    """The account belongs to no market, and there is more than one, or none."""

    code = "chain.no_market"


class NoStakeError(ChainError):
    """The account has fewer credits, outside of escrow, than a challenge takes."""

    code = "challenge.no_stake"


def home_market(contracts: Contracts, account: bytes) -> bytes:
    """The account's market; if it is not a member of any, the only one that there is.

    Raises:
        NoMarketError: there is not just one.
    """
    own = read_account(contracts, account).market
    if own is not None:
        return own
    count = contracts.markets.read("market_count")
    if count != 1:
        raise NoMarketError(f"0x{account.hex()} is in no market, and there are {count}: name one")
    only: bytes = contracts.markets.read("market_of_number", 1)
    return only


def post_order(contracts: Contracts, key: Key, signed: SignedOrder) -> Receipt:
    """Put one's order on chain; what it may cost is set aside until its slot is closed.

    That is its limit price of a bid, and of an offer what its limit falls short of the retail price.
    """
    order = signed.order
    return _act(contracts.escrow, key, "post_order", order.market, order.slot, posted_words(signed))


def request_withdrawal(contracts: Contracts, key: Key, amount_nano: int) -> int:
    """Ask for credits back, instead of what was asked for before; returns when they can be taken, Unix seconds."""
    _act(contracts.escrow, key, "request_withdrawal", amount_nano)
    ready_at: int = contracts.escrow.read("withdrawals", key.address)["ready_at"]
    return ready_at


def withdraw(contracts: Contracts, key: Key) -> int:
    """Take what was asked for; returns the nano-credits paid out, which debts and trades may have made fewer."""
    receipt = _act(contracts.escrow, key, "withdraw")
    paid: int = _argument(contracts.escrow, receipt, "Withdrawn", "amount")
    return paid


def challenge(contracts: Contracts, key: Key, calldata: bytes) -> int:
    """Challenge the operator (`ledger.challenges` builds the calldata), and return the challenge's number.

    The stake is taken from the account's credits outside of escrow, and comes back if the challenge is upheld.

    Raises:
        NoStakeError: they are too few.
    """
    challenges = contracts.challenges
    _allow(contracts, key, challenges.read("terms")[0])
    number: int = _argument(challenges, transact(challenges, key, calldata), "Challenged", "number")
    return number


def post_bond(contracts: Contracts, key: Key, market: bytes, amount_nano: int) -> int:
    """Add to a market's bond from the key's credits outside of escrow; returns the bond, nano-credits.

    Raises:
        NoStakeError: they are too few.
        CallRevertedError: there is no such market.
    """
    _allow(contracts, key, amount_nano)
    _act(contracts.challenges, key, "post_bond", market, amount_nano)
    bond: int = contracts.challenges.read("bonds", market)
    return bond


def uphold(contracts: Contracts, key: Key, number: int) -> int:
    """Decide a challenge that was not answered in time, which freezes its market; returns what the bond paid."""
    receipt = _act(contracts.challenges, key, "uphold", number)
    paid: int = _argument(contracts.challenges, receipt, "Upheld", "paid")
    return paid


def void(contracts: Contracts, key: Key, market: bytes, slot: int) -> int:
    """Close a slot that was not settled in time, and take back whatever of it was; returns how many chunks.

    A slot that somebody voided already, and did not take back to the end, goes on from there.
    """
    exchange, taken_back = contracts.exchange, 0
    if exchange.read("slot_of", market, slot)["state"] != SlotPhase.UNWINDING:
        _act(exchange, key, "void", market, slot)
    while (found := exchange.read("slot_of", market, slot))["state"] == SlotPhase.UNWINDING:
        fills = settled_chunk(exchange, market, slot, found["chunks"] - 1)
        transact(exchange, key, unwind_calldata(exchange.interface.selector("unwind"), market, slot, fills))
        taken_back += 1
    return taken_back


def _allow(contracts: Contracts, key: Key, amount_nano: int) -> None:
    """Let the challenges' contract take this much of the key's credits."""
    credit, challenges = contracts.credit, contracts.challenges
    held = credit.read("balanceOf", key.address)
    if held < amount_nano:
        raise NoStakeError(
            f"this takes {amount_nano} nano-credits: 0x{key.address.hex()} has {held} outside of escrow "
            "(`wattbook withdraw` takes them out)"
        )
    if credit.read("allowance", key.address, challenges.address) < amount_nano:
        _act(credit, key, "approve", challenges.address, amount_nano)


def _act(contract: Contract, key: Key, function: str, *arguments: object) -> Receipt:
    return transact(contract, key, contract.interface.call(function, *arguments))


def _argument(contract: Contract, receipt: Receipt, event: str, argument: str) -> Any:
    logs = (log for log in receipt.logs if log.address == contract.address)
    found = (contract.interface.decode_event(log) for log in logs)
    return next(each.arguments[argument] for each in found if each is not None and each.name == event)
