"""Running messages and transactions on py-evm, without the parts of it that only a full node needs.

py-evm's own chain classes re-read, re-verify and re-hash what they have just made, as a node must that
imports other people's blocks. This chain makes all its blocks itself, so it uses py-evm's state and
virtual machine directly.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import rlp
from eth.abc import BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.constants import CREATE_CONTRACT_ADDRESS, MAX_PREV_HEADER_DEPTH
from eth.exceptions import (
    InsufficientFunds,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfGas,
    Revert,
    VMError,
    WriteProtection,
)
from eth.vm.chain_context import ChainContext
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.paris.computation import ParisComputation
from eth.vm.forks.paris.state import ParisState, ParisTransactionExecutor
from eth.vm.spoof import SpoofTransaction
from eth_hash.auto import keccak
from eth_typing import Address as EvmAddress
from eth_typing import Hash32

from ledger.chain import ZERO_ADDRESS, Address, Hash
from ledger.devchain.store import StateDatabase

BLOCK_GAS_LIMIT = 100_000_000
"""Constant. A transaction that settles 1,024 orders takes about 20 million."""

CALL_GAS_LIMIT = 2 * BLOCK_GAS_LIMIT
"""Gas of a message call, which nobody pays for: enough for any view, and still an end for an endless loop."""

CALL_STIPEND = 2_300
"""Gas that a call with value gets on top, out of nothing."""

INITIAL_BASE_FEE_WEI = 1_000_000_000

_GETH_WORDS: Mapping[type[VMError], str] = {
    Revert: "execution reverted",
    OutOfGas: "out of gas",
    InvalidInstruction: "invalid opcode",
    InvalidJumpDestination: "invalid jump destination",
    InsufficientFunds: "insufficient balance for transfer",
    WriteProtection: "write protection",
}

BlockHashes = Callable[[int], Hash | None]
"""Block hash by block number."""


class _Executor(ParisTransactionExecutor):
    def validate_transaction(self, transaction: SignedTransactionAPI) -> None:
        """Nothing: `ledger.devchain.admission` has checked it, and recovers the signer only once."""


class _Computation(ParisComputation):
    def extend_memory(self, start_position: int, size: int) -> None:
        """Charge for memory and extend it: a tenth of all time is saved by seeing first if there is enough."""
        if start_position + size > len(self._memory):
            super().extend_memory(start_position, size)


class _State(ParisState):
    computation_class = _Computation
    transaction_executor_class = _Executor


class _Vm(ParisVM):
    """The rules of Paris: London's instruction set, which our contracts are compiled for.

    Unlike London's they know no block reward and no mining difficulty, which would cost time and put
    unexplained money into the state; unlike later rules they write no system contracts into every block,
    and they reject the newer instructions that a London network would reject too.
    """

    _state_class = _State


@dataclass(frozen=True, slots=True)
class CallMessage:
    """A message to try out; `to` is None to create a contract, `gas` if it may have as much as there is."""

    to: Address | None
    data: bytes
    sender: Address = ZERO_ADDRESS
    value_wei: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulated message call did.

    Attributes:
        output: returned bytes; what it reverted with, if it did.
        error: None if it succeeded, else what went wrong, in geth's words.
        reverted: True if the contract itself refused; False for lack of gas, bad instructions and the like.
        gas_needed: gas limit that it takes: what it used before any refund.
        call_depth: how many levels of calls in calls it made; precompiled contracts count.
    """

    output: bytes
    error: str | None
    reverted: bool
    gas_needed: int
    call_depth: int = 0


