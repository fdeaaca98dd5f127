"""A node that dies at failpoints, each time in a process of its own, and is started again until all is done."""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx

from ledger.deployment import MarketTerms
from ledger.keys import Key
from matching.orders import Order, Side
from matching.readings import Reading, SignedReading
from node.client import UnreachableError, WattbookClient
from node.composition import open_node, serving
from node.config import Config
from node.failpoints import VARIABLE, FailingStore
from tests.system.chain_server import wait_for
from tests.system.demo import free_port
from tests.system.served import CONSUMER, SELLER, Served
from tests.system.street import meter_key

MIDNIGHT = 1_700_006_400
SLOT = MIDNIGHT - 1_800
"""The last but one slot of a UTC day."""
SETTLE_WITHIN_S = 600
SILENT_S = 900
END = MIDNIGHT + SETTLE_WITHIN_S + 1 + SILENT_S
"""When it all has happened that happens in `live`."""
NEVER = "store.add_orders:1000000"
"""A node with this failpoint counts what it reaches, and lives."""

_REACHED = "reached.json"

# A process that has imported everything already: each node's is forked off it.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["node.composition"])

T = TypeVar("T")


class Mortal:
    """A node that lives until it reaches a failpoint, and those that it is still to reach, one in each life.

    Args:
        data: its folder.
        rpc_url: its chain; None for its own.
        set_chain_clock: called before the clock is moved on, where the chain has one of its own.
    """

    def __init__(
        self, data: Path, rpc_url: str | None = None, set_chain_clock: Callable[[int], None] = lambda _: None
    ) -> None:
        self.ahead: list[str] = []
        self.died_of: list[str] = []
        self._set_chain_clock = set_chain_clock
        self._armed: str | None = None
        self._config = Config(
            data=data,
            rpc_url=rpc_url,
            stepped_from=SLOT - 1_200,
            terms=MarketTerms(settle_within_s=SETTLE_WITHIN_S),
            substitute_after_s=SILENT_S,
        )

    @property
    def served(self) -> Served:
        """What its operator does."""
        api_key = (self._config.data / "operator-api-key").read_text(encoding="utf-8")
        return Served(f"http://127.0.0.1:{self._config.port}", api_key)

    @property
    def pid(self) -> int:
        """The process in which it lives now."""
        assert self._process.pid is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again and again while it dies of that."""
        while True:
            self._config = replace(self._config, port=free_port(), chain_port=free_port())
            self._armed = self.ahead.pop(0) if self.ahead else None
            self._process = _PROCESSES.Process(target=_live, args=(self._config, self._armed))
            self._process.start()
            wait_for(lambda: self._process.exitcode is not None or self._answers())
            if self._process.exitcode is None:
                return
            self._bury()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def reached(self) -> dict[str, int]:
        """End a node that was to die of nothing; how often it reached which points."""
        self._process.terminate()
        self._process.join(30)
        found: dict[str, int] = json.loads((self._config.data / _REACHED).read_text(encoding="utf-8"))
        return found

    def until_done(self, action: Callable[[WattbookClient, Served], T], key: Key | None = None) -> T:
        """Do something with the node, again and again while it dies of it."""
        while True:
            try:
                with WattbookClient(self.served.url, key, patience_s=0) as client:
                    return action(client, self.served)
            except (UnreachableError, httpx.TransportError):
                self._bury()
                self.start()

    # What people do

    def place(self, key: Key, side: Side, price: int, *, slot: int = SLOT, salt: int = 0) -> bytes:
        def action(client: WattbookClient, _: Served) -> bytes:
            market = client.market().id
            order = Order(
                account=key.address,
                market=market,
                slot=slot,
                side=side,
                price=price,
                quantity_wh=400,
                salt=salt,
            )
            return client.place(order).order_hash

        return self.until_done(action, key)

    def cancel(self, key: Key, order_hash: bytes) -> None:
        self.until_done(lambda client, _: client.cancel(order_hash), key)

    def advance(self, now: int) -> None:
        self._set_chain_clock(now)
        self.until_done(lambda client, served: client.advance_clock(now, api_key=served.api_key))

    def meter(
        self, device: int, energy_wh: int, *, slot: int = SLOT, sequence: int = 1, before_wh: int = 0
    ) -> None:
        """A reading, and what the register stood at before."""

        def action(client: WattbookClient, _: Served) -> None:
            market = client.market()
            reading = Reading(
                chain_id=market.domain.chain_id,
                market=market.id,
                device=device,
                slot=slot,
                energy_wh=energy_wh,
                register_wh=before_wh + energy_wh,
                sequence=sequence,
            )
            client.submit(SignedReading(reading, meter_key(device).sign(reading.signing_bytes())))

        self.until_done(action)

    def correct(self, device: int, energy_wh: int) -> None:
        fields = {"device": str(device), "slot": SLOT, "energy_wh": energy_wh, "reason": "wrong transformer"}
        self.until_done(lambda _, served: served.enter("readings/corrections", **fields))

    def request(self, key: Key, device: int, slot: int) -> None:
        """The owner's own transaction, of which the node has no part."""
        fields = {"device": str(device), "first_slot": slot, "last_slot": slot}
        self.until_done(lambda client, _: client.act("request", **fields), key)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._config.port}/health").is_success
        except httpx.TransportError:
            return False

    def _bury(self) -> None:
        self._process.join(30)
        assert self._process.exitcode == -signal.SIGKILL, f"ended with {self._process.exitcode}"
        assert self._armed is not None
        self.died_of.append(self._armed)


@contextmanager
def mortal(
    data: Path, rpc_url: str | None = None, set_chain_clock: Callable[[int], None] = lambda _: None
) -> Iterator[Mortal]:
    """One with a market of a home with solar panels and one with a load; killed in the end."""
    node = Mortal(data, rpc_url, set_chain_clock)
    node.start()
    try:
        node.served.onboard()
        yield node
    finally:
        node.kill()


def live(node: Mortal, points: Sequence[str]) -> list[bytes]:
    """A slot's whole life, its neighbours', and a correction's; returns the orders that were answered.

    The first slot is traded, the next one comes too late and is voided, the others have no orders. The meters are
    silent but for the first slot, and the load's for the next. Then the day is over, what the panels' meter sent
    was wrong, and the load's owner requests certificates of what it consumed without a trade.
    """
    node.kill()
    node.ahead = list(points)
    node.start()
    orders = [node.place(SELLER, Side.OFFER, 100_000), node.place(CONSUMER, Side.BID, 200_000)]
    cancelled = node.place(CONSUMER, Side.BID, 210_000, salt=1)
    node.cancel(CONSUMER, cancelled)
    late = [
        node.place(SELLER, Side.OFFER, 100_000, slot=SLOT + 900),
        node.place(CONSUMER, Side.BID, 200_000, slot=SLOT + 900),
    ]
    node.advance(SLOT - 300)
    node.advance(END - SILENT_S)
    for device, energy_wh in ((1, 400), (2, 500)):
        node.meter(device, energy_wh)
    node.meter(2, 100, slot=SLOT + 900, sequence=2, before_wh=500)
    node.advance(END)
    node.correct(1, 300)
    node.request(CONSUMER, 2, SLOT + 900)
    node.advance(END)
    return [*orders, cancelled, *late]


def _live(config: Config, failpoint: str | None) -> None:
    if failpoint is not None:
        os.environ[VARIABLE] = failpoint
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open_node(config) as node, serving(node):
        stop.wait()
    if isinstance(node.store, FailingStore):
        (config.data / _REACHED).write_text(json.dumps(node.store.failpoint.reached), encoding="utf-8")
