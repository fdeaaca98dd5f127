"""The client that blocks."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from ledger.audit.codec import decoded
from ledger.audit.evidence_files import EvidenceFiles, PublicKeys, write_evidence
from ledger.evidence.evidence import Evidence
from ledger.keys import Key
from node.client.calls import TIMEOUT_S, Blocking, Call, Pause, Request
from node.client.following import EventAnswer, Following
from node.client.operations import Operations
from node.client.retrying import Attempts

T = TypeVar("T")


class WattbookClient(Operations, Blocking):
    """One member's way to a market; also what `agents.protocol.Market` asks for. Thread-safe.

    What can be repeated without harm is tried again, when a connection is lost or the node is busy, until patience
    runs out; see `node.client.retrying`. Methods raise `ApiProblemError` if the node refuses and
    `UnreachableError` if it does not answer.

    Args:
        base_url: where the node's API is, e.g. `http://127.0.0.1:8000`.
        key: the member's key; without one, nothing can be signed.
        patience_s: how long to keep trying to reach the node, seconds.
        api_key: an API key that goes with every request, which a node with closed reads wants; what a method is
            given counts before it.
    """

    def __init__(
        self, base_url: str, key: Key | None = None, *, patience_s: float = 10.0, api_key: str | None = None
    ) -> None:
        super().__init__(base_url, key, api_key)
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, headers=self._headers)
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

    def events(
        self, account: bytes | None = None, *, after: int | None = None, api_key: str | None = None
    ) -> Iterator[EventAnswer]:
        """What happens in the market, as it happens; with an account, what its orders do too. It does not end.

        A connection that is lost is made again, and nothing is missed or repeated over it.

        Args:
            account: the member's own account, whose key signs; any, with an API key.
            after: the number of the last event that is known: 0 for all that are kept, None for those to come.
            api_key: an API key that reads; by default the client's for accounts other than its own.

        Raises:
            ApiProblemError: the node refuses: `event.forgotten` and `event.unknown` if it cannot go on after that.
            UnreachableError: the node was not to be reached again for as long as patience lasts.
        """
        following = Following(self._run(self._wanted(account, api_key)), after)
        attempts = Attempts(self.base_url, following.request(), self._patience_s)
        while True:
            try:
                with self._http.stream(**following.request().arguments) as response:
                    if response.is_success:
                        for line in response.iter_lines():
                            attempts.succeeded()
                            event = following.take(line)
                            if event is not None:
                                yield event
                        pause_s = attempts.pause_after_end()
                    else:
                        response.read()
                        pause_s = attempts.pause_after_refusal(response)
            except httpx.TransportError as error:
                pause_s = attempts.pause_after_loss(error)
            time.sleep(pause_s)

    def export_evidence(self, folder: Path) -> int:
        """Write the evidence of all anchored days as `ledger.audit.evidence_files` reads it: how many pieces.

        Raises:
            OSError: the folder cannot be written.
        """
        keys = decoded(PublicKeys, self.evidence_keys())
        written = 0

        def pieces() -> Iterator[Evidence]:
            nonlocal written
            for day in self.evidence_days():
                for line in self.evidence(day).splitlines():
                    yield decoded(Evidence, json.loads(line))
                    written += 1

        write_evidence(folder, EvidenceFiles(pieces(), keys))
        return written

    def _run(self, call: Call[T]) -> T:
        response: httpx.Response | None = None
        while True:
            try:
                wanted = call.send(response)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(wanted, Pause):
                time.sleep(wanted.seconds)
                response = None
            else:
                response = self._fetch(wanted)

    def _fetch(self, request: Request) -> httpx.Response:
        attempts = Attempts(self.base_url, request, self._patience_s)
        while True:
            try:
                response = self._http.request(**request.arguments)
                pause_s = attempts.pause_after(response)
            except httpx.TransportError as error:
                pause_s = attempts.pause_after_loss(error)
            if pause_s is None:
                return response
            time.sleep(pause_s)
