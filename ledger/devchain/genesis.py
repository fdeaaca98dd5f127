"""Beginning a chain, and making sure that a chain found on disk is the one that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth.abc import BlockHeaderAPI

from ledger.chain import Address
from ledger.devchain.accounts import DevAccount
from ledger.devchain.archive import Archive
from ledger.devchain.errors import GenesisMismatchError
from ledger.devchain.evm import Evm
from ledger.devchain.records import BlockRecord
from ledger.devchain.store import Store, Table

FUNDS_WEI = 1_000_000 * 10**18
"""What each development account owns in the first block."""

_CHAIN_ID = b"chain_id"
_ACCOUNTS = b"accounts"
_ADDRESS_BYTES = 20


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a chain began with: its EIP-155 chain id, and who owned the money of its first block."""

    chain_id: int
    addresses: tuple[Address, ...]


def begin(store: Store, evm: Evm, accounts: Sequence[DevAccount], timestamp: int) -> BlockHeaderAPI:
    """Write the first block and return its header."""
    addresses = _addresses(accounts)
    with store.writing():
        header = evm.create_genesis(dict.fromkeys(addresses, FUNDS_WEI), timestamp)
        Archive(store).append(BlockRecord(header, None))
        write(store, Beginning(evm.chain_id, addresses))
    return header


def write(store: Store, beginning: Beginning) -> None:
    """Remember what the chain began with; inside the store's write transaction."""
    store.put(Table.SETTINGS, _CHAIN_ID, beginning.chain_id.to_bytes(32))
    store.put(Table.SETTINGS, _ACCOUNTS, b"".join(beginning.addresses))


def read(store: Store) -> Beginning | None:
    """What the stored chain began with, or None if there is none."""
    chain_id, joined = store.get(Table.SETTINGS, _CHAIN_ID), store.get(Table.SETTINGS, _ACCOUNTS)
    if chain_id is None or joined is None:
        return None
    starts = range(0, len(joined), _ADDRESS_BYTES)
    return Beginning(int.from_bytes(chain_id), tuple(joined[start : start + _ADDRESS_BYTES] for start in starts))


def check(store: Store, chain_id: int, accounts: Sequence[DevAccount], timestamp: int | None) -> None:
    """Compare a stored chain's beginning with the one asked for; a `timestamp` of None fits any.

    Raises:
        GenesisMismatchError: they differ.
    """
    found, first = read(store), Archive(store).at(0)
    if found is None or first is None:
        raise GenesisMismatchError("the chain in the directory has no first block")
    if found.chain_id != chain_id:
        raise GenesisMismatchError(f"chain_id is {chain_id}: the chain in the directory has {found.chain_id}")
    if found.addresses != _addresses(accounts):
        raise GenesisMismatchError(
            f"accounts: {len(accounts)} asked for: the chain in the directory began with other ones, "
            f"{len(found.addresses)} of them"
        )
    if timestamp not in (None, first.header.timestamp):
        raise GenesisMismatchError(
            f"genesis_timestamp is {timestamp}: the chain in the directory began at {first.header.timestamp}"
        )


def _addresses(accounts: Sequence[DevAccount]) -> tuple[Address, ...]:
    return tuple(account.address for account in accounts)
