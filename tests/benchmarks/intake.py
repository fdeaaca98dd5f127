"""Taking orders over HTTP on loopback: orders a second, singly and in lists, their latency, and a large slot.

The node, with its embedded chain and its store on disk, is a process of its own; this one signs the orders
beforehand and sends them. Every order is signature-checked, covered by escrow, on disk and answered with a signed
receipt. A slot of 10,000 orders is then settled, on py-evm beside anvil.

Usage: python -m tests.benchmarks.intake [single|lists|latency|closure]...
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from ledger.deployment import transact
from ledger.eip712 import Domain, sign_order
from ledger.keys import Key
from ledger.onboarding import register_members
from matching.orders import Order, Side
from node.composition import Node, open_node, serving
from node.config import Config
from node.intake import Placement
from node.store.records import OrderRecord, SlotState
from tests.anvil import installed, running_anvil
from tests.chains import ANVIL, EMBEDDED
from tests.system.demo import free_port

MEMBERS = 320
START = 1_700_000_100 - 3_600
FIRST_SLOT = 1_700_000_100
CLOSING = 10_000
LIST_ROWS = 100
ORDERS_OF_LISTS = 20_000
ORDERS_SINGLY = 4_000
RATE = 100
RATE_S = 20
IN_FLIGHT = (1, 8, 32)


@cache
def member_keys() -> list[Key]:
    """The members' keys."""
    return [Key(number.to_bytes(32)) for number in range(1_000, 1_000 + MEMBERS)]


# The node's side


@contextmanager
def community(data: Path, rpc_url: str | None = None) -> Iterator[Node]:
    """A node whose members all have plenty of credits, an hour before the first slot."""
    config = Config(data=data, port=free_port(), chain_port=free_port(), stepped_from=START, rpc_url=rpc_url)
    with open_node(config) as node, serving(node):
        accounts = [key.address for key in member_keys()]
        register_members(node.contracts, config.parties.registrar, node.market.id, accounts)
        treasurer, credit, escrow = config.parties.treasurer, node.contracts.credit, node.contracts.escrow
        total = 10**15
        transact(credit, treasurer, credit.interface.call("mint", treasurer.address, total * (MEMBERS + 1)))
        transact(credit, treasurer, credit.interface.call("approve", escrow.address, total * (MEMBERS + 1)))
        for account in (*accounts, node.market.utility):
            transact(escrow, treasurer, escrow.interface.call("deposit", account, total))
        yield node


def serve(data: Path) -> None:
    """Serve until stopped, once the members are there: what the measured process does."""
    with community(data) as node:
        facts = {
            "url": node.url,
            "chain_id": node.chain.chain_id,
            "exchange": node.contracts.exchange.address.hex(),
            "market": node.market.id.hex(),
        }
        print(json.dumps(facts), flush=True)
        signal.sigwait([signal.SIGTERM])


# The members' side


@dataclass(frozen=True)
class Served:
    """The node in its own process."""

    url: str
    domain: Domain
    market: bytes
    pid: int

    def bodies(self, count: int, first_slot: int) -> list[bytes]:
        """So many signed orders, as JSON; of all members in turn, 30 of each for a slot."""
        keys, found = member_keys(), []
        for number in range(count):
            key = keys[number % MEMBERS]
            salt, side = number // MEMBERS, Side(number % 2)
            order = Order(
                account=key.address,
                market=self.market,
                slot=first_slot + 900 * (salt // 30),
                side=side,
                price=100_000 if side is Side.OFFER else 200_000,
                quantity_wh=100,
                salt=salt,
            )
            found.append(_body(order, sign_order(self.domain, order, key).signature))
        return found

    def cpu_s(self) -> float:
        """Processor time that the node has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _body(order: Order, signature: bytes) -> bytes:
    fields = {
        "account": "0x" + order.account.hex(),
        "market": "0x" + order.market.hex(),
        "slot": order.slot,
        "side": order.side.name.lower(),
        "price": order.price,
        "quantity_wh": order.quantity_wh,
        "salt": str(order.salt),
        "signature": "0x" + signature.hex(),
    }
    return json.dumps(fields).encode()


@contextmanager
def served() -> Iterator[Served]:
    """The node, once it takes orders."""
    with tempfile.TemporaryDirectory(dir="var") as data:
        command = [sys.executable, "-m", "tests.benchmarks.intake", "serve", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                facts = json.loads(process.stdout.readline())
                domain = Domain(facts["chain_id"], bytes.fromhex(facts["exchange"]))
                yield Served(facts["url"], domain, bytes.fromhex(facts["market"]), process.pid)
            finally:
                process.terminate()


class Line:
    """A connection that is kept, for requests one after the other: less work than an HTTP library's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, url: str) -> "Line":
        """A connection to the node."""
        parsed = httpx.URL(url)
        return cls(*await asyncio.open_connection(parsed.host, parsed.port))

    async def post(self, body: bytes) -> bytes:
        """Post orders; returns the answer's body."""
        self._writer.write(
            b"POST /v1/orders HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = await self._reader.readexactly(length)
        assert head.startswith(b"http/1.1 200"), answer
        return answer

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def send_all(url: str, bodies: Sequence[bytes], in_flight: int) -> tuple[float, list[float], list[bytes]]:
    """Send everything over so many connections; returns seconds in all, of each request, and the answers."""
    lines = [await Line.to(url) for _ in range(in_flight)]
    left = iter(bodies)
    latencies: list[float] = []
    answers: list[bytes] = []

    async def work(line: Line) -> None:
        for body in left:
            began = time.perf_counter()
            answers.append(await line.post(body))
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work(line) for line in lines))
    seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    return seconds, latencies, answers


