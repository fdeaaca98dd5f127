import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.devices.battery import Battery
from agents.strategies.pricing import PRICINGS, InvalidStrategyError, Ramps, price_range
from simulation.results import UTILITY, BrokenRunError, Results, bills_nano
from simulation.results_files import UnreadableResultsError, read_results, write_results
from simulation.run import CONVENTIONAL, DESIGNS, batteries, months, run
from simulation.scenario import COMMUNITY_BATTERY, Scenario
from simulation.scenarios.fontana import fontana
from tests.simulation.streets import TARIFF, street, streets, without_batteries

LOSSLESS = Battery(capacity_wh=1_000, max_charge_w=100_000, max_discharge_w=100_000)
ways = st.tuples(st.sampled_from([*PRICINGS, CONVENTIONAL]), st.sampled_from([*DESIGNS]), st.integers(0, 3))


@settings(max_examples=60)
@given(streets(), ways)
def test_energy_and_money_add_up_in_every_slot(scenario: Scenario, way: tuple[str, str, int]) -> None:
    """`Results` itself refuses tables that do not add up; here sums over the run are compared as well."""
    strategy, design, seed = way
    results = run(scenario, strategy=strategy, design=design, seed=seed)
    m = {name: int(column.sum()) for name, column in results.members.items()}
    initial = sum(results.info.initial_stored_wh)
    left = int(results.slots["stored_wh"][-1])
    assert m["generation_wh"] + m["imported_wh"] + initial == (
        m["consumption_wh"] + m["exported_wh"] + m["lost_wh"] + left
    )
    assert m["from_generation_wh"] + m["from_storage_wh"] <= m["generation_wh"]
    assert m["from_initial_wh"] <= initial
    # members together pay the utility and nobody else
    assert sum(bills_nano(results)) == m["fee_nano"] - m["utility_nano"]


@settings(max_examples=40)
@given(streets(), ways)
def test_batteries_keep_to_their_capacity_and_power(scenario: Scenario, way: tuple[str, str, int]) -> None:
    strategy, design, seed = way
    results = run(scenario, strategy=strategy, design=design, seed=seed)
    for member, battery in enumerate(batteries(scenario)):
        flows = {name: column[member] for name, column in results.members.items()}
        if battery is None:
            assert not flows["charged_wh"].any()
            assert not flows["discharged_wh"].any()
            continue
        assert flows["stored_wh"].max() <= battery.capacity_wh
        assert flows["charged_wh"].max() <= battery.max_charge_w // 4
        assert flows["discharged_wh"].max() <= battery.max_discharge_w // 4
        assert not (flows["charged_wh"].astype(bool) & flows["discharged_wh"].astype(bool)).any()


@settings(max_examples=30)
@given(streets(), ways)
def test_the_trade_tables_add_up_to_the_members_flows(scenario: Scenario, way: tuple[str, str, int]) -> None:
    strategy, design, seed = way
    results = run(scenario, strategy=strategy, design=design, seed=seed)
    outside = len(results.info.members)
    by_slot = results.trades_by_slot
    assert by_slot is not None
    for table in (results.trades, by_slot):
        for member in range(outside):
            bought = table.buyer == member
            sold = table.seller == member
            local_bought, local_sold = bought & (table.seller != outside), sold & (table.buyer != outside)
            assert table.quantity_wh[local_bought].sum() == results.members["bought_wh"][member].sum()
            assert table.quantity_wh[local_sold].sum() == results.members["sold_wh"][member].sum()
            paid = table.amount_nano[sold].sum() - table.amount_nano[bought].sum()
            flows = results.members["amount_nano"][member].sum() + results.members["utility_nano"][member].sum()
            assert paid == flows


@settings(max_examples=30)
@given(streets(), ways)
def test_prices_stay_between_feed_in_and_retail(scenario: Scenario, way: tuple[str, str, int]) -> None:
    strategy, design, seed = way
    trades = run(scenario, strategy=strategy, design=design, seed=seed).trades_by_slot
    assert trades is not None
    low, high = price_range(scenario.utility)
    outside = len(scenario.member_names)
    local = (trades.seller != outside) & (trades.buyer != outside)
    position = (trades.slot[local] - scenario.slots[0]) // scenario.slot_s if trades.slot is not None else None
    assert position is not None
    price = trades.amount_nano[local] // trades.quantity_wh[local]
    assert (price * trades.quantity_wh[local] == trades.amount_nano[local]).all()
    assert ((low[position] <= price) & (price <= high[position])).all()


@settings(max_examples=30)
@given(streets(), ways)
def test_without_batteries_no_household_pays_more_than_with_the_utility_alone(
    scenario: Scenario, way: tuple[str, str, int]
) -> None:
    strategy, design, seed = way
    scenario = without_batteries(scenario)
    with_market = bills_nano(run(scenario, strategy=strategy, design=design, seed=seed))
    conventional = bills_nano(run(scenario, strategy=CONVENTIONAL))
    assert all(ours <= theirs for ours, theirs in zip(with_market, conventional, strict=True))


