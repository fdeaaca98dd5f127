"""The development chain as an eth-tester chain, and web3 attached to it inside this process."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eth.abc import UnsignedTransactionAPI
from eth.vm.forks.paris.transactions import ParisTransactionBuilder
from eth_keys.main import lazy_key_api as keys
from eth_tester import EthereumTester
from eth_tester.backends.base import BaseChainBackend
from eth_tester.exceptions import (
    BlockNotFound,
    SnapshotNotFound,
    TransactionFailed,
    TransactionNotFound,
    ValidationError,
)

from ledger.chain import ZERO_ADDRESS, Address, Hash, TransactionRefusedError
from ledger.devchain.chain import DevChain
from ledger.devchain.errors import AutoMiningRequiredError, UnknownSnapshotError
from ledger.devchain.evm import CallMessage, Outcome
from ledger.devchain.fees import fee_history
from ledger.devchain.records import BlockRecord, Mined
from ledger.devchain.tester_views import View, block_view, log_view, receipt_view, transaction_view
from ledger.hexcodec import to_data
from ledger.reverts import ERROR_SELECTOR, revert_reason

if TYPE_CHECKING:
    from web3 import Web3

DEFAULT_FEE_WEI = 1_000_000_000
"""eth-tester's fee and tip per gas of a transaction that names none."""

MAX_FEE_HISTORY_BLOCKS = 1_024

HEAD_TAGS = ("latest", "pending", "safe", "finalized")
"""For state all the same: each block is final as soon as it is mined, and nothing ever waits."""

BlockName = int | str
Fields = Mapping[str, Any]
"""A transaction in eth-tester's names; bytes, not hexadecimal."""


