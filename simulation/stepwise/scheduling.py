"""Strategy (d): members that plan their next hours before every slot, and bid what a Wh is worth to the plan."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.shiftable import ShiftableLoad, Window
from agents.forecast import ForecastErrors, backtest, seasonal_naive
from agents.scheduler.curve import Demand, orders
from agents.scheduler.model import SolverError
from agents.scheduler.outlook import Floats, Outlook
from agents.scheduler.plan import Action, Plan, first_action
from agents.scheduler.planner import Planner
from agents.scheduler.shiftable import starts_by_cost, with_run
from agents.scheduler.shortfall import InfeasibleError
from agents.scheduler.store import Store
from matching.book import Ints
from matching.orders import Side
from matching.tariff import Tariff
from simulation.scenario import Scenario
from simulation.stepwise.behaviours import Moment
from simulation.stepwise.dwelling import Dwelling
from simulation.stepwise.market import Quote

DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What a member metered before the run, Wh; arrays end where the run begins.

    Attributes:
        consumption_wh: at least a season long.
        generation_wh: likewise.
    """

    consumption_wh: Ints
    generation_wh: Ints


@dataclass(frozen=True, slots=True)
class Planning:
    """How members plan.

    Attributes:
        season: length in slots of the season that energy forecasts repeat.
        horizon: how many slots ahead they plan.
        trades: whether there is a market; without one they follow the utility's prices.
        connection_wh: limit of each member's own connection, Wh a slot.
    """

    season: int
    horizon: int
    trades: bool
    connection_wh: int


