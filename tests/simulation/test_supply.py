from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulation.indicators import Period, community_indicators
from simulation.results import TradeTable
from simulation.supply import local_shares, supply
from tests.simulation.report.example import variants
from tests.simulation.tables import FEED_IN, RETAIL, results

PRICE = 150_000

# A generates 100 Wh and sells them to neighbour B's battery, which sells them to C a slot later, losing nothing.
THROUGH_A_NEIGHBOURS_BATTERY = results(
    {
        "A": {"generation_wh": [100, 0], "sold_wh": [100, 0], "amount_nano": [100 * PRICE, 0]},
        "B": {
            "charged_wh": [100, 0],
            "bought_wh": [100, 0],
            "stored_wh": [100, 0],
            "discharged_wh": [0, 100],
            "sold_wh": [0, 100],
            "amount_nano": [-100 * PRICE, 100 * PRICE],
        },
        "C": {
            "consumption_wh": [0, 400],
            "bought_wh": [0, 100],
            "imported_wh": [0, 300],
            "from_storage_wh": [0, 100],
            "amount_nano": [0, -100 * PRICE],
        },
    },
)


def test_energy_stored_in_a_neighbours_battery_counts_once() -> None:
    traded_wh = int(THROUGH_A_NEIGHBOURS_BATTERY.members["bought_wh"].sum())
    assert Fraction(traded_wh, 400) == Fraction(1, 2)  # what adding up the trades would give
    assert supply(THROUGH_A_NEIGHBOURS_BATTERY).self_sufficiency == Fraction(1, 4)
    assert supply(THROUGH_A_NEIGHBOURS_BATTERY).self_consumption == 1
    assert local_shares(THROUGH_A_NEIGHBOURS_BATTERY) == [None, None, Fraction(1, 4)]


def test_the_utility_is_no_local_producer() -> None:
    # Two homes without any generation buy 500 Wh, all from the utility, which is a party of the run's trades.
    utility = 2
    example = results(
        {
            "A": {"consumption_wh": [300], "imported_wh": [300]},
            "B": {"consumption_wh": [200], "imported_wh": [200]},
        },
        trades=TradeTable(
            seller=np.array([utility, utility]),
            buyer=np.array([0, 1]),
            quantity_wh=np.array([300, 200]),
            amount_nano=np.array([300, 200]) * RETAIL,
        ),
    )
    community = supply(example)
    assert community.self_sufficiency == 0
    assert community.self_consumption is None
    assert (community.from_utility_wh, community.imported_wh) == (500, 500)


def test_what_a_battery_held_at_the_beginning_is_not_local() -> None:
    example = results(
        {
            "battery": {"discharged_wh": [100], "sold_wh": [100], "amount_nano": [100 * PRICE]},
            "home": {
                "consumption_wh": [100],
                "bought_wh": [100],
                "from_initial_wh": [100],
                "amount_nano": [-100 * PRICE],
            },
        },
        storages=["battery"],
        initial_stored_wh=[100, 0],
    )
    assert supply(example).imported_wh == 0  # so that consumption less import would call all of it local
    assert supply(example).self_sufficiency == 0
    assert supply(example).from_initial_wh == 100


def test_what_a_battery_loses_is_neither_consumption_nor_self_consumption() -> None:
    example = results(
        {
            "home": {
                "generation_wh": [200, 0],
                "charged_wh": [200, 0],
                "lost_wh": [20, 0],
                "stored_wh": [180, 80],
                "discharged_wh": [0, 100],
                "consumption_wh": [0, 100],
                "from_storage_wh": [0, 100],
            }
        }
    )
    assert supply(example).self_sufficiency == 1
    assert supply(example).self_consumption == Fraction(1, 2)


def test_energy_of_the_utility_is_not_local_after_a_night_in_a_battery() -> None:
    example = results(
        {
            "home": {
                "imported_wh": [100, 0],
                "charged_wh": [100, 0],
                "stored_wh": [100, 0],
                "discharged_wh": [0, 100],
                "consumption_wh": [0, 100],
            }
        }
    )
    assert supply(example).self_sufficiency == 0
    assert supply(example).from_utility_wh == 100


def test_trades_move_no_energy() -> None:
    runs = variants()
    assert supply(runs["market"]) == supply(runs["conventional"])


def test_a_storage_gives_the_mix_it_holds_and_loses_the_mix_it_takes() -> None:
    # 100 Wh from the start, then 200 of its own generation and 100 of the utility's, of which 30 are lost.
    example = results(
        {
            "home": {
                "generation_wh": [200, 0],
                "imported_wh": [100, 0],
                "charged_wh": [300, 0],
                "lost_wh": [30, 0],
                "stored_wh": [370, 0],
                "discharged_wh": [0, 370],
                "consumption_wh": [0, 370],
                "from_storage_wh": [0, 180],
                "from_initial_wh": [0, 100],
            }
        },
        initial_stored_wh=[100],
    )
    community = supply(example)
    assert (community.from_storage_wh, community.from_initial_wh, community.from_utility_wh) == (180, 100, 90)


energies = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), min_size=1, max_size=6)


@given(energies, energies)
def test_without_storage_it_agrees_with_the_indicators_at_the_border(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    slots = min(len(first), len(second))
    consumption = np.array([[row[0] for row in home[:slots]] for home in (first, second)])
    generation = np.array([[row[1] for row in home[:slots]] for home in (first, second)])
    net = consumption - generation
    between = np.minimum(np.maximum(net, 0), np.maximum(-net, 0)[::-1])  # what each buys of the other
    local = np.minimum(consumption, generation) + between
    example = results(
        {
            name: {
                "consumption_wh": consumption[row].tolist(),
                "generation_wh": generation[row].tolist(),
                "bought_wh": between[row].tolist(),
                "sold_wh": between[1 - row].tolist(),
                "imported_wh": (np.maximum(net, 0) - between)[row].tolist(),
                "exported_wh": (np.maximum(-net, 0) - between[::-1])[row].tolist(),
                "from_generation_wh": local[row].tolist(),
                "amount_nano": ((between[1 - row] - between[row]) * FEED_IN).tolist(),
            }
            for row, name in enumerate(("A", "B"))
        }
    )
    nothing = np.zeros_like(net)
    border = community_indicators(Period(consumption, generation, nothing, nothing, nothing))
    community = supply(example)
    assert community.self_sufficiency == border.self_sufficiency
    assert community.self_consumption == border.self_consumption
    assert (community.imported_wh, community.exported_wh) == (border.imported_wh, border.exported_wh)