async def send_at_rate(url: str, bodies: Sequence[bytes], per_s: int) -> list[float]:
    """Send at fixed moments, whatever has been answered; returns seconds from those moments to the answers."""
    free: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(32):
        free.put_nowait(await Line.to(url))
    latencies: list[float] = []

    async def send(body: bytes, due: float) -> None:
        line = await free.get()
        await line.post(body)
        latencies.append(time.perf_counter() - due)
        free.put_nowait(line)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, body in enumerate(bodies):
            due = began + number / per_s
            await asyncio.sleep(max(0, due - time.perf_counter()))
            group.create_task(send(body, due))
    while not free.empty():
        free.get_nowait().close()
    return latencies


def singly(node: Served) -> None:
    """Orders a second, one in a request."""
    for number, in_flight in enumerate(IN_FLIGHT):
        count = ORDERS_SINGLY if in_flight > 1 else ORDERS_SINGLY // 4
        bodies = node.bodies(count, FIRST_SLOT + 900 * (number + 1) * 10)
        used = node.cpu_s()
        seconds, latencies, answers = asyncio.run(send_all(node.url, bodies, in_flight))
        assert all(b'"receipt":{' in answer for answer in answers)
        _print(f"singly, {in_flight:2} at a time", count, seconds, latencies, node.cpu_s() - used)


def in_lists(node: Served) -> None:
    """Orders a second, a hundred in a request."""
    for number, in_flight in enumerate((1, 4)):
        bodies = node.bodies(ORDERS_OF_LISTS, FIRST_SLOT + 900 * (number + 10) * 10)
        starts = range(0, len(bodies), LIST_ROWS)
        lists = [b"[" + b",".join(bodies[start : start + LIST_ROWS]) + b"]" for start in starts]
        used = node.cpu_s()
        seconds, latencies, answers = asyncio.run(send_all(node.url, lists, in_flight))
        assert all(json.loads(answer)["accepted"] == LIST_ROWS for answer in answers)
        _print(
            f"lists of {LIST_ROWS}, {in_flight} at a time", len(bodies), seconds, latencies, node.cpu_s() - used
        )


def steadily(node: Served) -> None:
    """How long an answer takes at a hundred orders a second."""
    bodies = node.bodies(RATE * RATE_S, FIRST_SLOT + 900 * 400)
    used = node.cpu_s()
    latencies = asyncio.run(send_at_rate(node.url, bodies, RATE))
    _print(f"{RATE} a second", len(bodies), RATE_S, latencies, node.cpu_s() - used)


def _print(name: str, orders: int, seconds: float, latencies: Sequence[float], cpu_s: float) -> None:
    ordered = sorted(latencies)
    half, most = (ordered[int(part * (len(ordered) - 1))] * 1e3 for part in (0.5, 0.99))
    print(
        f"{name:26} {orders / seconds:7,.0f} orders/s   p50 {half:6.1f} ms   p99 {most:6.1f} ms   "
        f"node's CPU {cpu_s / orders * 1e6:5,.0f} us an order",
        flush=True,
    )


# A large slot


def close_large_slot(kind: str, rpc_url: str | None = None) -> None:
    """Print how long a slot of 10,000 orders takes from gate closure to settled."""
    with tempfile.TemporaryDirectory(dir="var") as data, community(Path(data), rpc_url) as node:
        placements = [_placement(node, number) for number in range(CLOSING)]
        for start in range(0, CLOSING, LIST_ROWS):
            taken = node.services.intake.place_all(placements[start : start + LIST_ROWS])
            assert all(isinstance(each, OrderRecord) for each in taken)
        node.clock.advance_to(node.market.gate_closes_at(FIRST_SLOT))  # type: ignore[attr-defined]
        if rpc_url is not None:
            _put_clock(rpc_url, node.clock.now())
        began = time.perf_counter()
        while (record := node.store.slot(FIRST_SLOT)) is None or record.state is not SlotState.SETTLED:
            node.lifecycle.advance()
        print(
            f"{kind:9} {CLOSING:,} orders settled {time.perf_counter() - began:6.1f} s after gate closure",
            flush=True,
        )


def _placement(node: Node, number: int) -> Placement:
    """One of as many bids as offers, all of which trade, by all members in turn."""
    key, side = member_keys()[number % MEMBERS], Side(number % 2)
    order = Order(
        account=key.address,
        market=node.market.id,
        slot=FIRST_SLOT,
        side=side,
        price=100_000 if side is Side.OFFER else 200_000,
        quantity_wh=100,
        salt=number,
    )
    return Placement(order, sign_order(node.services.domain, order, key).signature)


def _put_clock(rpc_url: str, now: int) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "evm_setNextBlockTimestamp", "params": [now]}
    assert "error" not in httpx.post(rpc_url, json=request).json()


def closure() -> None:
    """A large slot on both chains; anvil only where it is installed."""
    close_large_slot(EMBEDDED)
    if installed():
        with running_anvil(timestamp=START) as rpc_url:
            close_large_slot(ANVIL, rpc_url)
    else:
        print("anvil is not installed: 'make anvil'")


def main(wanted: Sequence[str]) -> None:
    """Measure what is asked for, by default everything."""
    parts = {"single": singly, "lists": in_lists, "latency": steadily}
    print(f"{MEMBERS} members, load of the last minute {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    Path("var").mkdir(exist_ok=True)
    chosen = [name for name in parts if not wanted or name in wanted]
    if chosen:
        with served() as node:
            for name in chosen:
                parts[name](node)
    if not wanted or "closure" in wanted:
        closure()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