@settings(max_examples=60)
@given(streets())
def test_with_the_utility_alone_bills_are_the_closed_form(scenario: Scenario) -> None:
    scenario = without_batteries(scenario)
    results = run(scenario, strategy=CONVENTIONAL)
    retail, feed_in = scenario.utility.retail_price.tolist(), scenario.utility.feed_in_price.tolist()
    for household, bill in zip(scenario.households, bills_nano(results), strict=True):
        expected = 0
        for slot, (needed, spare) in enumerate(
            zip(household.consumption_wh.tolist(), household.generation_wh.tolist(), strict=True)
        ):
            net = needed - spare
            expected += net * (retail[slot] if net > 0 else feed_in[slot])
        assert bill == expected
    assert len(results.trades.seller) == len(
        {(s, b) for s, b in zip(results.trades.seller.tolist(), results.trades.buyer.tolist(), strict=True)}
    )


@settings(max_examples=60)
@given(streets(), st.sampled_from(["ramps", "truthful"]))
def test_all_energy_that_neighbours_can_exchange_at_once_is_traded(scenario: Scenario, strategy: str) -> None:
    scenario = without_batteries(scenario)
    low, high = price_range(scenario.utility)
    for design in DESIGNS:
        results = run(scenario, strategy=strategy, design=design)
        net = results.members["consumption_wh"] - results.members["generation_wh"]
        exchangeable = np.minimum(np.maximum(net, 0).sum(axis=0), np.maximum(-net, 0).sum(axis=0))
        assert (results.slots["traded_wh"] == np.where(low <= high, exchangeable, 0)).all()


def test_the_ramps_meet_halfway() -> None:
    """From 9 up and 21 (22 less the fee) down in 14 steps: they meet at the seventh, at 15 ct/kWh."""
    results = run(street([[500], [0]], [[0], [300]]))
    assert results.slots["price"].tolist() == [150_000]
    assert results.members["amount_nano"].tolist() == [[-45_000_000], [45_000_000]]
    assert results.members["fee_nano"].tolist() == [[3_000_000], [0]]
    assert results.members["utility_nano"].tolist() == [[-44_000_000], [0]]


def test_a_battery_buys_at_noon_and_sells_in_the_evening_never_below_its_cost() -> None:
    battery = replace(LOSSLESS, efficiency_ppm=500_000)
    results = run(street([[0, 900], [0, 0]], [[0, 0], [1_000, 0]], community_battery=battery))
    bought, sold = results.column("bought_wh", COMMUNITY_BATTERY), results.column("sold_wh", COMMUNITY_BATTERY)
    assert bought.tolist() == [1_000, 0]
    assert results.column("lost_wh", COMMUNITY_BATTERY).tolist() == [500, 0]
    # it paid at least 9 ct and the fee for each Wh, of which half is lost: above the 21 ct that anyone would pay
    paid = -int(results.column("amount_nano", COMMUNITY_BATTERY)[0]) + 1_000 * TARIFF.grid_fee
    assert paid / 500 > 210_000
    assert sold.tolist() == [0, 0]
    lossless = run(street([[0, 900], [0, 0]], [[0, 0], [1_000, 0]], community_battery=LOSSLESS))
    assert lossless.column("sold_wh", COMMUNITY_BATTERY).tolist() == [0, 900]
    assert lossless.column("amount_nano", COMMUNITY_BATTERY)[1] >= 900 * 160_000


@settings(max_examples=60)
@given(streets(), ways)
def test_a_community_battery_that_starts_empty_never_loses_money_on_what_it_has_sold(
    scenario: Scenario, way: tuple[str, str, int]
) -> None:
    """For every Wh sold it has at least its cost: what it is short of in the end is what it still holds."""
    strategy, design, seed = way
    battery = scenario.community_battery or LOSSLESS
    scenario = replace(scenario, community_battery=replace(battery, initial_wh=0))
    results = run(scenario, strategy=strategy, design=design, seed=seed)
    if results.slots["stored_wh"][-1] == 0 and results.column("bought_wh", COMMUNITY_BATTERY).any():
        gained = results.column("discharged_wh", COMMUNITY_BATTERY).sum()
        earned = results.column("amount_nano", COMMUNITY_BATTERY) - results.column("fee_nano", COMMUNITY_BATTERY)
        # what rounds to nothing when stored is lost whole, and its price with it
        charged, lost = (
            results.column("charged_wh", COMMUNITY_BATTERY),
            results.column("lost_wh", COMMUNITY_BATTERY),
        )
        worthless = -earned[(charged > 0) & (charged == lost)].sum()
        assert gained == 0 or earned.sum() >= -worthless


