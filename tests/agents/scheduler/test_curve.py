import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scheduler.curve import Demand, Jump, orders, trace
from agents.scheduler.outlook import Outlook
from agents.scheduler.planner import Planner
from agents.scheduler.store import Store
from matching.tariff import Tariff
from tests.agents.scheduler.brute_force import INFEASIBLE, least_cost
from tests.agents.scheduler.parts import battery, outlook
from tests.agents.scheduler.test_planner import households

LOW, HIGH = 30_000, 450_000
TARIFF = Tariff(retail_price=HIGH, feed_in_price=LOW)


def worths(seen: Outlook, store: Store) -> dict[int, float]:
    """By brute force: for each net flow q of the first slot, what the q-th Wh is worth, nano-credit.

    Without end below the least flow that is possible, as it must be had, and less than nothing above the most.
    """
    limits = range(-int(seen.export_limit_wh[0]), int(seen.import_limit_wh[0]) + 1)
    costs = {net: least_cost(seen, store, net) for net in limits}
    possible = [net for net in limits if costs[net] < INFEASIBLE]
    worth = {net: costs[net - 1] - costs[net] for net in possible[1:]}
    worth |= dict.fromkeys((net for net in limits if net <= possible[0]), INFEASIBLE)
    return worth | dict.fromkeys((net for net in limits if net > possible[-1]), -INFEASIBLE)


@given(households())
@settings(deadline=None, max_examples=60)
def test_the_orders_are_what_one_more_wh_is_worth_by_brute_force(household: tuple[Outlook, Store]) -> None:
    seen, store = household
    if least_cost(seen, store) == INFEASIBLE:
        return
    planner = Planner()
    planner.plan(seen, [store])
    curve = orders(planner.demand(LOW, HIGH), TARIFF)
    worth = sorted(worths(seen, store).items())
    # between feed-in and retail, Wh by Wh; at the ends themselves the utility does as well
    wanted = [min(value, HIGH) for net, value in worth if net > 0 and value > LOW]
    spared = [max(value, LOW) for net, value in reversed(worth) if net <= 0 and value < HIGH]
    bid = [step.price for step in curve.bids for _ in range(step.quantity_wh) if step.price > LOW]
    offered = [step.price for step in curve.offers for _ in range(step.quantity_wh) if step.price < HIGH]
    assert bid == pytest.approx(wanted, abs=1)
    assert offered == pytest.approx(spared, abs=1)


@given(households())
@settings(deadline=None, max_examples=40)
def test_bids_fall_and_offers_rise_and_no_bid_reaches_an_offer(household: tuple[Outlook, Store]) -> None:
    seen, store = household
    if least_cost(seen, store) == INFEASIBLE:
        return
    planner = Planner()
    planner.plan(seen, [store])
    curve = orders(planner.demand(LOW, HIGH), TARIFF)
    bids, offers = [step.price for step in curve.bids], [step.price for step in curve.offers]
    assert bids == sorted(set(bids), reverse=True)
    assert offers == sorted(set(offers))
    assert all(LOW <= price <= HIGH for price in bids + offers)
    assert not bids or not offers or bids[0] < offers[0]


@given(households(), st.integers(-15, 15))
@settings(deadline=None, max_examples=40)
def test_whatever_trades_the_rest_of_the_plan_is_the_best_there_is(
    household: tuple[Outlook, Store], traded_wh: int
) -> None:
    seen, store = household
    if least_cost(seen, store) == INFEASIBLE:
        return
    planner = Planner()
    planner.plan(seen, [store])
    net = planner.demand(LOW, HIGH).clamp(traded_wh)
    assert net == pytest.approx(round(net), abs=1e-6)
    plan = planner.at_net(net)
    assert plan.net_wh[0] == pytest.approx(net, abs=1e-6)
    assert plan.cost_nano == pytest.approx(least_cost(seen, store, round(net)), abs=1)


def test_a_battery_bids_what_its_energy_will_save_and_offers_above_what_it_would() -> None:
    # now 20 ct; in an hour 2 Wh are needed at 40 ct; 80 % of what is charged comes back, 1 Wh is there already
    store = battery(2, efficiency_ppm=800_000, power_wh=10, capacity_wh=100, initial_wh=1)
    planner = Planner()
    planner.plan(outlook([0, 2], [200_000, 400_000], export_price=[50_000, 50_000]), [store])
    curve = orders(planner.demand(50_000, 400_000), Tariff(400_000, 50_000))
    assert [(step.price, step.quantity_wh) for step in curve.bids] == [(320_000, 1)]
    # what it has it gives for what it would then have to buy more of in the next slot
    assert [(step.price, step.quantity_wh) for step in curve.offers] == [(400_000, 1)]


def test_the_grid_fee_is_taken_off_bids_and_what_is_not_worth_it_is_not_bid() -> None:
    demand = Demand(at_low_wh=9.0, at_high_wh=2.0, jumps=(Jump(60_000.0, 9.0, 5.0), Jump(300_000.0, 5.0, 2.0)))
    curve = orders(demand, Tariff(400_000, 50_000, 20_000))
    assert [(step.price, step.quantity_wh) for step in curve.bids] == [(380_000, 2), (280_000, 3)]
    assert not curve.offers


def test_parts_of_a_wh_are_rounded_down_in_sum_and_never_asked_for() -> None:
    demand = Demand(2.7, 0.0, (Jump(100_000.4, 2.7, 1.6), Jump(200_000.6, 1.6, 0.0)))
    assert [(step.price, step.quantity_wh) for step in orders(demand, Tariff(400_000, 0)).bids] == [
        (200_000, 1),
        (100_000, 1),
    ]
    supply = Demand(0.0, -2.7, (Jump(100_000.4, 0.0, -1.6), Jump(200_000.6, -1.6, -2.7)))
    assert [(step.price, step.quantity_wh) for step in orders(supply, Tariff(400_000, 0)).offers] == [
        (100_001, 1),
        (200_001, 1),
    ]


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 50)), max_size=8, unique_by=lambda step: step[0]))
def test_every_jump_of_any_demand_is_found_with_few_questions(steps: list[tuple[int, int]]) -> None:
    asked = []

    def at_price(price: float) -> tuple[float, float]:
        asked.append(price)
        wanted = sum(energy for level, energy in steps if level * 1_000 > price)
        saved = sum(level * 1_000 * energy for level, energy in steps if level * 1_000 > price)
        return price * wanted - saved, float(wanted)

    demand = trace(at_price, 0, 100_000)
    assert [round(jump.price) for jump in demand.jumps] == sorted(level * 1_000 for level, _ in steps)
    assert len(asked) <= 2 * len(steps) + 2
