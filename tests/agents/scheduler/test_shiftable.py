import numpy as np

from agents.devices.shiftable import ShiftableLoad, Window
from agents.scheduler.planner import Planner
from agents.scheduler.shiftable import starts_by_cost, with_run
from tests.agents.scheduler.parts import FIRST_SLOT, SLOT_S, outlook

WASHER = ShiftableLoad((900, 300), SLOT_S, (Window(FIRST_SLOT + 1, FIRST_SLOT + 5 * SLOT_S),))
PRICES = [100_000, 300_000, 250_000, 200_000, 260_000, 100_000]


def test_a_run_starts_where_its_energy_is_worth_least_within_its_window() -> None:
    worth = Planner().plan(outlook([50] * 6, PRICES), []).worth
    assert starts_by_cost(WASHER, WASHER.windows[0], worth, FIRST_SLOT) == [3, 2, 1]


def test_that_is_the_start_that_costs_the_household_least() -> None:
    base = outlook([50] * 6, PRICES, generation_wh=[0, 0, 0, 0, 2_000, 0], export_price=[10_000] * 6)
    chosen = starts_by_cost(WASHER, WASHER.windows[0], Planner().plan(base, []).worth, FIRST_SLOT)[0]

    def cost(start: int) -> float:
        load = with_run(base.load_wh, WASHER, start).tolist()
        seen = outlook(load, PRICES, generation_wh=base.generation_wh.tolist(), export_price=[10_000] * 6)
        return Planner().plan(seen, []).cost_nano

    assert cost(chosen) == min(cost(start) for start in (1, 2, 3))


def test_what_lies_beyond_the_end_is_left_out() -> None:
    assert with_run(np.array([1, 1]), WASHER, 1).tolist() == [1, 901]
