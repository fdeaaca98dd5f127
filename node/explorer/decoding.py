"""Calls and events of our contracts, decoded by whatever the contracts' ABIs say.

Nothing here knows a function or an event by its name. An entry of an ABI is found by its selector or topic, first
in the contract that is known to be at the address, then in all of ours. So another version of a contract, and a
contract of others that follows the same standard, is understood as far as it is the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.exceptions import DecodingError

from contracts.artifacts import Artifact, artifacts
from ledger.abi import Interface
from ledger.chain import Log

SELECTOR_BYTES = 4

Field = Mapping[str, Any]
"""An input of a function or an event, as an ABI has it."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A call or an event.

    Attributes:
        contract: the contract whose ABI explains it.
        name: of the function or event.
        fields: what the ABI says of its arguments.
        arguments: by name, as `ledger.abi` decodes them.
    """

    contract: str
    name: str
    fields: tuple[Field, ...]
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of one contract's ABI, with an interface of its own: functions may share a name."""

    contract: str
    fields: tuple[Field, ...]
    interface: Interface

    @classmethod
    def of(cls, contract: str, entry: Mapping[str, Any]) -> "_Entry":
        inputs = [field | {"name": field["name"] or str(place)} for place, field in enumerate(entry["inputs"])]
        alone = Artifact(contract, [{**entry, "inputs": inputs}], b"", b"")
        return cls(contract, tuple(inputs), Interface(alone))


def decode_call(data: bytes, contract: str | None) -> Decoded | None:
    """The call in a transaction's input, or None if no contract of ours has such a function.

    `contract` is the name of the one that is called, if that is known.
    """
    for entry in _preferred(_functions().get(data[:SELECTOR_BYTES], ()), contract):
        try:
            name, arguments = entry.interface.decode_call(data)
        except (DecodingError, ValueError):
            continue
        return Decoded(entry.contract, name, entry.fields, arguments)
    return None


def decode_event(log: Log, contract: str | None) -> Decoded | None:
    """The event behind a log, or None if no contract of ours has it; `contract` as for `decode_call`."""
    key = (log.topics[0], len(log.topics)) if log.topics else None
    for entry in _preferred(_events().get(key, ()), contract):
        try:
            event = entry.interface.decode_event(log)
        except (DecodingError, ValueError):
            continue
        if event is not None:
            return Decoded(entry.contract, event.name, entry.fields, event.arguments)
    return None


def _preferred(entries: Iterable[_Entry], contract: str | None) -> list[_Entry]:
    return sorted(entries, key=lambda entry: entry.contract != contract)


@cache
def _functions() -> dict[bytes, list[_Entry]]:
    """By selector."""
    found: dict[bytes, list[_Entry]] = {}
    for contract, entry in _entries("function"):
        one = _Entry.of(contract, entry)
        found.setdefault(one.interface.selector(entry["name"]), []).append(one)
    return found


@cache
def _events() -> dict[tuple[bytes, int] | None, list[_Entry]]:
    """By first topic and number of topics: standards share names that differ only in what is indexed."""
    found: dict[tuple[bytes, int] | None, list[_Entry]] = {}
    for contract, entry in _entries("event"):
        one = _Entry.of(contract, entry)
        topics = 1 + sum(field["indexed"] for field in one.fields)
        found.setdefault((one.interface.topic(entry["name"]), topics), []).append(one)
    return found


def _entries(kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for contract, artifact in artifacts().items():
        for entry in artifact.abi:
            if entry["type"] == kind:
                yield contract, entry
