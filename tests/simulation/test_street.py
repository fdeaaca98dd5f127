from datetime import UTC, datetime

import numpy as np
import pytest

from agents.devices.electric_vehicle import ElectricVehicle
from simulation.optimum import optimum
from simulation.results import Results
from simulation.scenario import InvalidScenarioError
from simulation.street import NEEDED_WH, Street, retail_prices, street_with_evs
from simulation.street_comparison import compare, load_duration_w
from simulation.street_variants import VARIANTS, StreetRun, keeping, run_street


@pytest.fixture(scope="module")
def street() -> Street:
    return street_with_evs(days=1)


@pytest.fixture(scope="module")
def runs(street: Street) -> dict[str, StreetRun]:
    return {variant: run_street(street, variant) for variant in VARIANTS}


def levels_at_departure(street: Street, results: Results) -> list[int]:
    """What each car can give in the last slot of its first stay, Wh."""
    levels = []
    for number, home in enumerate(street.scenario.households):
        assert home.vehicle is not None
        end = (home.vehicle.stays[0].departure - int(street.scenario.slots[0])) // street.scenario.slot_s
        levels.append(int(results.members["stored_wh"][number, end - 1]))
    return levels


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_car_leaves_with_what_its_owner_needs(
    street: Street, runs: dict[str, StreetRun], variant: str
) -> None:
    assert levels_at_departure(street, runs[variant].results) == [NEEDED_WH] * 10
    assert not runs[variant].missed


def test_every_variant_serves_the_same_consumption_from_the_same_sun(runs: dict[str, StreetRun]) -> None:
    totals = {
        (int(members["consumption_wh"].sum()), int(members["generation_wh"].sum()))
        for members in (run.results.members for run in runs.values())
    }
    assert len(totals) == 1


def test_trading_beats_following_the_utility_and_giving_beats_keeping(runs: dict[str, StreetRun]) -> None:
    cost = {variant: run.cost_nano for variant, run in runs.items()}
    assert cost["trading-scheduler"] < cost["price-following"] < cost["uncontrolled"]
    assert cost["trading-scheduler"] < cost["trading-ramps"]
    assert cost["trading-v2g"] < cost["trading-scheduler"]


def test_no_run_costs_the_community_less_than_the_optimum(street: Street, runs: dict[str, StreetRun]) -> None:
    giving, kept = optimum(street.scenario).cost_nano, optimum(keeping(street.scenario)).cost_nano
    assert giving < kept
    for variant, run in runs.items():
        assert run.cost_nano >= (giving if VARIANTS[variant].gives else kept)


def test_prices_stay_between_feed_in_and_retail(runs: dict[str, StreetRun]) -> None:
    for run in runs.values():
        slots = run.results.slots
        traded = slots["traded_wh"] > 0
        assert (slots["price"][traded] >= slots["feed_in_price"][traded]).all()
        assert (slots["price"][traded] <= slots["retail_price"][traded]).all()


def test_without_a_market_nobody_trades_and_with_one_trades_add_up(runs: dict[str, StreetRun]) -> None:
    for variant, run in runs.items():
        traded_wh = int(run.results.members["bought_wh"].sum())
        assert bool(traded_wh) == VARIANTS[variant].trades
        assert traded_wh == int(run.results.trades.quantity_wh.sum())


def test_only_v2g_wears_batteries(runs: dict[str, StreetRun]) -> None:
    assert [variant for variant, run in runs.items() if run.wear_nano] == ["trading-v2g"]


def test_forecasts_come_with_their_errors(runs: dict[str, StreetRun]) -> None:
    errors = runs["trading-scheduler"].forecast_errors["home-01"]
    assert set(errors) == {"consumption_wh", "generation_wh", "price"}
    assert 0 < abs(errors["consumption_wh"].bias) <= errors["consumption_wh"].mae <= errors["consumption_wh"].rmse


def test_the_same_seed_gives_the_same_run_and_another_other_cars(runs: dict[str, StreetRun]) -> None:
    def cars(seed: int) -> list[ElectricVehicle | None]:
        return [home.vehicle for home in street_with_evs(days=1, seed=seed).scenario.households]

    assert cars(1) == cars(1)
    assert cars(1) != cars(2)
    again = run_street(street_with_evs(days=1), "price-following")
    for name, column in runs["price-following"].results.members.items():
        assert (column == again.results.members[name]).all()


def test_prices_are_those_of_the_hour_of_the_day_on_both_sides_of_the_clock_change() -> None:
    # 16:00 to 21:00 Pacific is 23:00 to 4:00 UTC in summer, 0:00 to 5:00 UTC in winter
    moments = {
        datetime(2017, 6, 13, 22, 59, tzinfo=UTC): 220_000,
        datetime(2017, 6, 13, 23, tzinfo=UTC): 540_000,
        datetime(2017, 6, 18, 3, 59, tzinfo=UTC): 400_000,
        datetime(2017, 6, 14, 4, tzinfo=UTC): 220_000,
        datetime(2017, 1, 10, 23, tzinfo=UTC): 210_000,
        datetime(2017, 1, 11, 0, tzinfo=UTC): 500_000,
    }
    slots = np.array([int(moment.timestamp()) for moment in moments], dtype=np.int64)
    assert retail_prices(slots).tolist() == list(moments.values())


def test_the_duration_curve_falls_from_the_peak(runs: dict[str, StreetRun]) -> None:
    curve = load_duration_w(runs["uncontrolled"].results)
    assert len(curve) == 96
    assert (np.diff(curve) <= 0).all()


def test_a_variant_that_does_not_exist_is_refused(street: Street) -> None:
    with pytest.raises(InvalidScenarioError, match="must be one of uncontrolled, price-following"):
        run_street(street, "magic")


@pytest.mark.slow
def test_over_a_week_planning_comes_closer_to_the_optimum_than_ramps_and_nothing_comes_below_it() -> None:
    rows = {row.variant: row for row in compare(street_with_evs(days=7))}
    assert all(row.gap >= 0 for row in rows.values())
    assert rows["trading-scheduler"].gap < rows["trading-ramps-patient"].gap < rows["trading-ramps"].gap
    assert rows["trading-v2g"].cost_nano < rows["trading-scheduler"].cost_nano
    assert not any(row.missed for row in rows.values())
