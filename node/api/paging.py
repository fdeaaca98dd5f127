"""Pages of lists: keyset cursors, which stay right while rows are added."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from ledger.hexcodec import from_data
from node.problems import RequestError

MAX_LIMIT = 1_000

_MAX_INTEGER = 2**63 - 1
_MAX_CURSOR = 2_000

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="The `next` of the page before.")]


class Page(BaseModel, Generic[T]):
    """Some items of a list, and where the rest begins; `next` is null on the last page."""

    items: list[T]
    next: str | None


def cut(rows: Sequence[T], limit: int, key: Callable[[T], tuple[int | str, ...]]) -> tuple[list[T], str | None]:
    """The page and the cursor to the next, of rows of which one more than `limit` were asked for."""
    page = list(rows[:limit])
    return page, _encode(key(page[-1])) if len(rows) > limit else None


def numbers(cursor: str | None) -> tuple[int, int] | None:
    """The two numbers in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match integers(cursor, 2):
        case None:
            return None
        case (first, second):
            return first, second
    raise _malformed(cursor)


def integers(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """So many numbers in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    found = _decode(cursor)
    if found is None:
        return None
    if isinstance(found, list) and len(found) == count and all(_is_integer(each) for each in found):
        return tuple(found)
    raise _malformed(cursor)


def text_in(cursor: str | None) -> str | None:
    """The text in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [str() as text]:
            return text
    raise _malformed(cursor)


def number_name(cursor: str | None) -> int | None:
    """The number in a cursor, which has it as text, as numbers of 64 bits are written.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    text = text_in(cursor)
    if text is not None and not (text.isascii() and text.isdigit()):
        raise _malformed(cursor)
    return None if text is None else int(text)


def account_in(cursor: str | None) -> bytes | None:
    """The account in a cursor, which has it in hexadecimal.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    text = text_in(cursor)
    return None if text is None else _account(text, cursor)


def name_and_account(cursor: str | None) -> tuple[str, bytes] | None:
    """The name and the account in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [str() as name, str() as account]:
            return name, _account(account, cursor)
    raise _malformed(cursor)


def slot_and_account(cursor: str | None) -> tuple[int, bytes] | None:
    """The slot and the account in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [int() as slot, str() as account] if _is_integer(slot):
            return slot, _account(account, cursor)
    raise _malformed(cursor)


def step_in(cursor: str | None) -> tuple[int, str, int] | None:
    """The slot, step and attempt in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [int() as slot, str() as name, int() as attempt] if _is_integer(slot) and _is_integer(attempt):
            return slot, name, attempt
    raise _malformed(cursor)


def _is_integer(value: object) -> bool:
    """Whether it is one that a database takes; JSON's booleans are not."""
    return type(value) is int and abs(value) <= _MAX_INTEGER


def _account(text: str, cursor: str | None) -> bytes:
    try:
        return from_data(text)
    except ValueError as error:
        raise _malformed(cursor) from error


def _encode(key: tuple[int | str, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise _malformed(cursor) from error


def _malformed(cursor: str | None) -> RequestError:
    return RequestError(f"field 'cursor' is {cursor!r}: must be the 'next' of a page before", field="cursor")
