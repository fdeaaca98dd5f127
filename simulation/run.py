"""Run a scenario: month by month, and, killed in between, on from the last whole month.

A run with the same scenario, strategy, design and seed always ends in the same bytes, interrupted or not.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.battery import Battery
from agents.devices.limits import slot_energy_wh
from agents.devices.utility import Utility
from agents.strategies.pricing import PRICINGS, InvalidStrategyError, Pricing, price_range
from matching.book import Ints
from simulation import uncontrolled
from simulation.accounting import joined, member_columns
from simulation.curtailment import within_connection
from simulation.engine.slot import ROWS_PER_TRADER
from simulation.engine.slots import (
    CONTINUOUS,
    NO_MARKET,
    UNIFORM,
    Market,
    Quotes,
    Space,
    Stock,
    Storages,
    empty_flows,
    trade_slots,
    working_space,
)
from simulation.origins import Holdings, initial_holdings
from simulation.parts import Part, Parts
from simulation.results import Results, RunInfo, TradeTable, slot_columns
from simulation.results_files import write_results
from simulation.scenario import Scenario
from simulation.trade_table import log_of, summed, with_utility

DESIGNS = {"uniform": UNIFORM, "continuous": CONTINUOUS}
"""The market designs that the fast engine knows."""

CONVENTIONAL = "conventional"
"""Strategy of a run without a market: everybody trades with the utility alone."""

LONGEST_WITH_SLOT_TRADES_S = 31 * 86_400

Progress = Callable[[int, int], None]
"""Told how many slots of how many are done."""


def run(
    scenario: Scenario,
    *,
    strategy: Pricing | str = "ramps",
    design: str = "uniform",
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Run a scenario on the fast engine.

    Args:
        scenario: whose members trade; flexible devices other than batteries run uncontrolled.
        strategy: how they price their orders: a strategy of pricing or its name, or `conventional` for no market.
        design: `uniform` (an auction at every price update) or `continuous`.
        seed: of the order in which orders arrive, and of what the strategy draws.
        folder: where the results are written, and where an interrupted run of the same kind is gone on with.
        progress: told after each month.

    Raises:
        InvalidStrategyError: there is no such strategy or design.
        ConnectionLimitError: more flows than the community's connection can carry.
    """
    pricing = _pricing(strategy)
    if design not in DESIGNS:
        raise InvalidStrategyError("design", design, f"must be one of {', '.join(DESIGNS)}")
    info = run_info(scenario, pricing, design if pricing else "", seed)
    parts = Parts(folder, fingerprint(scenario, info))
    engine = _Engine(scenario, pricing, DESIGNS[design] if pricing else NO_MARKET, seed)
    done: list[Part] = []
    for number, (first, end) in enumerate(months(scenario)):
        part = parts.read(number)
        if part is None:
            part = engine.trade(number, slice(first, end))
            parts.write(number, part)
        engine.go_on_from(part)
        done.append(part)
        if progress is not None:
            progress(end, len(scenario.slots))
    results = _assembled(scenario, info, done)
    if folder is not None:
        write_results(results, folder)
        parts.remove()
    return results


def months(scenario: Scenario) -> Iterator[tuple[int, int]]:
    """First and one past the last position of the slots of each local calendar month."""
    zone = ZoneInfo(scenario.time_zone)
    named = [datetime.fromtimestamp(slot, zone) for slot in scenario.slots.tolist()]
    starts = [p + 1 for p, (a, b) in enumerate(pairwise(named)) if (a.year, a.month) != (b.year, b.month)]
    return pairwise([0, *starts, len(named)])


def run_info(scenario: Scenario, pricing: Pricing | None, design: str, seed: int) -> RunInfo:
    """What is run, as the results say it."""
    battery = scenario.community_battery
    return RunInfo(
        scenario=scenario.name,
        strategy=CONVENTIONAL if pricing is None else pricing.name,
        design=design,
        seed=seed,
        slot_s=scenario.slot_s,
        time_zone=scenario.time_zone,
        members=scenario.member_names,
        storages=() if battery is None else scenario.member_names[-1:],
        initial_stored_wh=tuple(b.initial_wh if b is not None else 0 for b in batteries(scenario)),
        grid_fee=scenario.utility.grid_fee,
        parameters={
            **scenario.parameters,
            "strategy": _settings(pricing),
            "thresholds": asdict(scenario.thresholds),
            "community_battery": None if battery is None else asdict(battery),
        },
    )


def batteries(scenario: Scenario) -> list[Battery | None]:
    """Each member's battery, in the members' order."""
    community = [] if scenario.community_battery is None else [scenario.community_battery]
    return [*(household.battery for household in scenario.households), *community]


def fingerprint(scenario: Scenario, info: RunInfo) -> str:
    """A hash of all that decides a run's results."""
    digest = hashlib.sha256(json.dumps(info.to_json(), sort_keys=True).encode())
    metered = uncontrolled.metered(scenario)
    for array in (scenario.slots, scenario.utility.retail_price, scenario.utility.feed_in_price, *metered):
        digest.update(array.tobytes())
    for setting in (batteries(scenario), scenario.connection, [home.curtailable for home in scenario.households]):
        digest.update(repr(setting).encode())
    return digest.hexdigest()


