"""Blocks that come by themselves, so that time passes on a chain on which nobody does anything."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.devchain.chain import DevChain
from ledger.devchain.errors import StorageFailedError

_log = logging.getLogger(__name__)


@contextmanager
def mining_every(chain: DevChain, seconds: float) -> Iterator[None]:
    """Append an empty block after each so many seconds; transactions are mined at once all the same."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(seconds):
            try:
                chain.mine()
            except StorageFailedError as error:
                # The disk may have room again by the next time.
                _log.error("no block could be mined: %s", error)

    thread = threading.Thread(target=run, name="chain heartbeat")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
