"""One JSON text for one value, so that a statement has one digest: RFC 8785, for the values that statements use.

Strings, integers up to 2**53 - 1 (RFC 7493: every reader knows them exactly), true, false, null, lists, and
objects with ASCII names. Of these, Python's compact JSON with sorted names is the canonical form; a test holds it
against the examples of the RFC.
"""

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

from ledger.statements.errors import InvalidStatementError

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_MOST_DEPTH = 32

MAX_INTEGER = 2**53 - 1
"""Largest integer, in either direction, that JSON carries between all programs unchanged."""


def encode(value: object) -> bytes:
    """The canonical text of a value, UTF-8.

    Raises:
        InvalidStatementError: it holds a number or text that has no canonical form here.
    """
    _check(value, "statement")
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    except UnicodeEncodeError as error:
        raise InvalidStatementError("statement", f"holds text that is not Unicode: {error.reason}") from error


def decode(text: bytes) -> Any:
    """The value behind a canonical text.

    Raises:
        InvalidStatementError: it is not JSON, or not the canonical text of its value.
    """
    if _depth(text) > _MOST_DEPTH:
        raise InvalidStatementError("statement", f"is nested more than {_MOST_DEPTH} deep")
    try:
        value = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
    except ValueError as error:
        raise InvalidStatementError("statement", f"is not JSON: {error}") from error
    if encode(value) != text:
        raise InvalidStatementError("statement", "is not in canonical form (RFC 8785)")
    return value


def _depth(text: bytes) -> int:
    """How deep lists and objects are nested: the parser recurses, and py-evm lifts the limit that guards it."""
    brackets = _BRACKETS.findall(_STRINGS.sub(b"", text))
    return max(accumulate((1 if bracket in b"[{" else -1 for bracket in brackets), initial=0))


def _refuse(text: str) -> NoReturn:
    raise InvalidStatementError("statement", f"holds the number {text}: must be an integer")


def _check(value: object, where: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise InvalidStatementError(where, f"holds the name {name!r}: must be ASCII")
            _check(item, f"{where}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check(item, f"{where}[{place}]")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InvalidStatementError(where, f"is {value}: must be at most {MAX_INTEGER} either way")
    elif value is not None and not isinstance(value, str):
        raise InvalidStatementError(where, f"is a {type(value).__name__}, which a statement cannot hold")
