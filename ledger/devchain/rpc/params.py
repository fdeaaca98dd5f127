"""Reading a request's parameters: each reader names the parameter it finds fault with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ledger.chain import ZERO_ADDRESS, Address, Hash
from ledger.devchain.evm import CallMessage
from ledger.devchain.rpc.errors import InvalidParamsError
from ledger.hexcodec import from_data, from_quantity

ADDRESS_BYTES = 20
HASH_BYTES = 32
MAX_QUANTITY = 2**256 - 1
MAX_TOPICS = 4
"""As many as an event can have."""

MAX_ALTERNATIVES = 1_000
"""Of addresses, and of topics in one position; geth's limit too."""

MAX_CALL_GAS = 50_000_000
"""Gas of a call or estimate, geth's default too: everybody else waits while an endless loop uses it up."""

Json = Any
"""Whatever JSON can say; the readers below find out what it is."""

T = TypeVar("T")
D = TypeVar("D")


def positional(params: Sequence[Json], index: int, name: str) -> Json:
    """The parameter at `index`, which must be there."""
    if index >= len(params):
        raise InvalidParamsError(name, "missing")
    return params[index]


def optional(params: Sequence[Json], index: int, default: Json = None) -> Json:
    """The parameter at `index`, or the default if it was left out or is null."""
    value = params[index] if index < len(params) else None
    return default if value is None else value


def read_data(value: Json, name: str) -> bytes:
    """Bytes from `0x` and pairs of digits."""
    return _read(from_data, value, name)


def read_quantity(value: Json, name: str) -> int:
    """A number from `0x` and digits, or from a JSON number, which `evm_` methods are often given."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    number: int = value if is_number else _read(from_quantity, value, name)
    if not 0 <= number <= MAX_QUANTITY:
        raise InvalidParamsError(name, f"{number} is not between 0 and 2^256-1")
    return number


def read_address(value: Json, name: str) -> Address:
    """An address."""
    return _read_sized(value, ADDRESS_BYTES, name)


def read_hash(value: Json, name: str) -> Hash:
    """A 32-byte hash."""
    return _read_sized(value, HASH_BYTES, name)


def read_object(value: Json, name: str) -> dict[str, Json]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise InvalidParamsError(name, f"{value!r:.80} is not an object")
    return value


def read_field(fields: Mapping[str, Json], key: str, reader: Callable[[Json, str], T], default: D) -> T | D:
    """One member of an object, or the default if it is missing or null."""
    value = fields.get(key)
    return default if value is None else reader(value, key)


def read_call(value: Json, name: str) -> CallMessage:
    """A message call or unsigned transaction; its gas counts up to `MAX_CALL_GAS`, its fees are not looked at."""
    fields = read_object(value, name)
    data = read_field(fields, "input", read_data, None)
    return CallMessage(
        to=read_field(fields, "to", read_address, None),
        data=read_field(fields, "data", read_data, b"") if data is None else data,
        sender=read_field(fields, "from", read_address, ZERO_ADDRESS),
        value_wei=read_field(fields, "value", read_quantity, 0),
        gas=min(read_field(fields, "gas", read_quantity, MAX_CALL_GAS), MAX_CALL_GAS),
    )


def read_addresses(value: Json, name: str) -> list[Address]:
    """An address or a list of them."""
    return [read_address(item, name) for item in _alternatives(value, name)]


def read_topics(value: Json, name: str) -> list[list[Hash] | None]:
    """A list with, for each position, null, a topic, or a list of topics any of which will do."""
    if not isinstance(value, list):
        raise InvalidParamsError(name, f"{value!r:.80} is not a list")
    if len(value) > MAX_TOPICS:
        raise InvalidParamsError(name, f"{len(value)} positions, limit {MAX_TOPICS}")
    return [_read_topic(item, name) for item in value]


def _read_topic(value: Json, name: str) -> list[Hash] | None:
    if value is None or value == []:
        return None
    return [read_hash(item, name) for item in _alternatives(value, name)]


def _alternatives(value: Json, name: str) -> list[Json]:
    """Any of which will do; filters remember them, so there is a limit."""
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ALTERNATIVES:
        raise InvalidParamsError(name, f"{len(items)} of them, limit {MAX_ALTERNATIVES}")
    return items


def _read_sized(value: Json, size: int, name: str) -> bytes:
    data = read_data(value, name)
    if len(data) != size:
        raise InvalidParamsError(name, f"{len(data)} bytes instead of {size}")
    return data


def _read(decode: Callable[[str], T], value: Json, name: str) -> T:
    if not isinstance(value, str):
        raise InvalidParamsError(name, f"{value!r:.80} is not a hexadecimal string")
    try:
        return decode(value)
    except ValueError as error:
        raise InvalidParamsError(name, str(error)) from error
