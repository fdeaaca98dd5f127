"""Frozen dataclasses to plain JSON values and back, strictly: what is read is written again as it was.

Bytes are `0x` and lower-case hexadecimal digits, members of a StrEnum their text, tuples lists, dataclasses
objects with exactly the fields of the class. A certificate is its token id as 18 bytes: kind (1), device (8),
slot / 300 s (8), revision (1).
"""

import types
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ledger.certificates.ids import CertificateId, CertificateIdError
from ledger.hexcodec import from_data, to_data
from ledger.statements.errors import InvalidStatementError

T = TypeVar("T")

_CERTIFICATE_BYTES = 18


def to_plain(value: Any) -> Any:
    """A dataclass as values that JSON knows."""
    if isinstance(value, CertificateId):
        return to_data(int(value).to_bytes(_CERTIFICATE_BYTES))
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return to_data(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], value: object, where: str) -> T:
    """The dataclass `kind` behind a plain value; `where` names it in errors.

    Raises:
        InvalidStatementError: a field is missing, unknown or of another type, or the class refuses its value.
    """
    if not isinstance(value, dict):
        raise InvalidStatementError(where, f"is {_shown(value)}: must be an object")
    hints = get_type_hints(kind)
    if value.keys() != hints.keys():
        differing = ", ".join(sorted(value.keys() ^ hints.keys()))
        raise InvalidStatementError(where, f"has other fields than it must have: {differing}")
    return kind(**{name: _value(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})


def _value(hint: Any, value: object, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        options = [each for each in get_args(hint) if each is not types.NoneType]
        return None if value is None else _value(options[0], value, where)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InvalidStatementError(where, f"is {_shown(value)}: must be a list")
        return tuple(_value(get_args(hint)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if hint is CertificateId:
        return _certificate(value, where)
    if is_dataclass(hint):
        return from_plain(hint, value, where)  # type: ignore[arg-type]  # is_dataclass says it is a class
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: object, where: str) -> Any:
    if hint is bytes:
        return _bytes(value, where)
    if issubclass(hint, StrEnum):
        if value not in [each.value for each in hint]:
            raise InvalidStatementError(where, f"is {_shown(value)}: must be one of {', '.join(hint)}")
        return hint(value)
    if type(value) is not hint:
        raise InvalidStatementError(where, f"is {_shown(value)}: must be of type {hint.__name__}")
    return value


def _certificate(value: object, where: str) -> CertificateId:
    token_id = _bytes(value, where)
    if len(token_id) != _CERTIFICATE_BYTES:
        raise InvalidStatementError(where, f"has {len(token_id)} bytes: must be {_CERTIFICATE_BYTES}")
    try:
        return CertificateId.of(int.from_bytes(token_id))
    except CertificateIdError as error:
        raise InvalidStatementError(where, f"names no certificate: {error}") from error


def _bytes(value: object, where: str) -> bytes:
    try:
        data = from_data(value) if isinstance(value, str) else None
    except ValueError:
        data = None
    if data is None or to_data(data) != value:
        raise InvalidStatementError(where, f"is {_shown(value)}: must be 0x and lower-case hexadecimal digits")
    return data


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
