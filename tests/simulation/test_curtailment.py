from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.devices.connection import GridConnection
from simulation.curtailment import ConnectionLimitError
from simulation.run import run
from simulation.scenario import Scenario
from tests.simulation.streets import street, streets


def limited(scenario: Scenario, *, curtailable: bool = True, **limits: int) -> Scenario:
    households = tuple(replace(home, curtailable=curtailable) for home in scenario.households)
    return replace(scenario, households=households, connection=GridConnection(**limits))


def test_what_the_connection_cannot_carry_is_curtailed_in_proportion_to_what_is_exported() -> None:
    scenario = limited(street([[0], [100], [0]], [[400], [0], [200]]), max_export_w=1_000)
    results = run(scenario)
    assert results.slots["exported_wh"].tolist() == [250]
    generation = results.members["generation_wh"].ravel().tolist()
    assert sum(generation) == 350
    assert generation[0] + generation[2] == 350
    exported_before = (
        np.array([400, 200])
        - run(replace(scenario, connection=GridConnection())).members["sold_wh"].ravel()[[0, 2]]
    )
    cut = np.array([400 - generation[0], 200 - generation[2]])
    assert abs(cut[0] * exported_before[1] - cut[1] * exported_before[0]) <= exported_before.sum()


def test_generation_that_may_not_be_curtailed_is_refused_with_time_power_and_limit() -> None:
    scenario = limited(street([[0]], [[400]]), curtailable=False, max_export_w=1_000)
    with pytest.raises(ConnectionLimitError, match=r"export 1600 W on 2024-01-01 at 00:00.*carries 1000 W"):
        run(scenario)


def test_import_beyond_the_connection_is_refused() -> None:
    scenario = limited(street([[0, 300]], [[0, 0]]), max_import_w=1_000)
    with pytest.raises(ConnectionLimitError, match=r"import 1200 W on 2024-01-01 at 00:15.*carries 1000 W"):
        run(scenario)


@settings(max_examples=40)
@given(streets(), st.integers(0, 20_000))
def test_with_curtailment_the_export_keeps_to_the_limit_and_trades_stay_as_they_are(
    scenario: Scenario, max_export_w: int
) -> None:
    unlimited = run(scenario)
    try:
        results = run(limited(scenario, max_export_w=max_export_w))
    except ConnectionLimitError:
        # what is over the limit comes from a battery that had to give way to nobody
        assert unlimited.members["discharged_wh"].any()
        return
    assert results.slots["exported_wh"].max() <= max_export_w // 4
    assert (results.members["bought_wh"] == unlimited.members["bought_wh"]).all()
    assert (results.members["stored_wh"] == unlimited.members["stored_wh"]).all()
