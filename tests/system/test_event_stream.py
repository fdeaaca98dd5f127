"""A node is killed while its events are followed: whoever goes on misses none and sees none twice."""

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger.certificates.history import read_history
from ledger.deployment import attach
from matching.errors import WattbookError
from matching.orders import Side
from node.client import EventAnswer, WattbookClient
from node.store.records import SlotState
from tests.system.chain_server import wait_for
from tests.system.demo import WATTBOOK, free_port, opened
from tests.system.served import CONSUMER, OPENS_AT, SELLER, Served, wait_until_ready
from tests.system.street import SLOT

pytestmark = pytest.mark.slow

SOLD_WH = 400
LIFE = ["closed", "committed", "cleared", "settled", "delivered", "certified"]


@dataclass
class Follower:
    """Somebody who follows events in a thread, with one client, from the first on."""

    client: WattbookClient
    account: bytes | None = None
    seen: list[EventAnswer] = field(default_factory=list)

    def follow(self) -> None:
        with suppress(WattbookError):  # the node is gone for good
            for event in self.client.events(self.account, after=0):
                self.seen.append(event)

    def states(self) -> list[str]:
        """What `SLOT` has been through."""
        return [
            event.kind.removeprefix("slot_")
            for event in self.seen
            if event.slot == SLOT and event.kind.startswith("slot_")
        ]


@dataclass
class Killed:
    """A node on its own chain, killed at chance moments of its work, and started again at the same place."""

    data: Path
    chance: random.Random
    port: int = field(default_factory=free_port)
    chain_port: int = field(default_factory=free_port)

    def start(self) -> None:
        options = {
            "--data": self.data,
            "--port": self.port,
            "--chain-port": self.chain_port,
            "--stepped-from": OPENS_AT,
        }
        command = [WATTBOOK, "serve", *(str(part) for option in options.items() for part in option)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_until_ready(f"http://127.0.0.1:{self.port}", self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def served(self) -> Served:
        api_key = (self.data / "operator-api-key").read_text(encoding="utf-8")
        return Served(f"http://127.0.0.1:{self.port}", api_key)

    def advance(self, now: int, *, kills: int) -> None:
        """Let time pass, killing the node so often while it works."""
        for _ in range(kills):
            work = threading.Thread(target=self._try_to_advance, args=(now,))
            work.start()
            time.sleep(self.chance.uniform(0.0, 0.6))
            self.kill()
            work.join()
            self.start()
        self.served.advance(now)

    def _try_to_advance(self, now: int) -> None:
        client = WattbookClient(self.served.url, patience_s=0)
        with suppress(WattbookError):
            client.advance_clock(now, api_key=self.served.api_key)


@contextmanager
def following(url: str) -> Iterator[tuple[Follower, Follower]]:
    """The market's follower, and the seller's."""
    clients = WattbookClient(url, patience_s=120), WattbookClient(url, SELLER, patience_s=120)
    followers = Follower(clients[0]), Follower(clients[1], SELLER.address)
    threads = [threading.Thread(target=follower.follow, daemon=True) for follower in followers]
    for thread in threads:
        thread.start()
    yield followers


def follow_over_kills(data: Path, *, kills: int, seed: int) -> None:
    node = Killed(data, random.Random(seed))
    node.start()
    try:
        served = node.served
        served.onboard()
        with following(served.url) as (market, seller):
            served.place(SELLER, Side.OFFER, SOLD_WH, 100_000)
            served.place(CONSUMER, Side.BID, SOLD_WH, 200_000)
            node.advance(SLOT - 300, kills=kills)
            served.advance(SLOT + 900)
            served.meter(1, SOLD_WH)
            served.meter(2, SOLD_WH)
            node.advance(SLOT + 900, kills=kills - 1)
            wait_for(lambda: all("certified" in follower.states() for follower in (market, seller)))
            slot = WattbookClient(served.url).slot(SLOT)
            assert slot.state is SlotState.CERTIFIED
            # Somebody who comes now and reads it all is told the same, in the same order.
            late = [Follower(market.client), Follower(seller.client, SELLER.address)]
            for follower, other in zip((market, seller), late, strict=True):
                events = other.client.events(other.account, after=0)
                wait_for(lambda follower=follower: is_quiet(follower))  # type: ignore[misc]  # bound
                other.seen = [next(events) for _ in follower.seen]
                events.close()  # type: ignore[attr-defined]  # a generator's
                assert other.seen == follower.seen
    finally:
        node.kill()
    check(node.data, market, seller)


def is_quiet(follower: Follower) -> bool:
    known = len(follower.seen)
    time.sleep(0.6)
    return len(follower.seen) == known


def check(data: Path, market: Follower, seller: Follower) -> None:
    assert market.states() == seller.states() == LIFE
    (accepted,) = (event for event in seller.seen if event.kind == "order_accepted")
    assert (accepted.details["side"], accepted.details["quantity_wh"]) == ("offer", SOLD_WH)
    assert not any(event.kind.startswith("order_") for event in market.seen)
    numbers = [event.number for event in market.seen]
    assert numbers == sorted(set(numbers))
    told = Counter(
        tuple(event.details[name] for name in ("certificate", "block", "from", "to", "amount_wh"))
        for event in market.seen
        if event.kind == "certificate_moved"
    )
    with opened(data) as remains:
        history = read_history(attach(remains.chain, remains.deployment.exchange))
        issued = {(hex(int(record.id)), record.issued.block) for record in history.records.values()}
    assert issued
    assert issued == {(certificate, block) for certificate, block, giver, _, _ in told if giver is None}
    assert max(told.values()) == 1


def test_a_kill_costs_a_follower_no_event(tmp_path: Path) -> None:
    follow_over_kills(tmp_path, kills=1, seed=1)


def test_three_kills_cost_a_follower_no_event(tmp_path: Path) -> None:
    follow_over_kills(tmp_path, kills=2, seed=2)
