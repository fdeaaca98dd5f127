import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.devices.battery import Battery
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.devices.heat_pump import HeatPump
from agents.devices.series import Series
from agents.scheduler.devices import battery_store, tank_store, vehicle_store
from agents.scheduler.outlook import Outlook
from agents.scheduler.plan import first_action
from agents.scheduler.planner import Planner
from agents.scheduler.shortfall import InfeasibleError
from agents.scheduler.store import PPM, Store
from tests.agents.scheduler.brute_force import INFEASIBLE, least_cost
from tests.agents.scheduler.parts import FIRST_SLOT, SLOT_S, battery, outlook

PRICES = st.integers(0, 50).map(lambda price: price * 10_000)


@st.composite
def households(draw: st.DrawFn, *, lowest_price: int = 0) -> tuple[Outlook, Store]:
    slots = draw(st.integers(1, 4))
    prices = st.integers(lowest_price, 50)

    def entries(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=slots, max_size=slots))

    import_price = entries(prices)
    export_price = [min(high, low) for high, low in zip(import_price, entries(prices), strict=True)]
    seen = outlook(
        entries(st.integers(0, 5)),
        [price * 10_000 for price in import_price],
        export_price=[price * 10_000 for price in export_price],
        generation_wh=entries(st.integers(0, 6)),
        import_limit_wh=draw(st.integers(3, 12)),
        export_limit_wh=draw(st.integers(3, 12)),
        curtailable=draw(st.booleans()),
    )
    store = battery(
        slots,
        capacity_wh=draw(st.integers(4, 8)),
        power_wh=draw(st.integers(1, 4)),
        initial_wh=draw(st.integers(0, 4)),
        wear=draw(st.integers(0, 3)) * 10_000,
        least_wh=entries(st.integers(0, 3)),
    )
    return seen, store


@given(households())
@settings(deadline=None, max_examples=60)
def test_no_plan_of_whole_wh_is_cheaper_and_none_is_missed(household: tuple[Outlook, Store]) -> None:
    seen, store = household
    cheapest = least_cost(seen, store)
    if cheapest == INFEASIBLE:
        with pytest.raises(InfeasibleError):
            Planner().plan(seen, [store])
    else:
        # without losses all corners of the plans' polytope are whole
        assert Planner().plan(seen, [store]).cost_nano == pytest.approx(cheapest, abs=1)


@given(households(lowest_price=-50))
@settings(deadline=None, max_examples=60)
def test_a_plan_never_charges_and_discharges_at_once_even_where_waste_would_pay(
    household: tuple[Outlook, Store],
) -> None:
    seen, store = household
    cheapest = least_cost(seen, store)
    if cheapest < INFEASIBLE:
        plan = Planner().plan(seen, [store])
        assert not plan.wasteful.any()
        assert plan.cost_nano == pytest.approx(cheapest, abs=1)


def test_energy_that_costs_less_than_nothing_is_not_burnt_in_a_lossy_battery() -> None:
    seen = outlook([0, 0], [-100_000, -100_000], export_price=[-100_000, -100_000])
    store = battery(2, efficiency_ppm=500_000, capacity_wh=10, power_wh=4)
    plan = Planner().plan(seen, [store])
    assert plan.charge_wh[0].tolist() == [4, 4]
    assert plan.discharge_wh[0].tolist() == [0, 0]


def test_a_later_plan_of_the_same_planner_is_that_of_a_new_one() -> None:
    draws = np.random.default_rng(3)
    planner, stored = Planner(), 5_000
    cells = Battery(10_000, 3_000, 3_000, 920_000, degradation_nano_per_wh=20_000)
    for start in range(0, 40, 3):
        load, sun = draws.integers(100, 900, 36), draws.integers(0, 1_500, 36)
        prices = (draws.integers(9, 40, 36) * 10_000).tolist()
        seen = outlook(
            load.tolist(),
            prices,
            export_price=[90_000] * 36,
            generation_wh=sun.tolist(),
            first_slot=FIRST_SLOT + start * SLOT_S,
        )
        stores = [battery_store(cells, stored, 36, SLOT_S)]
        plan = planner.plan(seen, stores)
        assert plan.cost_nano == pytest.approx(Planner().plan(seen, stores).cost_nano, rel=1e-9)
        stored = first_action(plan, seen, stores).level_wh[0]


