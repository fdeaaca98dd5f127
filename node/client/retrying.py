"""When a client tries again, and for how long."""

import random
import re
import time

import httpx

from node.client.calls import Request
from node.client.described import checked, unexpected
from node.client.errors import UnreachableError

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_END_PAUSE_S = 1.0
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SYSTEMS_NUMBER = re.compile(r"\[Errno -?\d+\] ")
_TOO_MANY = 429
_PASSING = (502, 503, 504)

_chance = random.SystemRandom()


class Attempts:
    """The attempts at one request, until patience runs out.

    A request that has not reached the node, or was refused as one too many, can be sent again. One that may have
    reached it is sent again only if it is repeatable. Pauses double, by a random part so that clients which were
    cut off together do not come back together, and are never shorter than the node asks for in `Retry-After`.

    Args:
        base_url: where the node is, for messages.
        request: what is tried.
        patience_s: how long from now on, seconds.
    """

    def __init__(self, base_url: str, request: Request, patience_s: float) -> None:
        self._base_url = base_url
        self._request = request
        self._patience_s = patience_s
        self.succeeded()

    def succeeded(self) -> None:
        """Something came of it: patience, and the first pause, begin anew."""
        self._give_up_at = time.monotonic() + self._patience_s
        self._pause_s = _FIRST_PAUSE_S

    def pause_after_loss(self, error: httpx.TransportError) -> float:
        """How long to wait after no answer came, seconds.

        Raises:
            UnreachableError: it is not to be tried again.
        """
        pause_s = self._next_pause()
        may_repeat = self._request.is_repeatable or isinstance(error, _NOT_CONNECTED)
        if not may_repeat or not self._has_time(pause_s):
            reason = _SYSTEMS_NUMBER.sub("", str(error)) or "none in time"
            raise UnreachableError(f"no answer from {self._base_url}: {reason}") from error
        return pause_s

    def pause_after(self, response: httpx.Response) -> float | None:
        """How long to wait before asking again, seconds; None if the response is the answer."""
        passes = response.status_code == _TOO_MANY or (
            response.status_code in _PASSING and self._request.is_repeatable and not _is_final(response)
        )
        if not passes or self._request.content is not None:
            return None
        pause_s = max(self._next_pause(), _retry_after_s(response))
        return pause_s if self._has_time(pause_s) else None

    def pause_after_refusal(self, response: httpx.Response) -> float:
        """How long to wait after a stream was refused, seconds.

        Raises:
            ApiProblemError: it is refused for good, or for longer than patience lasts.
            UnexpectedAnswerError: it is not a node that refuses.
        """
        pause_s = self.pause_after(response)
        if pause_s is None:
            checked(response)
            raise unexpected(response)
        return pause_s

    def pause_after_end(self) -> float:
        """How long to wait after a stream that has no end ended, seconds: its node is being restarted, perhaps."""
        return _END_PAUSE_S * _chance.uniform(0.5, 1.0)

    def _next_pause(self) -> float:
        pause_s = self._pause_s * _chance.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return pause_s

    def _has_time(self, pause_s: float) -> bool:
        return time.monotonic() + pause_s <= self._give_up_at


def _is_final(response: httpx.Response) -> bool:
    """Whether it is the node that says so, and not a proxy before it: then a 502 is the chain's refusal."""
    return response.status_code != 503 and response.headers.get("Content-Type") == "application/problem+json"


def _retry_after_s(response: httpx.Response) -> float:
    """What the node asks for, in whole seconds; another form than ours counts as nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
