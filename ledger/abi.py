"""Calls, answers and events of a contract, encoded and decoded by its ABI."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi import abi as eth_abi
from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import registry
from eth_hash.auto import keccak

from contracts.artifacts import Artifact, artifacts
from ledger.chain import Chain, Log

_FIRST_SEARCH_BLOCKS = 1_024


@dataclass(frozen=True)
class Event:
    """A decoded event: `arguments` by name, addresses as 20 bytes, structs as dictionaries."""

    name: str
    arguments: dict[str, Any]
    log: Log


@dataclass(frozen=True)
class Interface:
    """One contract's ABI, ready to use. Addresses go in and come out as 20 bytes, structs as dictionaries."""

    artifact: Artifact

    @cached_property
    def _functions(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in self.artifact.abi if entry["type"] == "function"}

    @cached_property
    def _functions_by_selector(self) -> dict[bytes, dict[str, Any]]:
        return {self.selector(name): entry for name, entry in self._functions.items()}

    @cached_property
    def _events_by_topic(self) -> dict[bytes, dict[str, Any]]:
        return {self.topic(entry["name"]): entry for entry in self.artifact.abi if entry["type"] == "event"}

    @cached_property
    def _events(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in self.artifact.abi if entry["type"] == "event"}

    def has_function(self, name: str) -> bool:
        """Whether the contract has a function of this name."""
        return name in self._functions

    def creation(self, *arguments: object) -> bytes:
        """Data of the transaction that deploys the contract with these constructor arguments."""
        constructors = [entry["inputs"] for entry in self.artifact.abi if entry["type"] == "constructor"]
        return self.artifact.creation_code + _encode(constructors[0] if constructors else [], arguments)

    def selector(self, function: str) -> bytes:
        """The four bytes that name a function in calldata."""
        return keccak(_signature(self._functions[function]).encode())[:4]

    def call(self, function: str, *arguments: object) -> bytes:
        """Calldata for a function."""
        return self.selector(function) + _encode(self._functions[function]["inputs"], arguments)

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Name and arguments of a call to this contract.

        Raises:
            KeyError: no function of the contract has this selector.
        """
        entry = self._functions_by_selector[data[:4]]
        return entry["name"], _decode(entry["inputs"], data[4:])

    def decode_result(self, function: str, data: bytes) -> Any:
        """What a function returned: the value, or a tuple of several."""
        outputs = self._functions[function]["outputs"]
        named = [{**output, "name": str(i)} for i, output in enumerate(outputs)]
        values = tuple(_decode(named, data).values())
        return values[0] if len(values) == 1 else values

    def topic(self, event: str) -> bytes:
        """The first topic of an event's logs."""
        return keccak(_signature(self._events[event]).encode())

    def decode_event(self, log: Log) -> Event | None:
        """The event behind a log, or None if it is not one of this contract's."""
        entry = self._events_by_topic.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        indexed = [field for field in entry["inputs"] if field["indexed"]]
        arguments = {
            field["name"]: _decode([field], topic)[field["name"]]
            for field, topic in zip(indexed, log.topics[1:], strict=True)
        }
        arguments |= _decode([field for field in entry["inputs"] if not field["indexed"]], log.data)
        return Event(name=entry["name"], arguments=arguments, log=log)


@dataclass(frozen=True)
class Contract:
    """A deployed contract: where it is, and how to talk to it."""

    chain: Chain
    address: bytes
    interface: Interface

    def read(self, function: str, *arguments: object, block_number: int | None = None) -> Any:
        """Call a view function on the state after a block (default: the head).

        Raises:
            CallRevertedError: the contract refused.
        """
        data = self.interface.call(function, *arguments)
        answer = self.chain.call(self.address, data, block_number=block_number)
        return self.interface.decode_result(function, answer)

    def events(
        self,
        names: Sequence[str],
        *,
        first_block: int,
        last_block: int,
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
    ) -> list[Event]:
        """The contract's events with these names, in chain order; `topics` restricts the indexed fields."""
        logs = self.chain.logs(
            first_block=first_block,
            last_block=last_block,
            address=self.address,
            topics=[[self.interface.topic(name) for name in names], *topics],
        )
        decoded = (self.interface.decode_event(log) for log in logs)
        return [event for event in decoded if event is not None]

    def latest_event(self, name: str, *, topics: Sequence[bytes | Sequence[bytes] | None] = ()) -> Event | None:
        """The newest event of this name, searched for from the head backwards; None if there is none."""
        last, span = self.chain.head().number, _FIRST_SEARCH_BLOCKS
        while last >= 0:
            first = max(last - span + 1, 0)
            found = self.events([name], first_block=first, last_block=last, topics=topics)
            if found:
                return found[-1]
            last, span = first - 1, 2 * span
        return None


def interface(name: str) -> Interface:
    """The interface of one of our contracts, by its name in `contracts`, such as "exchange"."""
    return Interface(artifacts()[name])


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(_type(field) for field in entry['inputs'])})"


def _type(field: dict[str, Any]) -> str:
    kind: str = field["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in field['components'])})" + kind.removeprefix("tuple")


def _lenient_codec() -> ABICodec:
    """Decodes text that is not UTF-8, too: whoever may log a string must not keep others from reading the log."""
    own = copy(registry)
    own.unregister_decoder("string")
    decoder = StringDecoder(handle_string_errors="backslashreplace")  # type: ignore[no-untyped-call]  # in eth_abi
    own.register_decoder("string", decoder, label="string")
    return ABICodec(own)


_CODEC = _lenient_codec()


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """The values of these types behind ABI-encoded data, whatever text there is in them.

    Raises:
        DecodingError: the data (of `eth_abi`) are not that.
    """
    try:
        return _CODEC.decode(types, data)
    except OverflowError as error:  # eth_abi reads as many bytes as the data say there are
        message = "a length is larger than any memory"
        raise DecodingError(message) from error


def _encode(fields: Sequence[dict[str, Any]], arguments: Sequence[object]) -> bytes:
    values = [_outgoing(field, value) for field, value in zip(fields, arguments, strict=True)]
    return eth_abi.encode([_type(field) for field in fields], values)


def _decode(fields: Sequence[dict[str, Any]], data: bytes) -> dict[str, Any]:
    values = decode([_type(field) for field in fields], data)
    return {
        field["name"]: _incoming(field, field["type"], value) for field, value in zip(fields, values, strict=True)
    }


def _outgoing(field: dict[str, Any], value: Any) -> Any:
    if field["type"].startswith("tuple") and isinstance(value, dict):
        return tuple(_outgoing(part, value[part["name"]]) for part in field["components"])
    if field["type"].startswith("tuple["):
        element = {**field, "type": "tuple"}
        return [_outgoing(element, item) for item in value]
    return value


def _incoming(field: dict[str, Any], kind: str, value: Any) -> Any:
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return [_incoming(field, inner, item) for item in value]
    if kind == "tuple":
        return {
            part["name"]: _incoming(part, part["type"], item)
            for part, item in zip(field["components"], value, strict=True)
        }
    return bytes.fromhex(value[2:]) if kind == "address" else value
