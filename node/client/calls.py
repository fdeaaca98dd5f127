"""How what a client can do is described once, for clients that block and clients that await.

An operation is a generator: it yields what it needs done, a request or a pause, is sent the response, and returns
the result. So it can be written as plain code, and whoever carries it out decides how to wait.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import wraps
from typing import IO, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import httpx

P = ParamSpec("P")
T = TypeVar("T")
ClientT = TypeVar("ClientT")

# The operator's steps on chain happen while it answers.
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method, path, params, json, headers: as HTTP has them.
        content: a file to be sent as the body.
        is_repeatable: whether the node takes it once however often it is sent.
        timeout_s: how long its answer may be silent, seconds.
    """

    method: str
    path: str
    params: dict[str, Any] | None = None
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: IO[bytes] | None = None
    is_repeatable: bool = True
    timeout_s: float = TIMEOUT_S

    @property
    def arguments(self) -> dict[str, Any]:
        """As httpx takes it."""
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "json": self.json,
            "headers": self.headers,
            "content": self.content,
            "timeout": self.timeout_s,
        }


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Call = Generator[Request | Pause, httpx.Response | None, T]
"""An operation under way."""


class Blocking(ABC):
    """Carries operations out before it returns."""

    @abstractmethod
    def _run(self, call: Call[T]) -> T:
        """The operation's result."""


class Awaiting(ABC):
    """Carries operations out while the caller awaits them."""

    @abstractmethod
    async def _run(self, call: Call[T]) -> T:
        """The operation's result."""


class operation(Generic[ClientT, P, T]):  # noqa: N801 -- a decorator
    """Makes a described operation a method: of a blocking client a plain one, of an awaiting one a coroutine."""

    def __init__(self, describe: Callable[Concatenate[ClientT, P], Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, kind: type) -> "operation[ClientT, P, T]": ...

    @overload
    def __get__(self, client: Blocking, kind: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: Awaiting, kind: type) -> Callable[P, Awaitable[T]]: ...

    def __get__(self, client: Any, kind: type) -> Any:
        """The method of a client."""
        if client is None:
            return self

        @wraps(self._describe)
        def method(*arguments: P.args, **named: P.kwargs) -> Any:
            return client._run(self._describe(client, *arguments, **named))

        return method