class LastingBackend(BaseChainBackend):  # type: ignore[misc]  # eth-tester ships no types
    """A backend for `EthereumTester(backend=LastingBackend(chain))`; the chain stays the caller's to close.

    `EthereumTester` sends a transaction and then asks for the block that holds it; a `DevChain` has mined by
    the time it has accepted. So the block of a transaction sent here is handed over when it is asked for, and
    no other is mined for it. Until then its logs are shown as pending, lest filters count them twice.

    Differs from eth-tester's own backend in that
    - automatic mining cannot be disabled: a transaction sent while it is gets an `AutoMiningRequiredError`;
    - transactions must be signed for this chain (EIP-155), and refusals are `TransactionRefusedError`s;
    - blocks have no beneficiary;
    - a call's gas limit is not looked at;
    - the fee history is JSON-RPC's, oldest block first and with the next block's base fee.

    `EthereumTester`'s filters hear only of what is sent through it, not of what others do on the same chain.
    Not thread-safe, as `EthereumTester` is not.
    """

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._accounts = _private_keys(chain)
        self._snapshots: dict[int, int] = {}
        self._handed_in: Hash | None = None
        """The transaction whose block has not been asked for yet."""

    # Snapshots and time

    def take_snapshot(self) -> int:
        """Remember the present state. Lost when the chain is closed."""
        snapshot = self._chain.snapshot()
        self._snapshots[snapshot] = snapshot
        return snapshot

    def revert_to_snapshot(self, snapshot: int) -> None:
        """Return to a state, which may be returned to again.

        Raises:
            SnapshotNotFound: never taken, or later than one that has been returned to.
        """
        try:
            self._chain.revert(self._snapshots[snapshot])
        except (KeyError, UnknownSnapshotError) as error:
            raise SnapshotNotFound(f"No snapshot found for id: {snapshot}") from error
        self._snapshots[snapshot] = self._chain.snapshot()  # the chain's own serve once
        self._handed_in = None

    def reset_to_genesis(self) -> None:
        """Forget, on disk too, every block but the first; and every account that was added."""
        self._chain.reset()
        self._accounts = _private_keys(self._chain)
        self._snapshots = {}

    def time_travel(self, to_timestamp: int) -> int:
        """Mine a block that makes `to_timestamp` the time of the next one; returns it."""
        self._chain.set_next_timestamp(to_timestamp - 1)
        self._chain.mine()
        return to_timestamp

    def mine_blocks(self, num_blocks: int = 1, coinbase: Address = ZERO_ADDRESS) -> tuple[Hash, ...]:
        """Hashes of the next blocks; the first of them is that of the transaction sent last, if still due."""
        if coinbase != ZERO_ADDRESS:
            raise ValidationError(f"coinbase is {to_data(coinbase)}: this chain's blocks have no beneficiary")
        due, self._handed_in = self._handed_in, None
        record = None if due is None else self._chain.record_with_transaction(due)
        hashes = [] if record is None else [record.header.hash]
        return (*hashes, *self._chain.mine(num_blocks - len(hashes)))

    # Accounts and state

    def get_accounts(self) -> tuple[Address, ...]:
        """Whose transactions can be signed here."""
        return tuple(self._accounts)

    def add_account(self, private_key: bytes) -> None:
        """Sign for one more account, until this object goes."""
        key = keys.PrivateKey(private_key)
        self._accounts[key.public_key.to_canonical_address()] = private_key

    def get_nonce(self, account: Address, block_number: BlockName = "latest") -> int:
        """The account's next nonce after that block."""
        return self._chain.nonce(account, block_number=self._number(block_number))

    def get_balance(self, account: Address, block_number: BlockName = "latest") -> int:
        """Wei the account had after that block."""
        return self._chain.balance(account, block_number=self._number(block_number))

    def get_code(self, account: Address, block_number: BlockName = "latest") -> bytes:
        """Contract code after that block."""
        return self._chain.code(account, block_number=self._number(block_number))

    def get_storage(self, account: Address, slot: int, block_number: BlockName = "latest") -> int:
        """A word of a contract's storage after that block."""
        return self._chain.storage(account, slot, block_number=self._number(block_number))

    # Blocks, transactions, receipts, logs

    def get_block_by_number(self, block_number: BlockName, full_transaction: bool = True) -> View:
        """A block; `pending` is the next one as it would be without a transaction."""
        is_next = block_number == "pending"
        record = self._chain.next_record() if is_next else self._record(block_number)
        return block_view(record, with_transactions=full_transaction)

    def get_block_by_hash(self, block_hash: Hash, full_transaction: bool = True) -> View:
        """A block."""
        record = self._chain.record_with_hash(block_hash)
        if record is None:
            raise BlockNotFound(f"No block found for block hash: {to_data(block_hash)}")
        return block_view(record, with_transactions=full_transaction)

    def get_transaction_by_hash(self, transaction_hash: Hash) -> View:
        """A mined transaction, by index."""
        # EthereumTester asks for a transaction before its block only to keep it back from being mined.
        if transaction_hash == self._handed_in:
            raise AutoMiningRequiredError(
                "auto_mine_transactions is False: this chain mines each transaction at once, in a block of its own"
            )
        return transaction_view(*self._mined(transaction_hash))

    def get_transaction_receipt(self, transaction_hash: Hash) -> View:
        """A mined transaction's receipt, by index."""
        record, mined = self._mined(transaction_hash)
        return receipt_view(record, mined, is_pending=transaction_hash == self._handed_in)

    def get_logs(
        self,
        from_block: BlockName | None,
        to_block: BlockName | None,
        address: Address | Sequence[Address] | None,
        topics: Sequence[Hash | Sequence[Hash] | None] | None,
    ) -> list[View]:
        """What `EthereumTester.get_logs` finds by reading every block, by index; None means `latest`."""
        head = self._chain.head().number

        def number(block: BlockName | None) -> int:
            return block if isinstance(block, int) else 0 if block == "earliest" else head

        found = self._chain.logs(
            first_block=number(from_block), last_block=number(to_block), address=address, topics=topics or ()
        )
        return [log_view(log) for log in found]

    def get_fee_history(
        self, block_count: int = 1, newest_block: BlockName = "latest", reward_percentiles: Sequence[float] = ()
    ) -> View:
        """Gas and its prices in `block_count` blocks up to `newest_block`, as `eth_feeHistory` has them."""
        if not 1 <= block_count <= MAX_FEE_HISTORY_BLOCKS:
            raise ValidationError(
                f"block_count must be between 1 and {MAX_FEE_HISTORY_BLOCKS}. Got: {block_count}"
            )
        newest = self._record(newest_block).header.block_number
        oldest = max(0, newest - block_count + 1)
        found = fee_history(self._chain, oldest, newest)
        rewards = [[tip_wei] * len(reward_percentiles) for tip_wei in found.tips_wei]
        return {
            "oldest_block": oldest,
            "base_fee_per_gas": found.base_fees_wei,
            "gas_used_ratio": found.gas_used_ratios,
            "reward": rewards if reward_percentiles else [],
        }

    # Calls

    def call(self, transaction: Fields, block_number: BlockName = "latest") -> bytes:
        """What a message call returns.

        Raises:
            TransactionFailed: it reverted or failed; with the reason string, if there is one.
        """
        outcome = self._chain.run_call(_message(transaction), block_number=self._number(block_number))
        _raise_if_failed(outcome)
        return outcome.output

    def estimate_gas(self, transaction: Fields, block_number: BlockName = "latest") -> int:
        """Gas that the transaction needs; raises as `call` does."""
        outcome = self._chain.run_estimate(_message(transaction), block_number=self._number(block_number))
        _raise_if_failed(outcome)
        return outcome.gas_needed

    # Sending

    def send_transaction(self, transaction: Fields) -> Hash:
        """Sign with the sender's key, which must be a development key or have been added, and mine."""
        sender = transaction["from"]
        if sender not in self._accounts:
            raise ValidationError(f"from is {to_data(sender)}: no such account here")
        private_key = keys.PrivateKey(self._accounts[sender])
        chain_id = transaction.get("chain_id", self._chain.chain_id)
        signed = self._unsigned(transaction, chain_id).as_signed_transaction(private_key, chain_id=chain_id)
        return self.send_raw_transaction(signed.encode())

    def send_raw_transaction(self, raw_transaction: bytes) -> Hash:
        """Mine a signed transaction.

        Raises:
            TransactionRefusedError: as `DevChain.send` does.
        """
        self._handed_in = self._chain.send(raw_transaction)
        return self._handed_in

    def send_signed_transaction(self, transaction: Fields) -> Hash:
        """Refuse: only transactions that have been kept back arrive in this form."""
        raise AutoMiningRequiredError(
            f"nonce is {transaction['nonce']}: this chain does not mine transactions that were kept back"
        )

    def _unsigned(self, fields: Fields, chain_id: int) -> UnsignedTransactionAPI:
        if "authorization_list" in fields:
            raise TransactionRefusedError("transaction type not supported")
        common: dict[str, Any] = {
            "nonce": fields["nonce"] if "nonce" in fields else self._chain.nonce(fields["from"]),
            "gas": fields["gas"],
            "to": fields.get("to", b""),
            "value": fields.get("value", 0),
            "data": fields.get("data", b""),
        }
        typed = common | {"chain_id": chain_id, "access_list": fields.get("access_list", ())}
        builder = ParisTransactionBuilder
        if "gas_price" not in fields:
            return builder.new_unsigned_dynamic_fee_transaction(**typed | self._fees(fields))
        if "access_list" in fields:
            return builder.new_unsigned_access_list_transaction(**typed, gas_price=fields["gas_price"])
        return builder.create_unsigned_transaction(**common, gas_price=fields["gas_price"])

    def _fees(self, fields: Fields) -> dict[str, int]:
        base_fee_wei = self._chain.next_base_fee_wei()
        if "max_priority_fee_per_gas" in fields:
            tip_wei = fields["max_priority_fee_per_gas"]
            max_fee_wei = fields.get("max_fee_per_gas", tip_wei + 2 * base_fee_wei)
        else:
            max_fee_wei = fields.get("max_fee_per_gas", max(DEFAULT_FEE_WEI, base_fee_wei))
            tip_wei = min(DEFAULT_FEE_WEI, max_fee_wei)
        return {"max_fee_per_gas": max_fee_wei, "max_priority_fee_per_gas": tip_wei}

    # What is meant

    def _number(self, block: BlockName) -> int | None:
        """Its number; None for the head, on which calls see what the next block's transaction would."""
        return None if block in HEAD_TAGS else self._record(block).header.block_number

    def _record(self, block: BlockName) -> BlockRecord:
        if block in HEAD_TAGS:
            number: BlockName = self._chain.head().number
        else:
            number = 0 if block == "earliest" else block
        record = self._chain.record(number) if isinstance(number, int) else None
        if record is None:
            raise BlockNotFound(f"No block found for block number: {block}")
        return record

    def _mined(self, transaction_hash: Hash) -> tuple[BlockRecord, Mined]:
        record = self._chain.record_with_transaction(transaction_hash)
        if record is None or record.mined is None:
            raise TransactionNotFound(f"No transaction found for transaction hash: {to_data(transaction_hash)}")
        return record, record.mined


