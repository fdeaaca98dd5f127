"""The blocks of the chain and the ways to find them: by number, by hash, by transaction, by event."""

from collections.abc import Sequence

from ledger.chain import Address, Hash, Log
from ledger.devchain import log_index
from ledger.devchain.records import BlockRecord
from ledger.devchain.store import Store, Table

NUMBER_BYTES = 8
MAX_NUMBER = 2 ** (8 * NUMBER_BYTES) - 1


class Archive:
    """Block records in a store, each block on top of the one before. Not thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self) -> BlockRecord | None:
        """The block on top, or None if there is no block at all."""
        key = self._store.last_key(Table.BLOCKS)
        return None if key is None else self.at(int.from_bytes(key))

    def at(self, number: int) -> BlockRecord | None:
        """The block with this number, or None."""
        if not 0 <= number <= MAX_NUMBER:
            return None
        stored = self._store.get(Table.BLOCKS, number.to_bytes(NUMBER_BYTES))
        return None if stored is None else BlockRecord.decode(stored)

    def with_hash(self, block_hash: Hash) -> BlockRecord | None:
        """The block with this hash, or None."""
        return self._by_hash(Table.BLOCK_NUMBERS, block_hash)

    def with_transaction(self, transaction_hash: Hash) -> BlockRecord | None:
        """The block that holds this transaction, or None."""
        return self._by_hash(Table.TRANSACTIONS, transaction_hash)

    def block_hash(self, number: int) -> Hash | None:
        """Hash of the block with this number, or None."""
        record = self.at(number)
        return None if record is None else record.header.hash

    def holds_transaction(self, transaction_hash: Hash) -> bool:
        """Whether this transaction has been mined."""
        return self._store.get(Table.TRANSACTIONS, transaction_hash) is not None

    def logs(
        self,
        first_block: int,
        last_block: int,
        address: Address | Sequence[Address] | None,
        topics: Sequence[Hash | Sequence[Hash] | None],
        at_least: int | None = None,
    ) -> list[Log]:
        """As `ledger.chain.Chain.logs`, but ends with the block in which so many as `at_least` are found."""
        wanted = log_index.LogFilter.of(address, topics)
        found: list[Log] = []
        for number in log_index.candidate_blocks(self._store, max(first_block, 0), last_block, wanted):
            record = self.at(number)
            found += [] if record is None else filter(wanted.matches, record.logs())
            if at_least is not None and len(found) >= at_least:
                break
        return found

    def append(self, record: BlockRecord) -> None:
        """Put a block on top; inside the store's write transaction."""
        number = record.header.block_number
        key = number.to_bytes(NUMBER_BYTES)
        self._store.put(Table.BLOCKS, key, record.encode())
        self._store.put(Table.BLOCK_NUMBERS, record.header.hash, key)
        if record.mined is not None:
            self._store.put(Table.TRANSACTIONS, record.mined.hash, key)
            log_index.add_block(self._store, number, record.logs())

    def truncate(self, last_block: int) -> None:
        """Remove every block above `last_block`; inside the store's write transaction."""
        while (record := self.newest()) is not None and record.header.block_number > last_block:
            number = record.header.block_number
            self._store.delete(Table.BLOCKS, number.to_bytes(NUMBER_BYTES))
            self._store.delete(Table.BLOCK_NUMBERS, record.header.hash)
            if record.mined is not None:
                self._store.delete(Table.TRANSACTIONS, record.mined.hash)
                log_index.remove_block(self._store, number, record.logs())

    def _by_hash(self, table: Table, key: Hash) -> BlockRecord | None:
        number = self._store.get(table, key)
        return None if number is None else self.at(int.from_bytes(number))
