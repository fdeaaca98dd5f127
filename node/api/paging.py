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

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")]


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
    match _decode(cursor):
        case None:
            return None
        case [int() as first, int() as second]:
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
    if isinstance(found, list) and len(found) == count and all(type(each) is int for each in found):
        return tuple(found)
    raise _malformed(cursor)


def account_in(cursor: str | None) -> bytes | None:
    """The account in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [str() as account]:
            try:
                return from_data(account)
            except ValueError as error:
                raise _malformed(cursor) from error
    raise _malformed(cursor)


def step(cursor: str | None) -> tuple[int, str, int] | None:
    """The slot, step and attempt in a cursor.

    Raises:
        RequestError: it is not a cursor that we gave out.
    """
    match _decode(cursor):
        case None:
            return None
        case [int() as slot, str() as name, int() as attempt]:
            return slot, name, attempt
    raise _malformed(cursor)


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
