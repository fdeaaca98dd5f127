"""Audits of the chain that a node runs itself, one at a time, beside its work."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import structlog

from ledger.audit.run import AuditReport, SlotConsumer
from matching.errors import WattbookError

KEPT = 20
"""So many audits are remembered, until the node stops: anybody can repeat them from the chain."""

Run = Callable[[SlotConsumer], AuditReport]
"""Audits; calls what it is given for each slot that was settled."""

log = structlog.get_logger(__name__)


class UnknownAuditError(WattbookError):
    """There is no audit with this number; a node that starts forgets those it made before."""

    code = "audit.unknown"


class AuditStoppedError(WattbookError):
    """The node was stopped while it audited."""

    code = "audit.stopped"


class AuditState(StrEnum):
    """How an audit stands."""

    RUNNING = "running"
    HOLDS = "holds"
    FINDINGS = "findings"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An audit: its number, when it was asked for, and what it found; `failure` says why it could not."""

    number: int
    requested_at: int
    state: AuditState = AuditState.RUNNING
    report: AuditReport | None = None
    failure: str | None = None


@dataclass
class Audits:
    """The audits of one node. Thread-safe."""

    _records: deque[AuditRecord] = field(default_factory=lambda: deque(maxlen=KEPT))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, run: Run, now: int) -> AuditRecord:
        """Begin an audit; while one runs, it is that one."""
        with self._lock:
            last = self._records[-1] if self._records else None
            if last is not None and last.state is AuditState.RUNNING:
                return last
            record = AuditRecord(1 if last is None else last.number + 1, now)
            self._records.append(record)
            self._thread = threading.Thread(target=self._run, args=(record, run), name="audit")
            self._thread.start()
            return record

    def records(self) -> list[AuditRecord]:
        """Audits, the latest first."""
        with self._lock:
            return list(reversed(self._records))

    def record(self, number: int) -> AuditRecord:
        """One audit.

        Raises:
            UnknownAuditError: there is none with this number.
        """
        for record in self.records():
            if record.number == number:
                return record
        raise UnknownAuditError(f"there is no audit {number}")

    def close(self) -> None:
        """Stop the audit that runs, at the next slot, and wait until it has."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, record: AuditRecord, run: Run) -> None:
        done = replace(record, state=AuditState.FAILED, failure="something went wrong here; the log says what")
        try:
            report = run(lambda *_: self._check())
            done = replace(record, state=_state(report), report=report)
        except WattbookError as error:
            log.warning("audit failed", code=error.code, reason=str(error))
            done = replace(record, state=AuditState.FAILED, failure=f"{error} ({error.code})")
        finally:
            with self._lock:
                self._records[-1] = done

    def _check(self) -> None:
        if self._is_stopped.is_set():
            raise AuditStoppedError("the node stops")


def _state(report: AuditReport) -> AuditState:
    return AuditState.HOLDS if report.holds else AuditState.FINDINGS
