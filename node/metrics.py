"""What Prometheus is told of a node: counted as it happens, or read from store and chain when it asks."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ledger.chain import Chain
from ledger.market import Market
from matching.errors import WattbookError
from node.clock import Clock
from node.ports import Accounts
from node.store import Store
from node.store.records import SlotRecord, SlotState

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STEP_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STEP_BUCKETS_GAS = (50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 20_000_000)
_UNFINISHED = tuple(state for state in SlotState if state is not SlotState.CERTIFIED)
_UNTIL_SETTLED = (SlotState.OPEN, SlotState.CLOSED, SlotState.COMMITTED, SlotState.CLEARED)


class Metrics:
    """A node's metrics. Thread-safe."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._accepted = Counter(
            "wattbook_orders_accepted", "Orders taken, repeated ones included.", registry=registry
        )
        self._refused = Counter(
            "wattbook_orders_refused", "Orders refused, by the reason's code.", ["code"], registry=registry
        )
        self._requests = Histogram(
            "wattbook_request_seconds",
            "How long requests took, until the whole answer was sent.",
            ["method", "route", "status"],
            buckets=_REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._streams = Gauge("wattbook_event_streams", "Open streams of events.", registry=registry)
        self._steps = Histogram(
            "wattbook_step_seconds",
            "How long steps on chain took, until they were seen to have happened.",
            ["step"],
            buckets=_STEP_BUCKETS_S,
            registry=registry,
        )
        self._gas = Histogram(
            "wattbook_step_gas",
            "Gas that steps on chain used.",
            ["step"],
            buckets=_STEP_BUCKETS_GAS,
            registry=registry,
        )
        self._failures = Counter(
            "wattbook_step_failures", "Attempts at a step that failed.", ["step", "code"], registry=registry
        )
        self._last_block = Gauge("wattbook_last_step_block", "Block of the last step.", registry=registry)

    def event_stream(self) -> AbstractContextManager[object]:
        """A stream of events is open until the block is left."""
        return self._streams.track_inprogress()

    def order_accepted(self) -> None:
        """An order was taken."""
        self._accepted.inc()

    def order_refused(self, code: str) -> None:
        """An order was refused."""
        self._refused.labels(code).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the path with its parameters unfilled."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def step_done(self, step: str, seconds: float, *, gas: int | None, block: int | None) -> None:
        """A step has happened on chain."""
        self._steps.labels(step).observe(seconds)
        if gas is not None:
            self._gas.labels(step).observe(gas)
        if block is not None:
            self._last_block.set(block)

    def step_failed(self, step: str, code: str) -> None:
        """An attempt at a step failed."""
        self._failures.labels(step, code).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, eq=False)
class NodeState(Collector):
    """What is read when Prometheus asks: slots, the chain's head, and what the parties have.

    Attributes:
        parties: addresses by party.
    """

    store: Store
    chain: Chain
    market: Market
    clock: Clock
    accounts: Accounts
    parties: Mapping[str, bytes]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: so that nobody asks the chain while metrics are put together."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Everything there is now."""
        yield from self._slots()
        yield _gauge(
            "wattbook_transactions_unfinished",
            "Transactions whose outcome is not final.",
            len(self.store.unfinished()),
        )
        try:
            found = [*self._chain(), *self._parties()]
        except WattbookError:
            # A node without its chain has metrics all the same.
            found = []
        yield _gauge("wattbook_chain_up", "Whether the chain answers: 1 or 0.", int(bool(found)))
        yield from found

    def _slots(self) -> Iterator[GaugeMetricFamily]:
        now = self.clock.now()
        records = self.store.slots(states=_UNFINISHED)
        counts = Tally(record.state for record in records)
        number = GaugeMetricFamily("wattbook_slots_unfinished", "Slots not certified yet.", labels=["state"])
        late = GaugeMetricFamily(
            "wattbook_slot_lateness_seconds",
            "Since when the oldest slot of a state could have been in the next: since its gate closed until it is"
            " settled, since its end afterwards.",
            labels=["state"],
        )
        for state in _UNFINISHED:
            number.add_metric([state.value], counts[state])
            waits = [now - due_at(self.market, record) for record in records if record.state is state]
            late.add_metric([state.value], max([0, *waits]))
        yield number
        yield late

    def _chain(self) -> Iterator[GaugeMetricFamily]:
        head = self.chain.head()
        yield _gauge("wattbook_chain_head", "Number of the newest block.", head.number)
        lag_s = self.clock.now() - head.timestamp
        yield _gauge("wattbook_chain_lag_seconds", "Age of the newest block by the market's clock.", lag_s)

    def _parties(self) -> Iterator[GaugeMetricFamily]:
        escrow = GaugeMetricFamily("wattbook_party_escrow_nano", "Credits in escrow, less debt.", labels=["party"])
        native = GaugeMetricFamily("wattbook_party_native_wei", "Native money, to pay for gas.", labels=["party"])
        for party, address in self.parties.items():
            state = self.accounts.state(address)
            escrow.add_metric([party], state.balance_nano - state.debt_nano)
            native.add_metric([party], self.chain.balance(address))
        yield escrow
        yield native


def due_at(market: Market, record: SlotRecord) -> int:
    """When a slot could have left its state at the earliest, Unix seconds."""
    slot = record.slot
    return market.gate_closes_at(slot) if record.state in _UNTIL_SETTLED else market.ends_at(slot)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
