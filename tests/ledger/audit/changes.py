"""Small changes of what a chain says, for `EditedChain`."""

from collections.abc import Callable
from typing import Any

from tests.ledger.audit.edited import Arguments, EditedChain

Tampering = Callable[[EditedChain], None]

NOBODY = b"\x13" * 20
MANY = 10**18


def plus(amount: int) -> Callable[[int], int]:
    return lambda value: value + amount


def flip(value: int) -> int:
    return value ^ 1


def put(name: str, value: object) -> Callable[[Arguments], None]:
    """Change an argument of a call."""

    def changed(arguments: Arguments) -> None:
        arguments[name] = value(arguments[name]) if callable(value) else value

    return changed


def first(name: str, **changes: object) -> Callable[[Arguments], None]:
    """Change fields of the first entry of a list in a call."""

    def changed(arguments: Arguments) -> None:
        for field, value in changes.items():
            entry = arguments[name][0]
            entry[field] = value(entry[field]) if callable(value) else value

    return changed


def with_fields(**changes: object) -> Callable[[Arguments], Arguments]:
    """Change fields of a struct in an event."""
    return lambda fields: {**fields, **changes}


def of(**values: Any) -> Callable[[Arguments], bool]:
    """The event with these arguments."""
    return lambda arguments: all(arguments[name] == value for name, value in values.items())
