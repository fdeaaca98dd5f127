"""Beginning a chain, and making sure that a chain found on disk is the one that was asked for."""

from collections.abc import Sequence

from eth.abc import BlockHeaderAPI

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


def begin(store: Store, evm: Evm, accounts: Sequence[DevAccount], timestamp: int) -> BlockHeaderAPI:
    """Write the first block and return its header."""
    with store.writing():
        header = evm.create_genesis({account.address: FUNDS_WEI for account in accounts}, timestamp)
        Archive(store).append(BlockRecord(header, None))
        store.put(Table.SETTINGS, _CHAIN_ID, evm.chain_id.to_bytes(32))
        store.put(Table.SETTINGS, _ACCOUNTS, _addresses(accounts))
    return header


def check(store: Store, evm: Evm, accounts: Sequence[DevAccount], timestamp: int | None) -> None:
    """Compare a stored chain's beginning with the one asked for; a `timestamp` of None fits any.

    Raises:
        GenesisMismatchError: they differ.
    """
    chain_id = int.from_bytes(store.get(Table.SETTINGS, _CHAIN_ID) or b"")
    if chain_id != evm.chain_id:
        raise GenesisMismatchError(f"chain_id is {evm.chain_id}: the chain in the directory has {chain_id}")
    if store.get(Table.SETTINGS, _ACCOUNTS) != _addresses(accounts):
        raise GenesisMismatchError("accounts: the chain in the directory began with other ones")
    first = Archive(store).at(0)
    if first is None:
        raise GenesisMismatchError("the chain in the directory has no first block")
    if timestamp not in (None, first.header.timestamp):
        raise GenesisMismatchError(
            f"genesis_timestamp is {timestamp}: the chain in the directory began at {first.header.timestamp}"
        )


def _addresses(accounts: Sequence[DevAccount]) -> bytes:
    return b"".join(account.address for account in accounts)