class Scheduling:
    """A member that plans.

    It knows the slot that is traded, as members of the other strategies do, the utility's prices, and when its
    vehicle comes and goes. Its later consumption and generation it expects to repeat by season, and the market's
    prices to repeat by day.

    Args:
        member: its number.
        dwelling: the household.
        scenario: whose slots and utility it sees.
        past: what it metered before.
        planning: how it plans.

    Attributes:
        dwelling: the household.
        missed: by position of the slot, what no plan made then could meet.
    """

    def __init__(
        self, member: int, dwelling: Dwelling, scenario: Scenario, past: Past, planning: Planning
    ) -> None:
        self.dwelling = dwelling
        self._member = member
        self._scenario = scenario
        self._zone = ZoneInfo(scenario.time_zone)
        self._planning = planning
        self._planner = Planner()
        self._consumption = np.concatenate([past.consumption_wh, dwelling.home.consumption_wh])
        self._generation = np.concatenate([past.generation_wh, dwelling.home.generation_wh])
        self._known = len(past.consumption_wh)
        self._prices: list[int] = []
        self._planned: tuple[Plan, Outlook, tuple[Store, ...]]
        self._demand: Demand | None = None
        self._bids = 0
        self.missed: list[tuple[int, InfeasibleError]] = []

    def quote(self, moment: Moment) -> Sequence[Quote]:
        """The steps of its plan's demand."""
        self._plan(moment)
        if not self._planning.trades or moment.high <= moment.low:
            return ()
        self._demand = self._planner.demand(moment.low, moment.retail_price)
        curve = orders(self._demand, Tariff(moment.retail_price, moment.low, moment.grid_fee))
        self._bids = len(curve.bids)
        return [
            *(Quote(self._member, Side.BID, step.price, step.price, step.quantity_wh) for step in curve.bids),
            *(Quote(self._member, Side.OFFER, step.price, step.price, step.quantity_wh) for step in curve.offers),
        ]

    def act(self, moment: Moment, fills_wh: Sequence[int]) -> Action:
        """What its plan does in the slot, given what it has traded."""
        plan, outlook, stores = self._planned
        if self._demand is not None:
            bought, sold = sum(fills_wh[: self._bids]), sum(fills_wh[self._bids :])
            plan = self._planner.at_net(self._demand.clamp(bought - sold))
        return first_action(plan, outlook, stores)

    def learn(self, price: int) -> None:
        """Remember the price, to expect it again a day later."""
        self._prices.append(price)

    def _plan(self, moment: Moment) -> None:
        """Plan from this slot on, with what waits to run where its energy is worth least."""
        position, slots = moment.position, self._planning.horizon
        stores = self.dwelling.stores(position, slots, self._expected_heat(position, slots))
        outlook = self._outlook(position, self._expected_load(position, slots))
        plan = self._best(position, outlook, stores)
        for run in self.dwelling.waiting_runs(position, slots):
            start, plan, outlook = self._placed(run, plan, outlook, stores)
            if start == 0:
                self.dwelling.start(run, position)
        self._planned = plan, outlook, stores

    def _placed(
        self, run: tuple[ShiftableLoad, Window], plan: Plan, outlook: Outlook, stores: tuple[Store, ...]
    ) -> tuple[int, Plan, Outlook]:
        """The cheapest start of a run that leaves a plan, and that plan and its outlook.

        Raises:
            InfeasibleError: no start leaves one.
        """
        starts = starts_by_cost(*run, plan.worth, outlook.first_slot)
        for number, start in enumerate(starts):
            laden = replace(outlook, load_wh=with_run(outlook.load_wh, run[0], start))
            try:
                return start, self._planner.best_effort(laden, stores)[0], laden
            except InfeasibleError:
                if number == len(starts) - 1:
                    raise
        raise SolverError("a waiting run has no start left")

    def _best(self, position: int, outlook: Outlook, stores: tuple[Store, ...]) -> Plan:
        plan, error = self._planner.best_effort(outlook, stores)
        if error is not None:
            self.missed.append((position, error))
        return plan

    def _expected_heat(self, position: int, slots: int) -> Ints | None:
        """Heat to be taken from the tank: this slot's, then by season or by what is known of a shorter time."""
        pump = self.dwelling.home.heat_pump
        if pump is None:
            return None
        known = pump.demand.energy_wh[: position + 1]
        ahead = seasonal_naive(known, min(self._planning.season, len(known)), slots - 1)
        return np.concatenate([known[-1:], ahead])

    def _expected_load(self, position: int, slots: int) -> Ints:
        expected = self._expected(self._consumption, position, slots)
        return expected + self.dwelling.added_wh(position, slots)

    def _expected(self, series: Ints, position: int, slots: int) -> Ints:
        """This slot as it is, and the following ones by season."""
        now = self._known + position
        ahead = seasonal_naive(series[: now + 1], self._planning.season, slots - 1)
        return np.concatenate([series[now : now + 1], ahead])

    def _outlook(self, position: int, load_wh: Ints) -> Outlook:
        slots = len(load_wh)
        import_price, export_price = self._prices_ahead(position, slots)
        limit = np.full(slots, self._planning.connection_wh)
        return Outlook(
            first_slot=int(self._scenario.slots[position]),
            slot_s=self._scenario.slot_s,
            zone=self._zone,
            load_wh=load_wh,
            generation_wh=self._expected(self._generation, position, slots),
            curtailable=self.dwelling.home.curtailable,
            import_price=import_price,
            export_price=export_price,
            import_limit_wh=limit,
            export_limit_wh=limit,
        )

    def _prices_ahead(self, position: int, slots: int) -> tuple[Floats, Floats]:
        """What a Wh is expected to cost and to bring: midway between the utility's prices and the market's.

        The market's are expected to be those of a day before. Nobody knows how much can be traded at them, and
        the utility takes the rest; so a household that counted on them for all of its energy would wait for a
        neighbour's surplus that others buy, and one that counted on the utility alone would never wait for it.
        """
        utility = self._scenario.utility
        day = DAY_S // self._scenario.slot_s
        retail, feed_in = (
            ahead_of(prices, position, slots, day) for prices in (utility.retail_price, utility.feed_in_price)
        )
        if not self._planning.trades or len(self._prices) < day:
            return retail, feed_in
        market = seasonal_naive(np.array(self._prices), day, slots)
        cost = np.clip(market + utility.grid_fee, feed_in, retail)
        return (retail + cost) / 2, (feed_in + np.clip(market, feed_in, cost)) / 2

    def forecast_errors(self) -> dict[str, ForecastErrors]:
        """The errors of all its forecasts in the run so far, over its whole horizon, by what was forecast."""
        season, horizon = self._planning.season, self._planning.horizon
        origins = range(self._known, self._known + len(self._prices))
        day = DAY_S // self._scenario.slot_s
        prices = np.array(self._prices, dtype=np.int64)
        return {
            "consumption_wh": backtest(self._consumption, season, horizon, origins),
            "generation_wh": backtest(self._generation, season, horizon, origins),
            "price": backtest(prices, day, horizon, range(day, len(prices))),
        }


def ahead_of(prices: Ints, position: int, slots: int, day: int) -> Floats:
    """Published prices of so many slots from this one on; beyond the run's end its last day again."""
    known = prices[position : position + slots]
    beyond = np.resize(prices[-day:], slots - len(known)) if len(known) < slots else prices[:0]
    return np.concatenate([known, beyond]).astype(np.float64)
