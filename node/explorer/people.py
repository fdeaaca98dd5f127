"""Decoded arguments for programs and for people: as JSON, and as text with units, times and names.

Which unit an argument has follows from its name, as everywhere in the project; where standards have words of their
own for amounts, from the contract.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.hexcodec import to_data
from node.cli import units
from node.explorer.decoding import Decoded, Field
from node.explorer.packed import certificate_of, unpacked_struct, unpacked_word

Names = Callable[[bytes], str | None]
"""The name that someone is known by here, from the address."""

_WORD_OF_BITS = 2**64
_LATEST_TIME = 2**34
"""Numbers above are no times that anybody means: the year 2514."""


def _shown_time(value: int) -> str:
    return units.shown_time(value) if 0 < value < _LATEST_TIME else str(value)


_UNITS_BY_NAME: Mapping[str, Callable[[int], str]] = {
    "price": units.shown_price,
    "grid_fee": units.shown_price,
    "slot": _shown_time,
    "from_slot": _shown_time,
    "start": _shown_time,
    "deadline": _shown_time,
    "expiry": _shown_time,
}
_UNITS_BY_SUFFIX: Mapping[str, Callable[[int], str]] = {
    "_wh": units.shown_energy,
    "_nano": units.shown_money,
    "_price": units.shown_price,
    "_at": _shown_time,
    "_w": "{:,} W".format,
    "_s": "{:,} s".format,
}
_AMOUNTS = frozenset({"amount", "amounts", "value", "values", "_value", "_values", "paid", "debt_paid", "stake"})
_UNITS_OF_AMOUNTS: Mapping[str, Callable[[int], str]] = {
    "credit": units.shown_money,
    "escrow": units.shown_money,
    "challenges": units.shown_money,
    "energy": units.shown_energy,
    "certificates": units.shown_energy,
}
"""By contract."""


def for_programs(value: Any) -> Any:
    """As JSON: bytes in hexadecimal, and integers as decimal strings, as JavaScript's numbers end at 2**53."""
    match value:
        case bytes():
            return to_data(value)
        case bool():
            return value
        case int():
            return str(value)
        case list() | tuple():
            return [for_programs(item) for item in value]
        case dict():
            return {name: for_programs(item) for name, item in value.items()}
    return value


def for_people(decoded: Decoded, names: Names) -> dict[str, Any]:
    """The arguments as text; lists and structs keep their shape."""
    return {
        field["name"]: _shown(decoded.contract, field, field["type"], decoded.arguments[field["name"]], names)
        for field in decoded.fields
    }


def named(address: bytes, names: Names) -> str:
    """Such as `operator (0x…)`."""
    name = names(address)
    return to_data(address) if name is None else f"{printable(name)} ({to_data(address)})"


def printable(text: str) -> str:
    """The text without what would move a terminal's cursor or colour it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _shown(contract: str, field: Field, kind: str, value: Any, names: Names) -> Any:
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return [_shown(contract, field, inner, item, names) for item in value]
    if kind == "tuple":
        unpacked = unpacked_struct(value)
        if unpacked is not None:
            return _shown_unpacked(contract, unpacked, names)
        parts: list[Mapping[str, Any]] = field["components"]
        return {part["name"]: _shown(contract, part, part["type"], value[part["name"]], names) for part in parts}
    unpacked = unpacked_word(contract, field["name"], value) if isinstance(value, int) else None
    if unpacked is not None:
        return _shown_unpacked(contract, unpacked, names)
    return _leaf(contract, field["name"], kind, value, names)


def _shown_unpacked(contract: str, values: Mapping[str, Any], names: Names) -> dict[str, str]:
    """Of packed values, those that are bytes are addresses."""
    return {name: _leaf(contract, name, "address", value, names) for name, value in values.items()}


def _leaf(contract: str, name: str, kind: str, value: Any, names: Names) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return _number(contract, name, value)
        case bytes():
            return named(value, names) if kind == "address" else _bytes(kind, value)
    return printable(str(value))


def _number(contract: str, name: str, value: int) -> str:
    if name in _AMOUNTS and contract in _UNITS_OF_AMOUNTS:
        return _UNITS_OF_AMOUNTS[contract](value)
    certificate = certificate_of(contract, name, value)
    if certificate is not None:
        return _certificate(certificate)
    by_suffix = (unit for suffix, unit in _UNITS_BY_SUFFIX.items() if name.endswith(suffix))
    unit = _UNITS_BY_NAME.get(name) or next(by_suffix, _plain)
    return unit(value)


def _certificate(certificate: CertificateId) -> str:
    """What it is of, and its token id, by which other commands know it."""
    whose = f"{certificate.kind.name.lower()} of device {certificate.device}"
    if certificate.kind is CertificateKind.IMPORTED:
        whose = f"import {certificate.device}"
    revision = f", revision {certificate.revision}" if certificate.revision else ""
    return f"{whose}, {units.shown_time(certificate.slot)}{revision} ({int(certificate):#x})"


def _plain(value: int) -> str:
    """Numbers that nobody counts to are words of bits."""
    return str(value) if value < _WORD_OF_BITS else f"{value:#x}"


def _bytes(kind: str, value: bytes) -> str:
    """Names, a market's for one, are text that is filled up with zeros to 32 bytes; all else is hexadecimal."""
    text = value.rstrip(b"\0")
    if kind == "bytes32" and text:
        try:
            name = text.decode()
        except UnicodeDecodeError:
            return to_data(value)
        if name.isprintable():
            return name
    return to_data(value)
