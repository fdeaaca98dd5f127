"""Plain values as JSON and back, by their type annotations: what a checkpoint is written in.

Bytes are hexadecimal, 0x first; money, energy and time are integers; the keys of dictionaries are strings, those
of several parts joined by a slash.
"""

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ledger.hexcodec import from_data, to_data

T = TypeVar("T")


def encoded(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, bytes):
        return to_data(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: encoded(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {_key(key): encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    return value


def decoded(kind: type[T], value: Any) -> T:
    """The inverse of `encoded`.

    Raises:
        ValueError: the JSON does not hold such a value; or TypeError, KeyError, AttributeError.
    """
    return cast("T", _decoded(kind, value))


def _decoded(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _decoded_union(arguments, value)
    if origin is list:
        return [_decoded(arguments[0], item) for item in value]
    if origin is tuple:
        parts = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        return tuple(_decoded(part, item) for part, item in zip(parts, value, strict=True))
    if origin is dict:
        return {_parsed_key(arguments[0], key): _decoded(arguments[1], item) for key, item in value.items()}
    return _decoded_plain(kind, value)


def _decoded_union(kinds: tuple[Any, ...], value: Any) -> Any:
    """One kind or None; or one of several dataclasses, the one that has these fields."""
    if value is None and NoneType in kinds:
        return None
    named = [each for each in kinds if each is not NoneType]
    return _decoded(next(each for each in named if len(named) == 1 or _hints(each).keys() == value.keys()), value)


def _decoded_plain(kind: Any, value: Any) -> Any:
    if kind is bytes:
        return from_data(value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        if value.keys() != hints.keys():
            raise ValueError(f"a {kind} has other fields: {sorted(value.keys() ^ hints.keys())}")
        return cast("Any", kind)(**{name: _decoded(hint, value[name]) for name, hint in hints.items()})
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    named = {field.name for field in fields(kind)}
    return {name: hint for name, hint in get_type_hints(kind).items() if name in named}


def _key(key: Any) -> str:
    if isinstance(key, tuple):
        return "/".join(_key(part) for part in key)
    return to_data(key) if isinstance(key, bytes) else str(key)


def _parsed_key(kind: Any, key: str) -> Any:
    if get_origin(kind) is tuple:
        parts = zip(get_args(kind), key.split("/"), strict=True)
        return tuple(_parsed_key(part, text) for part, text in parts)
    return from_data(key) if kind is bytes else kind(key)
