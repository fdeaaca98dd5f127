"""The events of Devices, Issuance and Certificates in chain order, each with where and when it happened.

Read window by window, so that the length of a chain does not matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ledger import chain as ports
from ledger.abi import Event
from ledger.chain import Chain, ChainError, Log
from ledger.deployment import Contracts

FIRST_WINDOW_BLOCKS = 2_000
_MOST_WINDOW_BLOCKS = 1_000_000
# Windows grow and shrink to hold about as many events.
_FEW_LOGS, _MANY_LOGS = 2_000, 8_000


class ChangedChainError(ChainError):
    """A re-organisation changed what was read: read it anew."""

    code = "certificates.changed"


@dataclass(frozen=True, slots=True)
class Point:
    """Where and when something happened on chain; `timestamp` in Unix seconds is its block's."""

    block: int
    transaction: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event of one of the three contracts."""

    event: Event
    point: Point


def occurrences(
    contracts: Contracts, first_block: int, last_block: int, *, window_blocks: int = FIRST_WINDOW_BLOCKS
) -> Iterator[Occurrence]:
    """Everything that Devices, Issuance and Certificates logged in these blocks.

    Raises:
        ChangedChainError: a block that was read is no longer there.
        ChainUnavailableError: the chain is out of reach.
    """
    chain = contracts.certificates.chain
    emitters = (contracts.devices, contracts.issuance, contracts.certificates)
    by_address = {contract.address: contract for contract in emitters}
    start, span = first_block, window_blocks
    while start <= last_block:
        end = min(start + span - 1, last_block)
        logs = chain.logs(first_block=start, last_block=end, address=list(by_address))
        timestamps = _timestamps(chain, logs)
        for (number, transaction), together in groupby(logs, lambda log: (log.block_number, log.transaction_hash)):
            point = Point(number, transaction, timestamps[number])  # one for all, as there are many
            for log in together:
                event = by_address[log.address].interface.decode_event(log)
                if event is not None:
                    yield Occurrence(event, point)
        start = end + 1
        if len(logs) > _MANY_LOGS:
            span = max(span // 2, 1)
        elif len(logs) < _FEW_LOGS:
            span = min(span * 2, _MOST_WINDOW_BLOCKS)


def _timestamps(chain: Chain, logs: Sequence[Log]) -> dict[int, int]:
    hashes = {log.block_number: log.block_hash for log in logs}
    found = ports.blocks(chain, list(hashes))
    for number, block in zip(hashes, found, strict=True):
        if block is None or block.hash != hashes[number]:
            raise ChangedChainError(f"block {number} was re-organised while it was read")
    return {block.number: block.timestamp for block in found if block is not None}
