"""Time goes by without the node, or without its chain, jumps, and has days of 23 and 25 hours."""

from calendar import monthrange
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import httpx
import pytest
from structlog.testing import capture_logs

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from matching.orders import Side
from node.bills import Month
from node.cli.units import period
from node.client import ApiProblemError, WattbookClient
from node.composition import running_server
from node.store.records import OrderStatus, SlotState
from tests.system.demo import free_port
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, Street, street
from tests.world import Time

LENGTH = 900
ASLEEP_S = 4 * LENGTH


@pytest.fixture
def of_day(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time of day, for a node in real time; nothing else is told it."""
    now = Time(SLOT - 1_200)
    monkeypatch.setattr("node.clock.time", SimpleNamespace(time=now, monotonic=lambda: 0.0))
    return now


def place_a_pair(found: Street, slot: int) -> list[bytes]:
    return [
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000, slot=slot),
        found.place(BUYER, Side.BID, 400, 200_000, slot=slot),
    ]


def states(found: Street, slots: list[int]) -> list[SlotState]:
    records = {record.slot: record.state for record in found.node.store.slots()}
    return [records[slot] for slot in slots]


def settle_and_meter(found: Street, slots: list[int]) -> None:
    """All is over; the meters' readings come at last."""
    for sequence, slot in enumerate(slots, start=1):
        found.meter(400, 400, slot=slot, sequence=sequence)
    found.node.lifecycle.advance()
    assert set(states(found, slots)) == {SlotState.CERTIFIED}
    found.check_audit()


def jumps(logs: list[dict[str, object]]) -> list[object]:
    return [line["seconds"] for line in logs if str(line["event"]).startswith("the clock jumped")]


def test_a_machine_that_slept_over_several_slots_settles_them_late(tmp_path: Path, of_day: Time) -> None:
    with street(tmp_path, slot=None) as found, capture_logs() as logs:
        slots = [SLOT, SLOT + LENGTH, SLOT + 2 * LENGTH]
        orders = [order for slot in slots[:2] for order in place_a_pair(found, slot)]
        of_day.now = SLOT + ASLEEP_S
        found.node.lifecycle.advance()
        assert set(states(found, slots)) == {SlotState.SETTLED}
        assert {found.clients[0].order(order).status for order in orders} == {OrderStatus.FILLED}
        assert jumps(logs) == [1_200 + ASLEEP_S]
        settle_and_meter(found, slots)


def test_a_clock_that_was_a_slot_ahead_for_a_while_costs_that_slot_its_last_orders_and_no_more(
    tmp_path: Path, of_day: Time
) -> None:
    with street(tmp_path, slot=None) as found, capture_logs() as logs:
        first, second = SLOT, SLOT + LENGTH
        place_a_pair(found, first)
        of_day.now += LENGTH
        found.node.lifecycle.advance()
        assert states(found, [first]) == [SlotState.SETTLED]
        of_day.now -= LENGTH
        found.node.lifecycle.advance()
        with pytest.raises(ApiProblemError) as refused:
            found.place(BUYER, Side.BID, 100, 200_000, slot=first)
        assert refused.value.code == "order.gate_closed"
        place_a_pair(found, second)
        assert httpx.get(f"{found.node.url}/ready").status_code == 200
        of_day.now = second - 300
        found.node.lifecycle.advance()
        assert states(found, [first, second]) == [SlotState.SETTLED] * 2
        of_day.now = second + LENGTH
        found.node.lifecycle.advance()
        assert jumps(logs)[:2] == [LENGTH, -LENGTH]
        settle_and_meter(found, [first, second])


@contextmanager
def switched_on(chain: DevChain, port: int) -> Iterator[None]:
    with running_server(create_app(chain), "127.0.0.1", port):
        yield


@pytest.mark.slow
def test_a_chain_that_was_away_for_an_hour_finds_its_slots_settled_afterwards(tmp_path: Path) -> None:
    now, port = Time(SLOT - 1_200), free_port()
    slots = [SLOT + number * LENGTH for number in range(4)]
    with closing(DevChain.open(None, clock=now)) as chain, ExitStack() as stack:
        with switched_on(chain, port):
            found = stack.enter_context(street(tmp_path, rpc_url=f"http://127.0.0.1:{port}"))
            taken = place_a_pair(found, SLOT)
        for slot in slots:
            found.advance(slot - 300)
            assert states(found, [slot]) == [SlotState.CLOSED]
        key = found.keys[BUYER]
        impatient = replace(found, clients=[WattbookClient(found.node.url, key, patience_s=0)] * len(found.keys))
        with pytest.raises(ApiProblemError) as refused:
            impatient.place(BUYER, Side.BID, 100, 200_000, slot=slots[-1] + LENGTH)
        assert (refused.value.status, refused.value.code) == (503, "chain.unavailable")
        ready = httpx.get(f"{found.node.url}/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, "chain.unavailable")
        now.now = slots[-1] + LENGTH
        with switched_on(chain, port):
            found.advance(now.now)
            assert set(states(found, slots)) == {SlotState.SETTLED}
            assert {found.clients[0].order(order).status for order in taken} == {OrderStatus.FILLED}
            assert httpx.get(f"{found.node.url}/ready").status_code == 200
            settle_and_meter(found, slots)


@pytest.mark.parametrize(
    ("zone", "day", "slots"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 92),
        ("Europe/Berlin", date(2026, 10, 25), 100),
        ("America/Chicago", date(2026, 3, 8), 92),
        ("America/Chicago", date(2026, 11, 1), 100),
        ("America/Chicago", date(2026, 11, 2), 96),
    ],
)
def test_a_day_has_as_many_slots_as_its_clock_shows_and_months_are_made_of_days(
    zone: str, day: date, slots: int
) -> None:
    days = [day.replace(day=number) for number in range(1, monthrange(day.year, day.month)[1] + 1)]
    spans = [period(each.isoformat(), (each + timedelta(days=1)).isoformat(), ZoneInfo(zone)) for each in days]
    first, end = spans[day.day - 1]
    assert (end - first) // LENGTH == slots
    month = Month.of(day.strftime("%Y-%m"), zone)
    assert (month.first_at, month.end_at) == (spans[0][0], spans[-1][1])
    assert all(end == following for (_, end), (following, _) in pairwise(spans))
