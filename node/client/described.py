"""What all operations are described with: whose key signs, how answers are read, how lists are paged."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import httpx

from ledger.hexcodec import to_data
from ledger.keys import Key
from node.answers import Json
from node.client.calls import Call, Request
from node.client.errors import ApiProblemError, NoKeyError, UnexpectedAnswerError

_PAGE = 500

T = TypeVar("T")


class Described:
    """A client of one node, however it waits.

    Args:
        base_url: where the node's API is, e.g. `http://127.0.0.1:8000`.
        key: the member's key; without one, nothing can be signed.
        api_key: an API key that goes with every request, unless a method is given another.
    """

    def __init__(self, base_url: str, key: Key | None, api_key: str | None) -> None:
        self.base_url = base_url
        self._key = key
        self._api_key = api_key

    @property
    def _headers(self) -> dict[str, str]:
        """What goes with every request."""
        return {} if self._api_key is None else {"X-API-Key": self._api_key}

    @cached_property
    def account(self) -> bytes:
        """The member's account.

        Raises:
            NoKeyError: the client has no key.
        """
        return self._signer().address

    def _signer(self) -> Key:
        if self._key is None:
            raise NoKeyError(
                "no key to sign with: give one with --key or WATTBOOK_KEY, or as WattbookClient's key"
            )
        return self._key

    def _parsed(self, parse: Callable[[Json], T], answer: Json) -> T:
        try:
            return parse(answer)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnexpectedAnswerError(f"{self.base_url} does not answer like a node: {error!r}") from error

    def _read(self, path: str, parse: Callable[[Json], T], **params: Any) -> Call[T]:
        """What is at a path."""
        return self._parsed(parse, (yield from ask(Request("GET", path, params=given(params)))))

    def _list(self, path: str, parse: Callable[[Json], T], limit: int, **filters: Any) -> Call[list[T]]:
        """The first items of a list, page by page."""
        params = given(filters)
        found: list[T] = []
        while len(found) < limit:
            params["limit"] = min(limit - len(found), _PAGE)
            answer = yield from ask(Request("GET", path, params=dict(params)))
            found += self._parsed(lambda fields: [parse(item) for item in fields["items"]], answer)
            if answer["next"] is None:
                break
            params["cursor"] = answer["next"]
        return found


def ask(request: Request) -> Call[Json]:
    """The JSON object that a request is answered with."""
    return checked((yield from fetch(request)))


def fetch(request: Request) -> Call[httpx.Response]:
    """A request's answer, whatever it is."""
    response = yield request
    assert response is not None  # noqa: S101 -- only pauses have none
    return response


def given(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are not None, with bytes in hexadecimal."""
    return {
        name: to_data(value) if isinstance(value, bytes) else value
        for name, value in params.items()
        if value is not None
    }


def checked(response: httpx.Response) -> Json:
    """The JSON object that a node answers with.

    Raises:
        ApiProblemError: the node refused.
        UnexpectedAnswerError: it is not one.
    """
    try:
        answer = response.json()
    except ValueError as error:
        raise unexpected(response) from error
    if not isinstance(answer, dict):
        raise unexpected(response)
    if response.is_error:
        if not isinstance(answer.get("code"), str):
            raise unexpected(response)
        most_wh = answer.get("most_wh")
        raise ApiProblemError(
            answer["code"],
            response.status_code,
            str(answer.get("detail", "")),
            # What answers may be no node.
            most_wh=most_wh if isinstance(most_wh, int) else None,
            details=answer,
        )
    return answer


def unexpected(response: httpx.Response) -> UnexpectedAnswerError:
    """What is not answered like a node."""
    return UnexpectedAnswerError(
        f"{response.request.method} {response.request.url} is answered with status {response.status_code} and "
        f"{response.text[:80]!r}: not like a node"
    )
