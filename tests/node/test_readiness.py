"""What `/ready` says of a node that does not, or not quite, do its work."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from node.api.services import Services
from node.clock import SteppedClock
from node.readiness import MAX_LATE_SLOTS
from tests.node.api.test_orders import assert_problem
from tests.node.parts import SLOT
from tests.node.small_node import VALIDATOR_KEYS, Ledger, Server


def late(services: Services, clock: SteppedClock, slots: int) -> None:
    """So many slots whose gates closed more than a slot's length ago."""
    for k in range(slots):
        services.store.ensure_slot(SLOT + 900 * k)
        services.store.close_slot(SLOT + 900 * k)
    clock.advance_to(SLOT - 300 + 900 * slots + 1)


def test_a_few_late_slots_are_no_reason(http: httpx.Client, services: Services, clock: SteppedClock) -> None:
    late(services, clock, MAX_LATE_SLOTS)
    assert http.get("/ready").status_code == 200


def test_too_many_late_slots_are(http: httpx.Client, services: Services, clock: SteppedClock) -> None:
    late(services, clock, MAX_LATE_SLOTS + 1)
    answer = http.get("/ready")
    assert_problem(answer, 503, "node.late")
    assert answer.json()["reasons"] == [f"5 slots are late, from {SLOT} on: at most 4 may be"]
    assert http.get("/health").status_code == 200


@pytest.fixture
def read_only(services: Services) -> Iterator[None]:
    """A store that takes no writes, as if the disk had been mounted so."""
    with services.store._write() as connection:
        connection.execute(
            text("CREATE TRIGGER no_more BEFORE UPDATE ON facts BEGIN SELECT RAISE(ABORT, 'read-only'); END")
        )
        connection.execute(
            text("CREATE TRIGGER none BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'read-only'); END")
        )
    yield
    with services.store._write() as connection:
        for name in ("no_more", "none"):
            connection.execute(text(f"DROP TRIGGER {name}"))


@pytest.mark.usefixtures("read_only")
def test_a_store_that_takes_no_writes_is_a_reason(http: httpx.Client) -> None:
    answer = http.get("/ready")
    assert_problem(answer, 503, "store.unavailable")
    assert "INSERT" not in answer.text


def test_all_reasons_are_told_at_once(
    http: httpx.Client, server: Server, services: Services, clock: SteppedClock
) -> None:
    late(services, clock, MAX_LATE_SLOTS + 1)
    stuck = replace(services.lifecycle, trouble="no more disk")  # type: ignore[type-var]  # it is a dataclass here
    server.app.state.services = replace(services, lifecycle=stuck)
    reasons = http.get("/ready").json()["reasons"]
    assert [reason.split()[0] for reason in reasons] == ["5", "slots"]


def test_slots_that_await_their_validators_are_named(http: httpx.Client, services: Services) -> None:
    services.store.ensure_slot(SLOT)
    services.store.close_slot(SLOT)
    services.store.record_committed(SLOT, bytes(32), 0)
    services.store.record_clearing(SLOT, price=None, fills={}, amounts={}, rejected={}, trades=[], bought_wh=0)
    assert http.get("/ready").json()["concerns"] == []  # nothing is proposed yet
    services.store.record_proposal(SLOT, 0, b"\1" * 32)
    validator = VALIDATOR_KEYS[0]
    services.store.add_approval(SLOT, b"\1" * 32, validator.address, validator.sign(b"\1" * 32))
    answer = http.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["concerns"] == [f"slot {SLOT} awaits approvals: 1 of 3 are in"]


def test_a_frozen_market_is_named(http: httpx.Client, server: Server, services: Services) -> None:
    class Frozen(Ledger):
        def is_frozen(self) -> bool:
            return True

    server.app.state.services = replace(services, market_state=Frozen())
    (concern,) = http.get("/ready").json()["concerns"]
    assert "frozen" in concern