@given(st.integers(0, 2**32), st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_what_is_done_keeps_every_limit_to_the_wh_and_loses_no_energy(seed: int, plans: int) -> None:
    draws = np.random.default_rng(seed)
    slots = 12
    car = ElectricVehicle(
        Battery(20_000, 7_400, 7_400, int(draws.integers(700_000, PPM)), degradation_nano_per_wh=50_000),
        (Stay(FIRST_SLOT, FIRST_SLOT + 8 * SLOT_S, 3_333, 15_001),),
        may_discharge=True,
    )
    cells = Battery(5_000, 2_500, 2_500, int(draws.integers(700_000, PPM)))
    pump = HeatPump(1_500, 3_100_000, 20_000, Series(FIRST_SLOT, SLOT_S, np.zeros(1, dtype=np.int64)), 10_000)
    levels = [1_001, 3_333, 4_000]
    planner = Planner()
    for position in range(plans):
        starts = FIRST_SLOT + SLOT_S * np.arange(position, position + slots)
        seen = outlook(
            draws.integers(0, 1_500, slots).tolist(),
            (draws.integers(5, 50, slots) * 10_000).tolist(),
            generation_wh=draws.integers(0, 4_000, slots).tolist(),
            export_price=[50_000] * slots,
            curtailable=bool(seed % 2),
            first_slot=int(starts[0]),
        )
        stores = [
            battery_store(cells, levels[0], slots, SLOT_S),
            vehicle_store(car, levels[1], starts, SLOT_S),
            tank_store(pump, levels[2], draws.integers(0, 2_000, slots)),
        ]
        planner.plan(seen, stores)
        demand = planner.demand(50_000, int(seen.import_price[0]) + 50_000)
        wanted = int(draws.integers(-8_000, 8_000))
        action = first_action(planner.at_net(demand.clamp(wanted)), seen, stores)
        spare = int(seen.generation_wh[0]) - action.curtailed_wh
        assert 0 <= spare <= seen.generation_wh[0]
        flows = sum(action.charge_wh) - sum(action.discharge_wh)
        assert action.net_wh == int(seen.load_wh[0]) - spare + flows
        assert -int(seen.export_limit_wh[0]) <= action.net_wh <= seen.import_limit_wh[0]
        for number, store in enumerate(stores):
            taken, given_wh = action.charge_wh[number], action.discharge_wh[number]
            assert 0 <= taken <= store.charge_limit_wh[0]
            assert 0 <= given_wh <= store.discharge_limit_wh[0]
            assert not (taken and given_wh)
            assert store.least_wh[0] <= action.level_wh[number] <= store.most_wh[0]
            assert action.level_wh[number] == store.level_after(taken, given_wh)
        levels = list(action.level_wh)


def test_a_car_charges_in_the_cheapest_slots_of_its_stay_and_leaves_with_what_it_needs() -> None:
    car = ElectricVehicle(
        Battery(40_000, 10_000, 10_000, 900_000),
        (Stay(FIRST_SLOT + SLOT_S + 60, FIRST_SLOT + 5 * SLOT_S - 60, 10_000, 28_000),),
    )
    starts = FIRST_SLOT + SLOT_S * np.arange(8)
    prices = [10_000, 10_000, 100_000, 500_000, 10_000, 10_000, 10_000, 10_000]
    plan = Planner().plan(outlook([0] * 8, prices), [vehicle_store(car, 14_500, starts, SLOT_S)])
    # at home, slot for slot, from the third to the fourth hour: 13,500 Wh are 15,000 before the loss
    assert plan.charge_wh[0].tolist() == [0, 0, 10_000, 5_000, 0, 0, 0, 0]
    assert plan.level_wh[0, 3] == 28_000


def test_a_tank_is_heated_in_cheap_slots_and_loses_some_of_what_it_keeps() -> None:
    pump = HeatPump(1_000, 3_000_000, 9_000, Series(FIRST_SLOT, SLOT_S, np.zeros(1, dtype=np.int64)), 100_000)
    seen = outlook([0] * 3, [100_000, 500_000, 500_000])
    plan = Planner().plan(seen, [tank_store(pump, 0, np.array([0, 0, 810]))])
    # 810 Wh in the last slot are 900 before the last slot's loss, 1,000 before the one before, made of 1,000/3
    assert plan.charge_wh[0] == pytest.approx([1_000 / 3, 0, 0])


def test_less_is_generated_where_export_costs_if_that_is_allowed() -> None:
    wasteful = outlook([1], [10_000], export_price=[-20_000], generation_wh=[5])
    assert Planner().plan(wasteful, []).cost_nano == pytest.approx(80_000)
    frugal = outlook([1], [10_000], export_price=[-20_000], generation_wh=[5], curtailable=True)
    plan = Planner().plan(frugal, [])
    assert (plan.cost_nano, plan.curtailed_wh[0]) == (pytest.approx(0), pytest.approx(4))


def test_what_a_wh_is_worth_in_a_slot_is_what_one_more_saves() -> None:
    store = battery(3, capacity_wh=10, power_wh=4, initial_wh=2)
    loads = [1, 6, 1]
    prices = [100_000, 400_000, 200_000]
    plan = Planner().plan(outlook(loads, prices), [store])
    for slot in range(3):
        more = loads.copy()
        more[slot] += 1
        costs_more = Planner().plan(outlook(more, prices), [store]).cost_nano - plan.cost_nano
        assert plan.worth[slot] == pytest.approx(costs_more)
