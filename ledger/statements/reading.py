"""Reads from a chain what statements are made of, as of one block: events, headers, and what never changes.

No old state is asked for unless a role changed hands, so that a node that forgot its old states will do.
"""

from ledger.abi import Contract
from ledger.batches import unpack_reading
from ledger.certificates.history import read_history
from ledger.chain import Chain, ChainError, Transaction
from ledger.chain import transactions as transactions_of
from ledger.deployment import Contracts
from ledger.hexcodec import to_data
from ledger.statements.errors import CannotStateError
from ledger.statements.facts import Facts
from ledger.statements.model import ChainPoint, Kind, Scope

_ISSUER = 0
"""The number of the issuer's role in the Devices contract."""

_TRANSACTIONS_AT_ONCE = 64


class UnknownBlockError(ChainError):
    """The chain has no such block, or not yet."""

    code = "statement.block"


def read_facts(contracts: Contracts, scope: Scope, block: int, *, kind: Kind) -> Facts:
    """Everything that a statement of this scope needs, up to a block; deliveries if it is a disclosure.

    Raises:
        UnknownBlockError: the chain has no such block.
        CannotStateError: a delivery cannot be read.
        ChainError: the chain is out of reach, or forgot what is needed.
    """
    point = chain_point(contracts, block)
    return Facts(
        point=point,
        issuer=issuer_at(contracts.devices, block),
        history=read_history(contracts, last_block=block),
        deliveries=_deliveries(contracts, scope, block) if kind is Kind.DISCLOSURE else {},
        lifetime_s=contracts.certificates.read("lifetime_s"),
    )


def chain_point(contracts: Contracts, block: int) -> ChainPoint:
    """A block, and the contracts' addresses.

    Raises:
        UnknownBlockError: the chain has no such block.
    """
    chain = contracts.exchange.chain
    found = chain.block(block)
    if found is None:
        raise UnknownBlockError(f"the chain has no block {block}")
    return ChainPoint(
        chain_id=chain.chain_id,
        exchange=contracts.exchange.address,
        certificates=contracts.certificates.address,
        devices=contracts.devices.address,
        block=block,
        block_hash=found.hash,
        time=found.timestamp,
    )


def issuer_at(devices: Contract, block: int) -> bytes:
    """Who was issuer after a block: by the events of the role, and by old state only before the first of them.

    Raises:
        ChainError: the role was first handed over after the block, and the chain forgot the state of then.
    """
    taken = devices.events(
        ["RoleTaken"],
        first_block=0,
        last_block=devices.chain.head().number,
        topics=[_ISSUER.to_bytes(32)],
    )
    before = [event for event in taken if event.log.block_number <= block]
    if before:
        return bytes(before[-1].arguments["account"])
    return bytes(devices.read("issuer", block_number=block if taken else None))


def _deliveries(contracts: Contracts, scope: Scope, block: int) -> dict[tuple[bytes, int], int]:
    exchange = contracts.exchange
    events = exchange.events(
        ["Delivered"],
        first_block=_first_block_after(exchange.chain, scope.first_slot, block),
        last_block=block,
        topics=[] if scope.market is None else [scope.market],
    )
    slots = {
        event.log.transaction_hash: event.arguments["slot"]
        for event in events
        if scope.first_slot <= event.arguments["slot"] < scope.end_slot
    }
    found: dict[tuple[bytes, int], int] = {}
    wanted = list(slots)
    for start in range(0, len(wanted), _TRANSACTIONS_AT_ONCE):
        part = wanted[start : start + _TRANSACTIONS_AT_ONCE]
        for transaction_hash, transaction in zip(part, transactions_of(exchange.chain, part), strict=True):
            for account, consumption_wh in _delivered(exchange, transaction_hash, transaction):
                if scope.account in (None, account):
                    found[account, slots[transaction_hash]] = consumption_wh
    return found


def _delivered(
    exchange: Contract, transaction_hash: bytes, transaction: Transaction | None
) -> list[tuple[bytes, int]]:
    """What each member of a delivery consumed, which stands in its calldata only."""
    if transaction is None:
        raise ChainError(f"transaction {to_data(transaction_hash)} is gone, or the endpoint is")
    if transaction.to != exchange.address:
        raise CannotStateError(
            f"delivery {to_data(transaction_hash)} was not sent to the Exchange itself: it cannot be read"
        )
    _, arguments = exchange.interface.decode_call(transaction.input)
    readings = [unpack_reading(word) for word in arguments["readings"]]
    return [(reading.account, reading.consumption_wh) for reading in readings]


def _first_block_after(chain: Chain, time: int, last_block: int) -> int:
    """The first block later than a time, by bisection; one more than the last if there is none."""
    low, high = 0, last_block + 1
    while low < high:
        middle = (low + high) // 2
        found = chain.block(middle)
        if found is None:
            raise UnknownBlockError(f"the chain has no block {middle}")
        if found.timestamp > time:
            high = middle
        else:
            low = middle + 1
    return low