def connect(chain: DevChain) -> "Web3":
    """web3 on the chain, inside this process, for notebooks and tests; the chain stays the caller's to close.

    What web3's eth-tester provider otherwise answers by itself comes from the chain here: the chain id and
    the network's, the gas price, and logs, which it would look for in every block. The `EthereumTester` is
    `connect(chain).provider.ethereum_tester`.
    """
    # web3 takes a third of a second to load, which a node that does without it should not pay.
    from web3 import EthereumTesterProvider, Web3

    backend = LastingBackend(chain)
    return Web3(EthereumTesterProvider(EthereumTester(backend=backend), _endpoints(chain, backend)))


def _endpoints(chain: DevChain, backend: LastingBackend) -> dict[str, dict[str, Callable[..., Any]]]:
    from web3.providers.eth_tester.defaults import API_ENDPOINTS

    def logs(tester: EthereumTester, params: Sequence[Any]) -> list[View]:
        wanted = dict.fromkeys(("from_block", "to_block", "address", "topics")) | params[0]
        tester.validator.validate_inbound_filter_params(**wanted)
        found = backend.get_logs(*tester.normalizer.normalize_inbound_filter_params(**wanted))
        return [tester.normalizer.normalize_outbound_log_entry(log) for log in found]

    eth = {
        "chainId": lambda *_: chain.chain_id,
        "gasPrice": lambda *_: chain.next_base_fee_wei() + DEFAULT_FEE_WEI,
        "getLogs": logs,
    }
    net = {"version": lambda *_: str(chain.chain_id)}
    return API_ENDPOINTS | {"eth": API_ENDPOINTS["eth"] | eth, "net": API_ENDPOINTS["net"] | net}


def _private_keys(chain: DevChain) -> dict[Address, bytes]:
    return {account.address: account.private_key for account in chain.accounts}


def _message(fields: Fields) -> CallMessage:
    return CallMessage(
        to=fields.get("to") or None,
        data=fields.get("data", b""),
        sender=fields["from"],
        value_wei=fields.get("value", 0),
    )


def _raise_if_failed(outcome: Outcome) -> None:
    if outcome.error is None:
        return
    if not outcome.output:
        raise TransactionFailed(outcome.error)
    if outcome.output.startswith(ERROR_SELECTOR):
        raise TransactionFailed(revert_reason(outcome.output))
    # The form in which web3 looks for Solidity's panics (ContractPanicError) and custom errors.
    raise TransactionFailed(repr(outcome.output))
