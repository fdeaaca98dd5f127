"""The node on a chain that is not ours, by nothing but its URL: anvil, whose clock is not the node's either."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from matching.orders import Side
from node.store.records import SlotState
from tests.anvil import running_anvil
from tests.system.demo import WATTBOOK
from tests.system.served import CONSUMER, OPENS_AT, SELLER, served
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, Street, street


class Anvil:
    """A running anvil and its clock, which goes on from wherever it is put."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put_clock(self, now: int) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": "evm_setNextBlockTimestamp", "params": [now]}
        answer = httpx.post(self.url, json=request).json()
        assert "error" not in answer, answer


MINING = [
    pytest.param((), id="each transaction at once"),
    pytest.param(("--block-time", "1"), id="a block each second", marks=pytest.mark.slow),
]


@pytest.fixture(params=MINING)
def anvil(request: pytest.FixtureRequest) -> Iterator[Anvil]:
    with running_anvil(timestamp=OPENS_AT, options=request.param) as url:
        yield Anvil(url)


def advance(anvil: Anvil, found: Street, now: int) -> None:
    anvil.put_clock(now)
    found.advance(now)


def state(found: Street, slot: int) -> SlotState:
    record = found.node.store.slot(slot)
    assert record is not None
    return record.state


def test_slots_are_traded_delivered_and_certified_on_anvil(anvil: Anvil, tmp_path: Path) -> None:
    slots = [SLOT + 900 * number for number in range(3)]
    with street(tmp_path, rpc_url=anvil.url) as found:
        gate_lead_s = found.node.market.gate_lead_s
        for slot in slots:
            found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000, slot=slot)
            found.place(BUYER, Side.BID, 500, 200_000, slot=slot)
        advance(anvil, found, SLOT - gate_lead_s)
        for number, slot in enumerate(slots):
            assert state(found, slot) is SlotState.SETTLED
            advance(anvil, found, slot + 900 - gate_lead_s)
            advance(anvil, found, slot + 900)
            found.meter(450, 500, slot=slot, sequence=number + 1)
            found.advance(slot + 900)
            assert state(found, slot) is SlotState.CERTIFIED
        found.check_audit()


def test_a_slot_waits_for_a_chain_whose_clock_is_behind(anvil: Anvil, tmp_path: Path) -> None:
    with street(tmp_path, rpc_url=anvil.url) as found:
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(BUYER, Side.BID, 400, 200_000)
        gate = SLOT - found.node.market.gate_lead_s
        anvil.put_clock(gate - 30)
        found.advance(gate)
        assert state(found, SLOT) is SlotState.CLOSED
        anvil.put_clock(gate)
        found.advance(gate)
        assert state(found, SLOT) is SlotState.SETTLED
        end = found.node.market.ends_at(SLOT)
        found.advance(end)
        found.meter(400, 400)
        found.advance(end)
        assert state(found, SLOT) is SlotState.SETTLED
        anvil.put_clock(end)
        found.advance(end)
        found.check_audit()


def test_a_served_market_on_anvil_is_killed_goes_on_and_passes_the_audit(anvil: Anvil, tmp_path: Path) -> None:
    with served(tmp_path, anvil.url) as node:
        node.onboard()
        node.place(SELLER, Side.OFFER, 400, 100_000)
        node.place(CONSUMER, Side.BID, 400, 200_000)
        anvil.put_clock(SLOT - 300)
        node.advance(SLOT - 300)
    with served(tmp_path, anvil.url) as node:
        anvil.put_clock(SLOT + 900)
        node.advance(SLOT + 900)
        node.meter(1, 400)
        node.meter(2, 500)
        node.advance(SLOT + 900)
    audited = audit(anvil.url, tmp_path)
    assert audited["findings"] == []
    assert (audited["filled_orders"], audited["traded_wh"], audited["certificates_issued_wh"]) == (2, 400, 400)


def audit(rpc_url: str, data: Path) -> dict[str, Any]:
    command = [WATTBOOK, "audit", "--rpc", rpc_url, "--data", str(data), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found