class Evm:
    """py-evm over one state database.

    Args:
        database: trie nodes and contract code.
        chain_id: what the CHAINID instruction answers.
        block_hashes: what the BLOCKHASH instruction looks up.
    """

    def __init__(self, database: StateDatabase, chain_id: int, block_hashes: BlockHashes) -> None:
        self.chain_id = chain_id
        self._database = database
        self._context = ChainContext(chain_id)
        self._block_hashes = block_hashes

    def create_genesis(self, balances_wei: Mapping[Address, int], timestamp: int) -> BlockHeaderAPI:
        """Write the first state and return the first block's header."""
        header = _Vm.create_genesis_header(
            difficulty=0, gas_limit=BLOCK_GAS_LIMIT, timestamp=timestamp, base_fee_per_gas=INITIAL_BASE_FEE_WEI
        )
        state = self.state_at(header)
        for address, balance_wei in balances_wei.items():
            state.set_balance(EvmAddress(address), balance_wei)
        state.persist()
        return header.copy(state_root=state.state_root)

    def next_header(self, parent: BlockHeaderAPI, timestamp: int) -> BlockHeaderAPI:
        """The header of an empty block on `parent`."""
        header: BlockHeaderAPI = _Vm.create_header_from_parent(
            parent, gas_limit=parent.gas_limit, timestamp=timestamp
        )
        return header

    def state_at(self, header: BlockHeaderAPI) -> StateAPI:
        """The state that `header` names, in that block's surroundings.

        That is what the block left behind, or, for a header from `next_header`, what its parent did.
        """
        return _Vm.build_state(self._database, header, self._context, self._previous_hashes(header))

    def _previous_hashes(self, header: BlockHeaderAPI) -> Iterator[Hash32]:
        last = header.block_number - 1
        for number in range(last, max(-1, last - MAX_PREV_HEADER_DEPTH), -1):
            block_hash = self._block_hashes(number)
            if block_hash is not None:
                yield Hash32(block_hash)

    def execute(
        self, header: BlockHeaderAPI, state: StateAPI, transaction: SignedTransactionAPI
    ) -> tuple[BlockHeaderAPI, ReceiptAPI]:
        """Run an admitted transaction as the only one of the block, write its state, complete the header."""
        computation = state.apply_transaction(transaction)
        receipt = _Vm.make_receipt(header, transaction, computation, state)
        state.persist()
        mined = header.copy(
            state_root=state.state_root,
            transaction_root=_single_item_root(transaction.encode()),
            receipt_root=_single_item_root(receipt.encode()),
            bloom=receipt.bloom,
            gas_used=receipt.gas_used,
        )
        return mined, receipt

    def call(self, header: BlockHeaderAPI, message: CallMessage) -> Outcome:
        """Run a message in the surroundings of `header`, free of charge, and forget what it did."""
        return self._simulate(header, message, _allowed(message, CALL_GAS_LIMIT))

    def estimate(self, header: BlockHeaderAPI, message: CallMessage) -> Outcome:
        """The gas that a message needs as a transaction, from one run; a little too much, never too little.

        What it used with gas in plenty is enough, unless the contract calls others: each of them gets at most
        63/64 of what is left (EIP-150). So 1/63 is added for every level of calls in calls.
        """
        outcome = self._simulate(header, message, _allowed(message, header.gas_limit))
        gas = outcome.gas_needed
        for _ in range(outcome.call_depth):
            gas = gas * 64 // 63 + CALL_STIPEND
        return replace(outcome, gas_needed=min(gas, header.gas_limit))

    def _simulate(self, header: BlockHeaderAPI, message: CallMessage, gas: int) -> Outcome:
        # London takes a fee of zero only in a block whose base fee is zero.
        state = self.state_at(header.copy(base_fee_per_gas=0))
        sender = EvmAddress(message.sender)
        if state.get_balance(sender) < message.value_wei:
            return Outcome(b"", "insufficient funds for transfer", reverted=False, gas_needed=gas)
        unsigned = _Vm.create_unsigned_transaction(
            nonce=state.get_nonce(sender),
            gas_price=0,
            gas=gas,
            to=CREATE_CONTRACT_ADDRESS if message.to is None else EvmAddress(message.to),
            value=message.value_wei,
            data=message.data,
        )
        if gas < unsigned.intrinsic_gas:
            return Outcome(b"", "intrinsic gas too low", reverted=False, gas_needed=unsigned.intrinsic_gas)
        transaction = cast(SignedTransactionAPI, SpoofTransaction(unsigned, from_=sender))
        return _outcome(state.apply_transaction(transaction), gas)


def _allowed(message: CallMessage, limit: int) -> int:
    return limit if message.gas is None else min(message.gas, limit)


def _outcome(computation: ComputationAPI, gas: int) -> Outcome:
    error = computation.error if computation.is_error else None
    return Outcome(
        output=bytes(computation.output),
        error=None if error is None else _describe(error),
        reverted=isinstance(error, Revert),
        gas_needed=gas - computation.get_gas_remaining(),
        call_depth=_call_depth(computation),
    )


def _call_depth(computation: ComputationAPI) -> int:
    return max((1 + _call_depth(child) for child in computation.children), default=0)


def _describe(error: VMError) -> str:
    for kind, words in _GETH_WORDS.items():
        if isinstance(error, kind):
            return words
    return type(error).__name__


def _single_item_root(item: bytes) -> Hash:
    """Root hash of the Merkle-Patricia trie that holds only `item`, under index 0.

    That trie is one leaf, whose path is the hex-prefix encoding (yellow paper, appendix C) of rlp(0).
    """
    return keccak(rlp.encode([b"\x20\x80", item]))
