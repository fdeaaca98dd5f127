"""Blocks, transactions and addresses of a chain, as people want to see them."""

from collections.abc import Sequence
from copy import copy
from typing import Protocol, runtime_checkable

from ledger import chain as chains
from ledger.chain import Address, Block, CallRevertedError, Chain, ChainError, Hash, Log, Receipt, Transaction
from ledger.hexcodec import to_data
from node.explorer.decoding import Decoded, decode_call, decode_event
from node.explorer.people import Names, for_people, for_programs
from node.explorer.recognition import Recognition
from node.explorer.views import (
    AddressView,
    Blocks,
    BlockView,
    Call,
    Event,
    Party,
    TransactionLine,
    TransactionView,
)
from node.reasons import in_words

EVENT_WINDOW = 1_000
"""How many blocks one page of an address's events looks into."""

MAX_INDEXED = 3
OUT_OF_GAS = "out of gas"


@runtime_checkable
class LookUpByHash(Protocol):
    """A chain that finds a block by its hash."""

    def block_with_hash(self, block_hash: Hash) -> Block | None:
        """The block with this hash, or None."""


class Explorer:
    """Looks into a chain. Every method may raise `ChainUnavailableError`.

    Args:
        chain: the chain.
        names: the names that people and parties are known by.
    """

    def __init__(self, chain: Chain, names: Names) -> None:
        self._chain = chain
        self._names = names
        self._recognition = Recognition(chain)

    def naming(self, names: Names) -> "Explorer":
        """The same explorer with other names."""
        other = copy(self)
        other._names = names
        return other

    def blocks(self, *, before: int | None, limit: int) -> Blocks:
        """The newest blocks with a number below `before`, or of all."""
        newest = self._chain.head().number
        newest = newest if before is None else min(newest, before - 1)
        oldest = max(0, newest - limit + 1)
        found = chains.blocks(self._chain, range(newest, oldest - 1, -1))
        lines = self._lines([hash_ for block in found if block is not None for hash_ in block.transaction_hashes])
        return Blocks(
            items=[self._block(block, lines) for block in found if block is not None],
            next=oldest if oldest > 0 else None,
        )

    def block(self, number_or_hash: int | Hash) -> BlockView | None:
        """A block, or None if there is none."""
        if isinstance(number_or_hash, int):
            block = self._chain.block(number_or_hash)
        elif isinstance(self._chain, LookUpByHash):
            block = self._chain.block_with_hash(number_or_hash)
        else:
            block = None
        return None if block is None else self._block(block, self._lines(block.transaction_hashes))

    def transaction(self, transaction_hash: Hash) -> TransactionView | None:
        """A transaction with its call and its events, or None if the chain does not know it."""
        found = self._chain.transaction(transaction_hash)
        if found is None:
            return None
        receipt = self._chain.receipt(transaction_hash)
        block = None if receipt is None else self._chain.block(receipt.block_number)
        reason = None if receipt is None else self._reason(found, receipt)
        created = None if receipt is None else receipt.contract_address
        return TransactionView(
            hash=to_data(found.hash),
            block=None if receipt is None else receipt.block_number,
            block_hash=None if receipt is None else to_data(receipt.block_hash),
            timestamp=None if block is None else block.timestamp,
            sender=self.party(found.sender),
            to=None if found.to is None else self.party(found.to),
            created=None if created is None else self.party(created),
            nonce=found.nonce,
            value_wei=str(found.value_wei),
            gas=found.gas,
            gas_used=None if receipt is None else receipt.gas_used,
            succeeded=None if receipt is None else receipt.succeeded,
            reason=reason,
            reason_in_words=None if reason is None else in_words(reason),
            call=self._call(found),
            input=to_data(found.input),
            events=[] if receipt is None else [self._event(log) for log in receipt.logs],
        )

    def address(self, address: Address, *, before: int | None, limit: int) -> AddressView:
        """An address, and what happened to it in the `EVENT_WINDOW` blocks below `before`, or the newest."""
        newest = self._chain.head().number
        last = newest if before is None else min(newest, before - 1)
        first = max(0, last - EVENT_WINDOW + 1)
        code = self._chain.code(address)
        logs = self._logs(address, first, last, emitted=bool(code))
        return AddressView(
            party=self.party(address),
            balance_wei=str(self._chain.balance(address)),
            nonce=self._chain.nonce(address),
            code_bytes=len(code),
            events=[self._event(log) for log in logs[:limit]],
            first_block=first,
            last_block=last,
            is_cut=len(logs) > limit,
            next=first if first > 0 else None,
        )

    def party(self, address: Address) -> Party:
        """Who or what is at an address."""
        return Party(to_data(address), self._names(address), self._recognition.contract_at(address))

    def _name(self, address: Address) -> str | None:
        return self._names(address) or self._recognition.contract_at(address)

    def _block(self, block: Block, lines: dict[Hash, TransactionLine]) -> BlockView:
        return BlockView(
            number=block.number,
            hash=to_data(block.hash),
            parent_hash=to_data(block.parent_hash),
            timestamp=block.timestamp,
            base_fee_wei=str(block.base_fee_wei),
            gas_used=block.gas_used,
            transactions=[lines[hash_] for hash_ in block.transaction_hashes if hash_ in lines],
        )

    def _lines(self, hashes: Sequence[Hash]) -> dict[Hash, TransactionLine]:
        found = chains.transactions(self._chain, hashes)
        return {one.hash: self._line(one) for one in found if one is not None}

    def _line(self, found: Transaction) -> TransactionLine:
        decoded = self._decoded(found)
        return TransactionLine(
            hash=to_data(found.hash),
            block=found.block_number,
            sender=self.party(found.sender),
            to=None if found.to is None else self.party(found.to),
            function=None if decoded is None else decoded.name,
            value_wei=str(found.value_wei),
        )

    def _decoded(self, found: Transaction) -> Decoded | None:
        if found.to is None:
            return None
        return decode_call(found.input, self._recognition.contract_at(found.to))

    def _call(self, found: Transaction) -> Call | None:
        decoded = self._decoded(found)
        if decoded is None:
            return None
        return Call(
            contract=decoded.contract,
            function=decoded.name,
            arguments=for_programs(decoded.arguments),
            shown=for_people(decoded, self._name),
        )

    def _event(self, log: Log) -> Event:
        emitter = self.party(log.address)
        decoded = decode_event(log, emitter.contract)
        return Event(
            emitter=emitter,
            transaction=to_data(log.transaction_hash),
            block=log.block_number,
            log_index=log.log_index,
            contract=None if decoded is None else decoded.contract,
            event=None if decoded is None else decoded.name,
            arguments=None if decoded is None else for_programs(decoded.arguments),
            shown=None if decoded is None else for_people(decoded, self._name),
            topics=[to_data(topic) for topic in log.topics],
            data=to_data(log.data),
        )

    def _logs(self, address: Address, first: int, last: int, *, emitted: bool) -> list[Log]:
        """The newest first."""
        if emitted:
            logs = self._chain.logs(first_block=first, last_block=last, address=address)
        else:
            topic = address.rjust(32, b"\0")
            found = {
                (log.block_number, log.log_index): log
                for place in range(1, MAX_INDEXED + 1)
                for log in self._chain.logs(first_block=first, last_block=last, topics=[*[None] * place, topic])
            }
            logs = [found[key] for key in sorted(found)]
        return logs[::-1]

    def _reason(self, found: Transaction, receipt: Receipt) -> str | None:
        """Why a transaction failed: what the same call says on the state before its block.

        It may say nothing, if an earlier transaction of the block or the block's time was the cause, or if the
        endpoint no longer has the state.
        """
        if receipt.succeeded or found.to is None:
            return None
        try:
            self._chain.call(found.to, found.input, sender=found.sender, block_number=receipt.block_number - 1)
        except CallRevertedError as error:
            return error.reason
        except ChainError:
            return None
        return OUT_OF_GAS if receipt.gas_used >= found.gas else None
