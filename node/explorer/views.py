"""What the explorer shows, ready for JSON: bytes in hexadecimal, wei and decoded integers as decimal strings."""

from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Party:
    """An address, the name it is known by here, and which contract of ours is there."""

    address: str
    name: str | None
    contract: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A decoded call; `shown` has the same arguments as text for people."""

    contract: str
    function: str
    arguments: dict[str, Json]
    shown: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Event:
    """An event; what is decoded is None if no contract of ours has such an event."""

    emitter: Party
    transaction: str
    block: int
    log_index: int
    contract: str | None
    event: str | None
    arguments: dict[str, Json] | None
    shown: dict[str, Json] | None
    topics: list[str]
    data: str


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """A transaction in a list; `function` is None for plain transfers, deployments and foreign contracts."""

    hash: str
    block: int | None
    sender: Party
    to: Party | None
    function: str | None
    value_wei: str


@dataclass(frozen=True, slots=True)
class TransactionView:
    """A transaction and what became of it; what only mining tells is None while it waits.

    Attributes:
        created: the contract that it deployed.
        reason: why the contract refused, in its own words; None if it did not, or if that cannot be found out.
        reason_in_words: the same as a sentence.
        call: None for plain transfers, deployments and foreign contracts.
    """

    hash: str
    block: int | None
    block_hash: str | None
    timestamp: int | None
    sender: Party
    to: Party | None
    created: Party | None
    nonce: int
    value_wei: str
    gas: int
    gas_used: int | None
    succeeded: bool | None
    reason: str | None
    reason_in_words: str | None
    call: Call | None
    input: str
    events: list[Event]


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block; `timestamp` in Unix seconds."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee_wei: str
    gas_used: int
    transactions: list[TransactionLine]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks, the newest first; `next` is the `before` of the page that follows, None on the last one."""

    items: list[BlockView]
    next: int | None


@dataclass(frozen=True, slots=True)
class AddressView:
    """An address at the head.

    Attributes:
        nonce: how many transactions it has sent.
        events: those that it emitted, if it is a contract, else those that name it in an indexed argument; the
            newest first, from `first_block` to `last_block`.
        is_cut: whether there are more events in these blocks.
        next: the `before` of the page that follows; None if all blocks have been looked into.
    """

    party: Party
    balance_wei: str
    nonce: int
    code_bytes: int
    events: list[Event]
    first_block: int
    last_block: int
    is_cut: bool
    next: int | None
