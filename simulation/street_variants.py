"""The variants of `street-with-evs`, each run with one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agents.forecast import ForecastErrors
from agents.scheduler.shortfall import InfeasibleError
from agents.strategies.pricing import Ramps
from matching.uniform import DESIGN
from simulation.results import Results, RunInfo, bills_nano
from simulation.scenario import Household, InvalidScenarioError, Scenario
from simulation.stepwise.behaviours import Behaviour, Ramping, Uncontrolled
from simulation.stepwise.dwelling import Dwelling
from simulation.stepwise.run import run_stepwise
from simulation.stepwise.scheduling import Planning, Scheduling
from simulation.street import NAME, Street

HORIZON = 144
WEEK = 672
HOME_CONNECTION_WH = 6_000
"""A home's own connection: 24 kW, 100 A at 240 V."""


@dataclass(frozen=True, slots=True, eq=False)
class StreetRun:
    """A variant's run.

    Attributes:
        results: its tables.
        wear_nano: what the energy that vehicles gave has cost in their batteries' lifetime, nano-credit.
        missed: for each member, the slots in which not all of its goals could be planned for any more, and why.
        forecast_errors: for each member that plans, the errors of its forecasts by what was forecast.
    """

    results: Results
    wear_nano: int
    missed: Mapping[str, Sequence[tuple[int, InfeasibleError]]]
    forecast_errors: Mapping[str, Mapping[str, ForecastErrors]]

    @property
    def cost_nano(self) -> int:
        """What the run cost the community: all bills, in which trades between members cancel out, and the wear."""
        return sum(bills_nano(self.results)) + self.wear_nano


def run_street(
    street: Street, variant: str, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> StreetRun:
    """Run a variant of the street.

    Args:
        street: made by `simulation.street.street_with_evs`.
        variant: one of `VARIANTS`.
        seed: that the street was made with, recorded with the results.
        progress: told after each slot how many of how many are done.

    Raises:
        InvalidScenarioError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InvalidScenarioError("variant", variant, f"must be one of {', '.join(VARIANTS)}")
    chosen = VARIANTS[variant]
    scenario = street.scenario if chosen.gives else keeping(street.scenario)
    dwellings = [Dwelling(home, scenario) for home in scenario.households]
    behaviours = chosen.behaviours(scenario, street, dwellings)
    info = RunInfo(
        scenario=f"{NAME}/{variant}",
        strategy=chosen.strategy,
        design=DESIGN if chosen.trades else "",
        seed=seed,
        slot_s=scenario.slot_s,
        time_zone=scenario.time_zone,
        members=scenario.member_names,
        initial_stored_wh=tuple(dwelling.stored_wh for dwelling in dwellings),
        grid_fee=scenario.utility.grid_fee,
        parameters=scenario.parameters,
    )
    updates = Ramps().updates(scenario.slot_s) if chosen.strategy == Ramps().name else 0
    results = run_stepwise(scenario, behaviours, info, updates=updates, progress=progress)
    planners = {
        name: behaviour
        for name, behaviour in zip(info.members, behaviours, strict=True)
        if isinstance(behaviour, Scheduling)
    }
    return StreetRun(
        results=results,
        wear_nano=sum(dwelling.wear_nano for dwelling in dwellings),
        missed={name: tuple(planner.missed) for name, planner in planners.items() if planner.missed},
        forecast_errors={name: planner.forecast_errors() for name, planner in planners.items()},
    )


def keeping(scenario: Scenario) -> Scenario:
    """The scenario with vehicles that give no energy."""
    return replace(scenario, households=tuple(_keeping(home) for home in scenario.households))


def _keeping(home: Household) -> Household:
    return home if home.vehicle is None else replace(home, vehicle=replace(home.vehicle, may_discharge=False))


def _uncontrolled(scenario: Scenario, street: Street, dwellings: Sequence[Dwelling]) -> list[Behaviour]:
    return [Uncontrolled(dwelling, HORIZON) for dwelling in dwellings]


def _impatient(scenario: Scenario, street: Street, dwellings: Sequence[Dwelling]) -> list[Behaviour]:
    dearest = int(scenario.utility.retail_price.max())
    return [Ramping(number, dwelling, HORIZON, dearest) for number, dwelling in enumerate(dwellings)]


def _patient(scenario: Scenario, street: Street, dwellings: Sequence[Dwelling]) -> list[Behaviour]:
    cheapest = int(scenario.utility.retail_price.min())
    return [Ramping(number, dwelling, HORIZON, cheapest) for number, dwelling in enumerate(dwellings)]


def _following(scenario: Scenario, street: Street, dwellings: Sequence[Dwelling]) -> list[Behaviour]:
    return _planning(scenario, street, dwellings, trades=False)


def _trading(scenario: Scenario, street: Street, dwellings: Sequence[Dwelling]) -> list[Behaviour]:
    return _planning(scenario, street, dwellings, trades=True)


def _planning(
    scenario: Scenario, street: Street, dwellings: Sequence[Dwelling], *, trades: bool
) -> list[Behaviour]:
    planning = Planning(season=WEEK, horizon=HORIZON, trades=trades, connection_wh=HOME_CONNECTION_WH)
    return [
        Scheduling(number, dwelling, scenario, past, planning)
        for number, (dwelling, past) in enumerate(zip(dwellings, street.pasts, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way the street behaves.

    Attributes:
        strategy: its name.
        trades: whether there is a market.
        gives: whether vehicles may give energy (V2G).
        behaviours: makes the members' behaviours of the scenario, the street and the dwellings.
    """

    strategy: str
    trades: bool
    gives: bool
    behaviours: Callable[[Scenario, Street, Sequence[Dwelling]], list[Behaviour]]


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "uncontrolled": Variant("none", False, False, _uncontrolled),
        "price-following": Variant("scheduler", False, False, _following),
        "trading-ramps": Variant("ramps", True, False, _impatient),
        "trading-ramps-patient": Variant("ramps", True, False, _patient),
        "trading-scheduler": Variant("scheduler", True, False, _trading),
        "trading-v2g": Variant("scheduler", True, True, _trading),
    }
)
"""The variants by name.

uncontrolled: every vehicle charges from arrival on; no market. price-following: every member plans against the
utility's prices alone. trading-ramps: strategy (b), vehicles bid like loads, up to the retail price from arrival
on. trading-ramps-patient: strategy (b), vehicles are storages that bid up to the cheapest retail price while
they have time. trading-scheduler: strategy (d). trading-v2g: strategy (d), and vehicles may give energy.
"""
