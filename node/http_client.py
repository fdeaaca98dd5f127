"""How a client talks to a node over HTTP: requests that can be repeated, answers that are checked, refusals."""

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import httpx

from ledger.keys import Key
from matching.errors import WattbookError
from node.answers import Json

# The operator's steps on chain happen while it answers.
_TIMEOUT_S = 120.0
# A file of 100,000 readings takes minutes to check.
_FILE_TIMEOUT_S = 3_600.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PAGE = 500

T = TypeVar("T")


class ApiProblemError(WattbookError):
    """The node refused.

    Attributes:
        code: the problem's stable code, e.g. `order.uncovered`.
        status: the HTTP status.
        detail: what was wrong, in words.
        most_wh: the most energy that it could have been, Wh; None if the problem is another.
    """

    def __init__(self, code: str, status: int, detail: str, *, most_wh: int | None = None) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.status = status
        self.detail = detail
        self.most_wh = most_wh


class UnreachableError(WattbookError):
    """No answer came in time; the request may have taken effect, and may be repeated."""

    code = "client.unreachable"


class UnexpectedAnswerError(WattbookError):
    """The answer is not one that a node gives."""

    code = "client.answer"


class NoKeyError(WattbookError):
    """Something was to be signed, but the client has no key."""

    code = "client.no_key"


class HttpClient:
    """The connections to one node, and perhaps a member's key. Thread-safe.

    Every request can be repeated without harm, so lost connections are tried again until patience runs out.

    Args:
        base_url: where the node's API is, e.g. `http://127.0.0.1:8000`.
        key: the member's key; without one, nothing can be signed.
        patience_s: how long to keep trying to reach the node, seconds.
    """

    def __init__(self, base_url: str, key: Key | None = None, *, patience_s: float = 10.0) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT_S)
        self._key = key
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
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

    def _list(self, path: str, parse: Callable[[Json], T], limit: int, **filters: int | str | None) -> list[T]:
        params: Json = {name: value for name, value in filters.items() if value is not None}
        found: list[T] = []
        while len(found) < limit:
            params["limit"] = min(limit - len(found), _PAGE)
            answer = self._request("GET", path, params=params)
            found += self._parsed(lambda fields: [parse(item) for item in fields["items"]], answer)
            if answer["next"] is None:
                break
            params["cursor"] = answer["next"]
        return found

    def _content(self, path: str, **details: Any) -> bytes:
        """What is answered with something else than JSON."""
        response = self._send("GET", path, **details)
        if response.is_error:
            _checked(response)
        return response.content

    def _lines(self, path: str, content: IO[bytes], **details: Any) -> list[Json]:
        """What is answered to a file, JSON line by JSON line. Once only: a file is not sent again by itself.

        Raises:
            UnreachableError: no answer, or not all of it; what was taken stays taken, and may be sent again.
        """
        try:
            response = self._http.post(path, content=content, timeout=_FILE_TIMEOUT_S, **details)
        except httpx.TransportError as error:
            raise UnreachableError(f"no answer from {self._http.base_url}: {error}") from error
        if response.is_error:
            _checked(response)
        try:
            return [json.loads(line) for line in response.text.splitlines()]
        except ValueError as error:
            raise _unexpected(response) from error

    def _request(self, method: str, path: str, **details: Any) -> Json:
        return _checked(self._send(method, path, **details))

    def _send(self, method: str, path: str, **details: Any) -> httpx.Response:
        give_up_at = time.monotonic() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return self._http.request(method, path, **details)
            except httpx.TransportError as error:
                if time.monotonic() + pause_s > give_up_at:
                    raise UnreachableError(f"no answer from {self._http.base_url}: {error}") from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _parsed(self, parse: Callable[[Json], T], answer: Json) -> T:
        try:
            return parse(answer)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnexpectedAnswerError(f"{self._http.base_url} does not answer like a node: {error!r}") from error


def _checked(response: httpx.Response) -> Json:
    """The JSON object that a node answers with.

    Raises:
        ApiProblemError: the node refused.
        UnexpectedAnswerError: it is not one.
    """
    try:
        answer = response.json()
    except ValueError as error:
        raise _unexpected(response) from error
    if not isinstance(answer, dict):
        raise _unexpected(response)
    if response.is_error:
        if not isinstance(answer.get("code"), str):
            raise _unexpected(response)
        most_wh = answer.get("most_wh")
        raise ApiProblemError(
            answer["code"],
            response.status_code,
            str(answer.get("detail", "")),
            most_wh=most_wh if isinstance(most_wh, int) else None,
        )
    return answer


def _unexpected(response: httpx.Response) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{response.request.method} {response.request.url} is answered with status {response.status_code} and "
        f"{response.text[:80]!r}: not like a node"
    )