class _Engine:
    """The traders' state from month to month."""

    def __init__(self, scenario: Scenario, pricing: Pricing | None, design: int, seed: int) -> None:
        self._scenario = scenario
        self._pricing = pricing
        self._design = design
        self._seed = seed
        self._metered = uncontrolled.metered(scenario)
        owned = batteries(scenario)
        self._storages = _storages(owned, scenario.slot_s)
        initial = np.array([0 if battery is None else battery.initial_wh for battery in owned], dtype=np.int64)
        # what was there at the start is taken to have cost the utility's price
        self._stock = Stock(initial.copy(), np.full_like(initial, max(0, int(scenario.utility.retail_price[0]))))
        self._holdings = initial_holdings(initial)

    def trade(self, number: int, span: slice) -> Part:
        """Trade a month, whose number also decides what is drawn."""
        scenario = self._scenario
        utility = Utility(
            scenario.utility.retail_price[span], scenario.utility.feed_in_price[span], scenario.utility.grid_fee
        )
        consumption, generation = (np.ascontiguousarray(array[:, span]) for array in self._metered)
        flows = empty_flows(consumption, generation)
        traders, slots = consumption.shape
        draws = np.random.default_rng([self._seed, number])
        rows = np.tile(np.arange(ROWS_PER_TRADER * traders), (slots, 1))
        quotes = quotes_of(self._pricing, scenario, utility, draws)
        market = Market(
            design=self._design,
            quotes=quotes,
            arrivals=draws.permuted(rows, axis=1),
            feed_in=utility.feed_in_price,
            fee=utility.grid_fee,
        )
        space: Space = working_space(traders, slots, quotes.updates)
        trade_slots(market, flows, self._storages, self._stock, space)
        flows = within_connection(flows, scenario, scenario.slots[span])
        columns = member_columns(flows, utility, self._holdings)
        log = with_utility(log_of(space.log, scenario.slots[span]), columns, utility, scenario.slots[span])
        return Part(columns, log, self._stock, self._holdings)

    def go_on_from(self, part: Part) -> None:
        """Take the state at the end of a month."""
        self._stock = Stock(*(array.copy() for array in part.stock))
        self._holdings = Holdings(part.holdings.stored_wh.copy(), part.holdings.consumed_wh.copy())


def quotes_of(pricing: Pricing | None, scenario: Scenario, utility: Utility, draws: np.random.Generator) -> Quotes:
    """Prices of all orders, see `simulation.engine.slots.Quotes`; without a strategy nobody quotes any."""
    traders, slots = len(scenario.member_names), len(utility.retail_price)
    first, last = np.full((2, 4, traders, slots), -1, dtype=np.int64)
    if pricing is None:
        return Quotes(first.reshape(-1, slots), last.reshape(-1, slots), 0)
    low, high = price_range(utility)
    blocks: list[tuple[Callable[..., Any], Ints, Ints]] = [
        (pricing.bids, low, high),
        (pricing.bids, low, np.minimum(high, scenario.thresholds.buy_price)),
        (pricing.offers, np.maximum(low, scenario.thresholds.sell_price), high),
        (pricing.offers, low, high),
    ]
    for block, (priced, lowest, highest) in enumerate(blocks):
        open_slots = np.flatnonzero(lowest <= highest)
        shape = (traders, len(open_slots))
        ramp = priced(
            np.broadcast_to(lowest[open_slots], shape), np.broadcast_to(highest[open_slots], shape), draws
        )
        first[block][:, open_slots], last[block][:, open_slots] = ramp
    return Quotes(first.reshape(-1, slots), last.reshape(-1, slots), pricing.updates(scenario.slot_s))


def _settings(pricing: object) -> dict[str, Any]:
    return asdict(pricing) if is_dataclass(pricing) and not isinstance(pricing, type) else {}


def _pricing(strategy: Pricing | str) -> Pricing | None:
    if not isinstance(strategy, str):
        return strategy
    if strategy == CONVENTIONAL:
        return None
    if strategy not in PRICINGS:
        raise InvalidStrategyError("strategy", strategy, f"must be one of {CONVENTIONAL}, {', '.join(PRICINGS)}")
    return PRICINGS[strategy]()


def _storages(owned: list[Battery | None], slot_s: int) -> Storages:
    columns = [
        (
            battery.capacity_wh,
            slot_energy_wh(battery.max_charge_w, slot_s),
            slot_energy_wh(battery.max_discharge_w, slot_s),
            battery.efficiency_ppm,
            battery.degradation_nano_per_wh,
        )
        if battery is not None
        else (0, 0, 0, 1_000_000, 0)
        for battery in owned
    ]
    return Storages(*np.ascontiguousarray(np.array(columns, dtype=np.int64).T))


def _assembled(scenario: Scenario, info: RunInfo, done: list[Part]) -> Results:
    members = joined([part.columns for part in done])
    slots = slot_columns(scenario.slots, members, scenario.utility.retail_price, scenario.utility.feed_in_price)
    by_slot: TradeTable | None = None
    if len(scenario.slots) * scenario.slot_s <= LONGEST_WITH_SLOT_TRADES_S:
        by_slot = TradeTable(
            *(np.concatenate(columns) for columns in zip(*(part.trades for part in done), strict=True))
        )
    trades = summed([part.trades for part in done], len(info.members))
    return Results(info, slots, members, trades, by_slot)
