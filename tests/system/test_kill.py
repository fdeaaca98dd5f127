"""The node is killed, without warning, at moments that nobody chose: nothing is lost, nothing happens twice."""

import random
from pathlib import Path

import pytest

from node.store.records import OrderStatus, SlotState
from tests.system.demo import Demo, opened
from tests.system.test_day import check_every_slot


def kill_and_finish(data: Path, *, slots: int, kills: int, seed: int, longest_s: float) -> None:
    chance = random.Random(seed)
    demo = Demo(data, slots)
    killed = 0
    while killed < kills and demo.run_and_kill(chance.uniform(0.3, longest_s)):
        killed += 1
    assert killed == kills, "the day ended before all kills were done: give it more slots"
    output = demo.finish()
    assert "nothing wrong" in output
    with opened(data) as remains:
        check_every_slot(remains, slots)
        receipts = remains.store.orders()
        final = {OrderStatus.FILLED, OrderStatus.UNFILLED, OrderStatus.REJECTED}
        day = {record.slot for record in remains.store.slots(states=[SlotState.CERTIFIED])}
        assert {order.status for order in receipts if order.signed.order.slot in day} <= final


def test_two_kills_in_a_short_day(tmp_path: Path) -> None:
    kill_and_finish(tmp_path, slots=5, kills=2, seed=1, longest_s=5.0)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_twenty_kills_in_a_day(tmp_path: Path) -> None:
    kill_and_finish(tmp_path, slots=40, kills=20, seed=20, longest_s=7.0)
