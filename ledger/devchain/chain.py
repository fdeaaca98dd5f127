"""The development chain: an EVM chain in this process, kept on disk, one block per transaction."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from eth.abc import BlockHeaderAPI, StateAPI
from eth_typing import Address as EvmAddress

from ledger.chain import (
    ZERO_ADDRESS,
    Address,
    Block,
    CallRevertedError,
    Hash,
    Log,
    Receipt,
    Transaction,
    TransactionRefusedError,
)
from ledger.devchain import genesis
from ledger.devchain.accounts import DevAccount, dev_accounts
from ledger.devchain.admission import check_transaction, decode_transaction
from ledger.devchain.archive import Archive
from ledger.devchain.errors import InvalidTimeError, UnknownBlockError, UnknownSnapshotError
from ledger.devchain.evm import CallMessage, Evm, Outcome
from ledger.devchain.records import BlockRecord, Mined
from ledger.devchain.runtime import prepare_runtime
from ledger.devchain.store import StateDatabase, Store
from ledger.devchain.timekeeping import read_time_offset, write_time_offset
from ledger.reverts import revert_reason

DEFAULT_CHAIN_ID = 31337
"""What Hardhat's and Foundry's development chains use, so wallets know it as a local one."""

MAX_TIMESTAMP = 2**40 - 1
"""Latest Unix second a block may be given: the year 36812."""


class DevChain:
    """A `ledger.chain.Chain` on py-evm; open it with `DevChain.open`.

    Every accepted transaction is mined at once, alone in a block; when `send` returns, the block is on disk.
    A reverted transaction is mined too, and its receipt says so. Safe to use from several threads.

    Attributes:
        accounts: the accounts that own the money of the first block, with their keys.
    """

    def __init__(
        self,
        store: Store,
        head: BlockHeaderAPI,
        evm: Evm,
        clock: Callable[[], int],
        accounts: Sequence[DevAccount],
    ) -> None:
        self.accounts = tuple(accounts)
        self._lock = threading.RLock()
        self._store = store
        self._archive = Archive(store)
        self._evm = evm
        self._clock = clock
        self._head = head
        self._time_offset = read_time_offset(store)
        self._next_timestamp: int | None = None
        self._snapshots: dict[int, tuple[int, int]] = {}
        self._last_snapshot = 0

    @classmethod
    def open(
        cls,
        directory: Path | None,
        *,
        clock: Callable[[], int],
        chain_id: int | None = None,
        accounts: Sequence[DevAccount] | None = None,
        genesis_timestamp: int | None = None,
    ) -> "DevChain":
        """Open the chain in `directory`, or begin one there if there is none.

        Args:
            directory: where it lives; None for one that lives as long as the process.
            clock: the time now, Unix seconds.
            chain_id: EIP-155 chain id; transactions for any other are refused. Default: an existing chain's, or
                31337.
            accounts: who owns the money of the first block. Default: as many of the development mnemonic's as an
                existing chain began with, or 40.
            genesis_timestamp: time of the first block; default: now, or whatever an existing chain began with.

        Raises:
            DirectoryInUseError: another process has it open.
            GenesisMismatchError: it holds a chain with another chain id, other accounts or another beginning.
            SlowCryptographyError: compiled cryptography is missing.
        """
        prepare_runtime()
        with ExitStack() as on_failure:
            store = Store(directory)
            on_failure.callback(store.close)
            archive = Archive(store)
            newest, found = archive.newest(), genesis.read(store)
            if accounts is None:
                accounts = dev_accounts() if found is None else dev_accounts(len(found.addresses))
            if chain_id is None:
                chain_id = DEFAULT_CHAIN_ID if found is None else found.chain_id
            evm = Evm(StateDatabase(store), chain_id, archive.block_hash)
            if newest is None:
                timestamp = clock() if genesis_timestamp is None else genesis_timestamp
                head = genesis.begin(store, evm, accounts, timestamp)
            else:
                genesis.check(store, chain_id, accounts, genesis_timestamp)
                head = newest.header
            chain = cls(store, head, evm, clock, accounts)
            on_failure.pop_all()
        return chain

    def close(self) -> None:
        """Release the directory; the chain is of no use afterwards."""
        with self._lock:
            self._store.close()

    # What the ledger asks of a chain

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self._evm.chain_id

    def head(self) -> Block:
        """The newest mined block."""
        return self._record(None).block()

    def block(self, number: int) -> Block | None:
        """The block with this number, or None if there is none (yet)."""
        record = self.record(number)
        return None if record is None else record.block()

    def block_with_hash(self, block_hash: Hash) -> Block | None:
        """The block with this hash, or None."""
        record = self.record_with_hash(block_hash)
        return None if record is None else record.block()

    def call(
        self, to: Address, data: bytes, *, sender: Address = ZERO_ADDRESS, block_number: int | None = None
    ) -> bytes:
        """Run a message call, changing nothing.

        With a block number, the call sees what that block's transaction saw. Without, it sees what the next
        one would see, the clock's time included: blocks come only with transactions, so the head may be old.

        Raises:
            CallRevertedError: the contract refused, or failed.
            UnknownBlockError: there is no such block.
        """
        outcome = self.run_call(CallMessage(to, data, sender), block_number=block_number)
        _raise_if_failed(outcome)
        return outcome.output

    def estimate_gas(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Gas that the transaction would need if it came next, tried out.

        Raises:
            CallRevertedError: the contract refused, or failed, or needs more gas than a block has.
        """
        outcome = self.run_estimate(CallMessage(to, data, sender))
        _raise_if_failed(outcome)
        return outcome.gas_needed

    def nonce(self, address: Address, *, block_number: int | None = None) -> int:
        """How many transactions of `address` had been mined by then: the next one's nonce."""
        with self._lock:
            return int(self._state(block_number).get_nonce(EvmAddress(address)))

    def balance(self, address: Address, *, block_number: int | None = None) -> int:
        """Native balance in wei."""
        with self._lock:
            return int(self._state(block_number).get_balance(EvmAddress(address)))

    def code(self, address: Address, *, block_number: int | None = None) -> bytes:
        """Contract code; empty for an ordinary account."""
        with self._lock:
            return bytes(self._state(block_number).get_code(EvmAddress(address)))

    def send(self, raw: bytes) -> Hash:
        """Mine a signed transaction and return its hash; by then its block is durable.

        Raises:
            TransactionRefusedError: malformed, for another chain, already mined, or its nonce, gas, fees or
                funds do not fit.
        """
        transaction = decode_transaction(raw, self.chain_id)
        with self._lock:
            if self._archive.holds_transaction(transaction.hash):
                raise TransactionRefusedError("already known")
            header = self._next_header()
            state = self._evm.state_at(header)
            check_transaction(transaction, header, state)
            with self._store.writing():
                header, receipt = self._evm.execute(header, state, transaction)
                self._archive.append(BlockRecord(header, Mined(raw, transaction.sender, receipt.encode())))
            self._adopt(header)
        return bytes(transaction.hash)

    def transaction(self, transaction_hash: Hash) -> Transaction | None:
        """The transaction, or None if the chain does not know it."""
        record = self.record_with_transaction(transaction_hash)
        return None if record is None else record.transaction()

    def receipt(self, transaction_hash: Hash) -> Receipt | None:
        """The receipt, or None if the chain does not know the transaction."""
        record = self.record_with_transaction(transaction_hash)
        return None if record is None else record.receipt()

    def logs(
        self,
        *,
        first_block: int,
        last_block: int,
        address: Address | Sequence[Address] | None = None,
        topics: Sequence[Hash | Sequence[Hash] | None] = (),
        at_least: int | None = None,
    ) -> list[Log]:
        """Events in blocks `first_block` to `last_block`, both included, in chain order.

        The work grows with the number of blocks that match, not with the number searched. It ends early with the
        block in which so many as `at_least` are found, if that is given.
        """
        with self._lock:
            last_block = min(last_block, self._head.block_number)
            return self._archive.logs(first_block, last_block, address, topics, at_least)

    # What a JSON-RPC server needs beyond that

    def record(self, number: int) -> BlockRecord | None:
        """The block with this number as stored, or None."""
        with self._lock:
            return self._archive.at(number)

    def record_with_hash(self, block_hash: Hash) -> BlockRecord | None:
        """The block with this hash as stored, or None."""
        with self._lock:
            return self._archive.with_hash(block_hash)

    def record_with_transaction(self, transaction_hash: Hash) -> BlockRecord | None:
        """The block that holds this transaction as stored, or None."""
        with self._lock:
            return self._archive.with_transaction(transaction_hash)

    def storage(self, address: Address, key: int, *, block_number: int | None = None) -> int:
        """A word of a contract's storage."""
        with self._lock:
            return int(self._state(block_number).get_storage(EvmAddress(address), key))

    def next_record(self) -> BlockRecord:
        """The next block as it would be if it were mined now and without a transaction."""
        with self._lock:
            return BlockRecord(self._next_header(), None)

    def next_base_fee_wei(self) -> int:
        """Base fee per gas of the next block."""
        return self.next_record().base_fee_wei

    def run_call(self, message: CallMessage, *, block_number: int | None = None) -> Outcome:
        """As `call`, but tell how it went instead of raising."""
        with self._lock:
            header = self._next_header() if block_number is None else self._record(block_number).header
            return self._evm.call(header, message)

    def run_estimate(self, message: CallMessage, *, block_number: int | None = None) -> Outcome:
        """As `estimate_gas`, but tell how it went instead of raising; `block_number` as for `call`."""
        with self._lock:
            header = self._next_header() if block_number is None else self._record(block_number).header
            return self._evm.estimate(header, message)

    # What only a development chain can do

    def mine(self, count: int = 1) -> list[Hash]:
        """Append blocks without transactions; returns their hashes."""
        hashes: list[Hash] = []
        with self._lock:
            for _ in range(count):
                header = self._next_header()
                with self._store.writing():
                    self._archive.append(BlockRecord(header, None))
                self._adopt(header)
                hashes.append(header.hash)
        return hashes

    def advance_time(self, seconds: int) -> int:
        """Let the chain's time run ahead of the clock by this much more; returns how far ahead it is.

        Raises:
            InvalidTimeError: it is negative, or leads beyond `MAX_TIMESTAMP`.
        """
        with self._lock:
            if not 0 <= seconds <= MAX_TIMESTAMP - self._now():
                raise InvalidTimeError(f"seconds is {seconds}: time only advances, and to {MAX_TIMESTAMP} at most")
            self._set_time_offset(self._time_offset + seconds)
            return self._time_offset

    def set_next_timestamp(self, timestamp: int) -> None:
        """Give the next block this time, Unix seconds, and let time run on from there.

        Raises:
            InvalidTimeError: it does not lie after the head, or is beyond `MAX_TIMESTAMP`.
        """
        with self._lock:
            if not self._head.timestamp < timestamp <= MAX_TIMESTAMP:
                raise InvalidTimeError(
                    f"timestamp is {timestamp}: the head has {self._head.timestamp}, the limit is {MAX_TIMESTAMP}"
                )
            self._next_timestamp = timestamp
            self._set_time_offset(timestamp - self._clock())

    def snapshot(self) -> int:
        """Remember the present state; the number returned is for `revert`. Lost when the chain is closed."""
        with self._lock:
            self._last_snapshot += 1
            self._snapshots[self._last_snapshot] = (self._head.block_number, self._time_offset)
            return self._last_snapshot

    def revert(self, snapshot: int) -> None:
        """Forget every block and every snapshot since this one, and this one too.

        Raises:
            UnknownSnapshotError: there is no such snapshot.
        """
        with self._lock:
            if snapshot not in self._snapshots:
                raise UnknownSnapshotError(f"snapshot is {snapshot}: never taken, or dropped by a revert")
            number, time_offset = self._snapshots[snapshot]
            self._snapshots = {key: value for key, value in self._snapshots.items() if key < snapshot}
            self._return_to(number, time_offset)

    def reset(self) -> None:
        """Forget all but the first block: later ones, snapshots, and that time ran ahead of the clock."""
        with self._lock:
            self._snapshots = {}
            self._return_to(0, time_offset=0)

    # Helpers; their callers hold the lock

    def _record(self, number: int | None) -> BlockRecord:
        with self._lock:
            wanted = self._head.block_number if number is None else number
            record = self._archive.at(wanted)
        if record is None:
            raise UnknownBlockError(f"block number is {number}: the head is {self._head.block_number}")
        return record

    def _state(self, block_number: int | None) -> StateAPI:
        return self._evm.state_at(self._head if block_number is None else self._record(block_number).header)

    def _next_header(self) -> BlockHeaderAPI:
        timestamp = self._now() if self._next_timestamp is None else self._next_timestamp
        return self._evm.next_header(self._head, max(self._head.timestamp + 1, timestamp))

    def _return_to(self, number: int, time_offset: int) -> None:
        with self._store.writing():
            self._archive.truncate(number)
        self._adopt(self._record(number).header)
        self._set_time_offset(time_offset)

    def _now(self) -> int:
        return self._clock() + self._time_offset

    def _adopt(self, head: BlockHeaderAPI) -> None:
        self._head = head
        self._next_timestamp = None

    def _set_time_offset(self, seconds: int) -> None:
        with self._store.writing():
            write_time_offset(self._store, seconds)
        self._time_offset = seconds


def _raise_if_failed(outcome: Outcome) -> None:
    if outcome.reverted:
        raise CallRevertedError(revert_reason(outcome.output))
    if outcome.error is not None:
        raise CallRevertedError(outcome.error)
