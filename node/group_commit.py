"""Group commit: those who come while something is being written are written next, together.

Writing has a price that does not grow with what is written, such as waiting for a disk. Nobody waits for others to
come: who finds nobody writing begins at once, in its own thread.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from matching.errors import WattbookError

T = TypeVar("T")
R = TypeVar("R")


class BusyError(WattbookError):
    """More waits to be written than a node keeps waiting, or the node is ending.

    Attributes:
        retry_after_s: when to come again, in whole seconds from now.
    """

    code = "node.busy"
    retry_after_s = 1


@dataclass(slots=True)
class _Visit(Generic[T, R]):
    """One caller's items, and what came of them once it is `over`.

    Attributes:
        called: set when its caller is to look: it is over, or it is its turn to write.
    """

    items: Sequence[T]
    called: threading.Event = field(default_factory=threading.Event)
    outcomes: Sequence[R] = ()
    error: BaseException | None = None
    is_over: bool = False


class GroupCommit(Generic[T, R]):
    """Writes what several threads bring, in the order in which they came. Thread-safe.

    Args:
        write: writes a group and returns an outcome for each of its items; if it raises, everybody in the group
            hears of it. It is never called by two threads at once.
        group_size: a group has so many items at most, or is one caller's.
        most_waiting: so many items may wait at most, besides the group that is being written.
    """

    def __init__(self, write: Callable[[Sequence[T]], Sequence[R]], *, group_size: int, most_waiting: int) -> None:
        self._write = write
        self._group_size = group_size
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._waiting: deque[_Visit[T, R]] = deque()
        self._items_waiting = 0
        self._is_writing = False
        self._is_closed = False

    def close(self) -> None:
        """Refuse whoever waits or comes, and return once the group that is being written is."""
        with self._lock:
            self._is_closed = True
            self._at_rest.wait_for(lambda: not self._is_writing)

    def submit(self, items: Sequence[T]) -> Sequence[R]:
        """What came of these items, once that is written.

        Raises:
            BusyError: too much waits already, or it is closed; nothing of this was or will be written.
        """
        visit: _Visit[T, R] = _Visit(items)
        with self._lock:
            self._require_open()
            if self._items_waiting + len(items) > self._most_waiting:
                raise BusyError(f"{self._items_waiting} wait to be written: at most {self._most_waiting}")
            self._waiting.append(visit)
            self._items_waiting += len(items)
            is_first = not self._is_writing
            self._is_writing = True
        if not is_first:
            visit.called.wait()
        if not visit.is_over:
            self._write_group()
        if visit.error is not None:
            raise visit.error
        return visit.outcomes

    def _write_group(self) -> None:
        """Write the longest waiting, the calling thread's first of all, then call the next to write."""
        group = self._next_group()
        try:
            self._require_open()
            outcomes = iter(self._write([item for visit in group for item in visit.items]))
            for visit in group:
                visit.outcomes = [next(outcomes) for _ in visit.items]
        except BaseException as error:  # whatever it is, nobody may wait for ever
            for visit in group:
                visit.error = error
            raise
        finally:
            for visit in group:
                visit.is_over = True
                visit.called.set()
            with self._lock:
                self._is_writing = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].called.set()
                else:
                    self._at_rest.notify_all()

    def _require_open(self) -> None:
        if self._is_closed:
            raise BusyError("the node is ending: nothing more is written")

    def _next_group(self) -> list[_Visit[T, R]]:
        with self._lock:
            group = [self._waiting.popleft()]
            size = len(group[0].items)
            while self._waiting and size + len(self._waiting[0].items) <= self._group_size:
                group.append(self._waiting.popleft())
                size += len(group[-1].items)
            self._items_waiting -= size
        return group