def test_a_households_battery_serves_its_own_household_first() -> None:
    results = run(street([[0, 400], [500, 500]], [[600, 0], [0, 0]], batteries={0: LOSSLESS}))
    assert results.members["charged_wh"][0].tolist() == [600, 0]
    assert results.members["discharged_wh"][0].tolist() == [0, 600]
    assert results.members["from_storage_wh"].tolist() == [[0, 400], [0, 200]]
    assert results.members["sold_wh"][0].tolist() == [0, 200]


@given(st.sampled_from([*PRICINGS]), st.sampled_from([*DESIGNS]))
@settings(max_examples=8)
def test_the_same_seed_gives_the_same_run_and_another_another(strategy: str, design: str) -> None:
    scenario = fontana(days=2)
    first, again = (run(scenario, strategy=strategy, design=design, seed=1) for _ in range(2))
    assert same_tables(first, again)
    if strategy == "zero-intelligence":
        assert not same_tables(first, run(scenario, strategy=strategy, design=design, seed=2))


def same_tables(one: Results, other: Results) -> bool:
    return all((one.members[name] == other.members[name]).all() for name in one.members)


def test_a_run_is_cut_at_the_local_months() -> None:
    scenario = fontana()
    assert [end - first for first, end in months(scenario)][:4] == [31 * 96, 30 * 96, 31 * 96, 30 * 96 + 4]
    assert sum(end - first for first, end in months(scenario)) == 35_040


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    battery = replace(LOSSLESS, capacity_wh=20_000, efficiency_ppm=900_000, initial_wh=5_000)
    scenario = replace(fontana(days=70), community_battery=battery)
    done: list[int] = []

    def kill_after_two_months(slots: int, of: int) -> None:
        done.append(slots)
        if len(done) == 2:
            raise KilledError

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(scenario, strategy="zero-intelligence", seed=3, folder=whole)
    with pytest.raises(KilledError):
        run(scenario, strategy="zero-intelligence", seed=3, folder=killed, progress=kill_after_two_months)
    assert not (killed / "run.json").exists()
    done = [0, 0, 0]
    resumed = run(scenario, strategy="zero-intelligence", seed=3, folder=killed, progress=kill_after_two_months)
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }
    assert same_tables(resumed, read_results(whole))


def test_months_of_another_run_are_not_gone_on_with(tmp_path: Path) -> None:
    scenario = fontana(days=40)

    def kill(slots: int, of: int) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        run(scenario, strategy="zero-intelligence", seed=1, folder=tmp_path, progress=kill)
    other = run(scenario, strategy="zero-intelligence", seed=2, folder=tmp_path)
    assert same_tables(other, run(scenario, strategy="zero-intelligence", seed=2))


@settings(max_examples=10)
@given(streets(), ways)
def test_results_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, scenario: Scenario, way: tuple[str, str, int]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    strategy, design, seed = way
    written = run(scenario, strategy=strategy, design=design, seed=seed, folder=folder)
    read = read_results(folder)
    assert json.loads(json.dumps(read.info.to_json())) == json.loads((folder / "run.json").read_text())
    assert read.info.members == written.info.members
    assert same_tables(written, read)
    for name, column in written.slots.items():
        assert (read.slots[name] == column).all()
    for table, again in ((written.trades, read.trades), (written.trades_by_slot, read.trades_by_slot)):
        assert table is not None
        assert again is not None
        assert (table.seller == again.seller).all()
        assert (table.amount_nano == again.amount_nano).all()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableResultsError, match="does not hold"):
        read_results(tmp_path)


def test_tables_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    results = run(street([[500], [0]], [[0], [300]]), folder=tmp_path)
    for name in ("bought_wh", "amount_nano", "stored_wh", "from_utility_wh", "lost_wh"):
        columns = {key: column.copy() for key, column in results.members.items()}
        columns[name][0, 0] += 1
        with pytest.raises(BrokenRunError):
            replace(results, members=columns)
    columns = dict(results.slots) | {"imported_wh": results.slots["imported_wh"] + 1}
    with pytest.raises(BrokenRunError, match="connection"):
        replace(results, slots=columns)
    write_results(results, tmp_path)
    assert UTILITY not in results.info.members


def test_unknown_strategies_and_designs_are_refused_by_name() -> None:
    scenario = street([[1]], [[0]])
    with pytest.raises(InvalidStrategyError, match="'guessing'"):
        run(scenario, strategy="guessing")
    with pytest.raises(InvalidStrategyError, match="'lottery'"):
        run(scenario, design="lottery")


def test_the_run_says_what_it_was() -> None:
    battery = replace(LOSSLESS, initial_wh=7)
    info = run(street([[1]], [[0]], community_battery=battery), strategy=Ramps(interval_s=120), seed=5).info
    assert (info.scenario, info.strategy, info.design, info.seed) == ("street", "ramps", "uniform", 5)
    assert info.storages == (COMMUNITY_BATTERY,)
    assert info.initial_stored_wh == (0, 7)
    assert info.parameters["strategy"] == {"interval_s": 120}
    assert json.loads(json.dumps(info.to_json()))["units"]["_wh"] == "Wh"
