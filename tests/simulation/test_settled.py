from dataclasses import replace

import numpy as np
import pytest

from agents.devices.battery import Battery
from agents.devices.utility import Utility
from simulation.period import of_days
from simulation.results import BrokenRunError, Results
from simulation.run import run
from simulation.scenario import Scenario
from simulation.scenarios.groene_mient import groene_mient, with_battery
from simulation.scenarios.groene_mient_reference import SHOWN_DAY
from simulation.settled import NotSettleableError, settle
from tests.simulation.streets import street

BATTERY = Battery(capacity_wh=2_000, max_charge_w=4_000, max_discharge_w=4_000, efficiency_ppm=900_000)


def small_street() -> Scenario:
    """Sun at first, then none: a market, a battery of a household's and one of the community's."""
    return street(
        [[100, 200, 900, 0], [500, 300, 400, 400], [0, 0, 700, 800]],
        [[900, 1_200, 0, 0], [0, 0, 0, 0], [800, 0, 0, 600]],
        batteries={2: BATTERY},
        community_battery=BATTERY,
    )


@pytest.mark.parametrize("design", ["uniform", "continuous"])
def test_balances_on_chain_change_by_the_bills_and_the_audit_holds(design: str) -> None:
    results = run(small_street(), design=design)
    assert results.members["bought_wh"].any()
    settled = settle(results)
    assert settled.slots == 4
    assert settled.report.holds
    assert settled.report.checks > 100
    # In slot 2 the community's battery gives energy that is not generated again.
    assert settled.certified == 3
    matched = results.members["from_generation_wh"].sum(axis=1).tolist()
    assert sum(settled.retired_wh) > 0
    assert settled.retired_wh[0] <= matched[0]


def test_without_storages_certificates_are_retired_for_what_came_from_generation_of_the_slot() -> None:
    scenario = street([[100, 200], [500, 300]], [[900, 1_200], [0, 0]])
    results = run(scenario)
    settled = settle(results)
    assert settled.certified == settled.slots == 2
    assert list(settled.retired_wh) == results.members["from_generation_wh"].sum(axis=1).tolist()


def test_a_run_whose_bills_are_not_what_was_traded_does_not_settle() -> None:
    results = run(street([[100], [0]], [[0], [100]]))
    columns = {name: column.copy() for name, column in results.members.items()}
    columns["utility_nano"][0, 0] -= 1
    with pytest.raises(BrokenRunError, match="bills"):
        settle(replace(results, members=columns))


def test_changing_prices_and_runs_that_are_too_long_are_refused() -> None:
    prices = np.array([200_000, 210_000])
    with pytest.raises(NotSettleableError, match="every slot"):
        settle(run(street([[1, 1]], [[0, 0]], utility=Utility(prices, prices))))
    with pytest.raises(NotSettleableError, match="at most 2976"):
        settle(run(groene_mient(days=32), strategy="conventional"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_of_the_33_households_and_their_battery_settles() -> None:
    day: Results = run(of_days(with_battery(groene_mient()), SHOWN_DAY, 1))
    settled = settle(day)
    assert settled.slots == 96
    assert 0 < settled.certified <= 96
