"""How members without a planner behave: charging at once, following the utility's price, or strategy (b)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.scheduler.plan import Action
from agents.scheduler.store import PPM, Store
from matching.orders import Side
from simulation.stepwise.dwelling import Dwelling
from simulation.stepwise.market import Quote


@dataclass(frozen=True, slots=True)
class Moment:
    """The slot that is traded, and its tariff in nano-credit per Wh.

    Attributes:
        position: of the slot in the run.
        retail_price: what a Wh costs at the utility.
        feed_in_price: what the utility pays for one.
        grid_fee: what the buyer pays it for one from a neighbour.
    """

    position: int
    retail_price: int
    feed_in_price: int
    grid_fee: int

    @property
    def low(self) -> int:
        """The lowest price at which trading gains a seller anything."""
        return max(self.feed_in_price, 0)

    @property
    def high(self) -> int:
        """The highest price at which trading gains a buyer anything."""
        return self.retail_price - self.grid_fee


class Behaviour(Protocol):
    """A member's way to decide."""

    @property
    def dwelling(self) -> Dwelling:
        """What it decides for."""

    def quote(self, moment: Moment) -> Sequence[Quote]:
        """Its orders for the slot, all of its own member number."""

    def act(self, moment: Moment, fills_wh: Sequence[int]) -> Action:
        """What it does in the slot, knowing how much of each of its quotes traded, Wh."""

    def learn(self, price: int) -> None:
        """What a Wh was worth in the slot that is over, nano-credit, as everybody can see."""


def battery_action(dwelling: Dwelling, moment: Moment, charge_wh: Sequence[int]) -> Action:
    """The action that charges the stores so and discharges none; levels are left out, as nobody looks at them."""
    load = dwelling.load_wh(moment.position) - int(dwelling.home.generation_wh[moment.position])
    nothing = tuple(0 for _ in charge_wh)
    return Action(load + sum(charge_wh), 0, tuple(charge_wh), nothing, nothing)


def missing_wh(store: Store) -> tuple[int, int]:
    """What a store must still take to be ready in time: all of it, and what of it cannot wait, Wh.

    Looks as far as the store's slots do, to the first time at which its level must reach something.
    """
    wanted = store.least_wh.nonzero()[0]
    if not wanted.size or not store.charge_limit_wh[0]:
        return 0, 0
    deadline = int(wanted[0])
    lacking = int(store.least_wh[deadline]) - store.initial_wh
    if lacking <= 0 or not store.charge_limit_wh[: deadline + 1].all():
        return 0, 0
    needed = -(-lacking * PPM // store.shape.efficiency_ppm)
    later = int(store.charge_limit_wh[1 : deadline + 1].sum())
    limit = int(store.charge_limit_wh[0])
    return min(needed, limit), min(max(needed - later, 0), limit)


@dataclass(slots=True)
class Uncontrolled:
    """Charges its vehicle from arrival on at full power, and does not trade.

    Attributes:
        dwelling: the household; neither battery nor heat pump.
        horizon: how many slots ahead it knows when its vehicle leaves.
    """

    dwelling: Dwelling
    horizon: int

    def quote(self, moment: Moment) -> Sequence[Quote]:
        """Nothing."""
        return ()

    def act(self, moment: Moment, fills_wh: Sequence[int]) -> Action:
        """Charge what is missing."""
        stores = self.dwelling.stores(moment.position, self.horizon)
        return battery_action(self.dwelling, moment, [missing_wh(store)[0] for store in stores])

    def learn(self, price: int) -> None:
        """It looks at no price."""


@dataclass(slots=True)
class Ramping:
    """Strategy (b): bids rise from the feed-in to the retail price during the slot, offers fall.

    Its vehicle is a storage with a threshold: it bids up to `patience_price` for what can wait until later
    slots, and like any load for what cannot. What can wait it takes from the utility too where that asks no more
    than the threshold. Surplus of its own goes into its vehicle first.

    Attributes:
        member: its number.
        dwelling: the household; neither battery nor heat pump.
        horizon: how many slots ahead it knows when its vehicle leaves.
        patience_price: the threshold, nano-credit per Wh.
    """

    member: int
    dwelling: Dwelling
    horizon: int
    patience_price: int

    def quote(self, moment: Moment) -> Sequence[Quote]:
        """A bid for what it needs at once and one for what can wait, or an offer of what it has to spare."""
        spare, at_once, patient = self._wishes(moment)
        quotes = []
        if moment.high > moment.low:
            if at_once:
                quotes.append(Quote(self.member, Side.BID, moment.low, moment.high, at_once))
            patience = min(self.patience_price - moment.grid_fee, moment.high)
            if patient and patience >= moment.low:
                quotes.append(Quote(self.member, Side.BID, moment.low, patience, patient))
            if spare:
                quotes.append(Quote(self.member, Side.OFFER, moment.high, moment.low, spare))
        return quotes

    def act(self, moment: Moment, fills_wh: Sequence[int]) -> Action:
        """Charge what cannot wait, and of what can wait what was bought, or all if the utility is cheap enough."""
        _, at_once, patient = self._wishes(moment)
        bought = fills_wh[-1] if patient and len(fills_wh) == 1 + bool(at_once) else 0
        if moment.retail_price <= self.patience_price:
            bought = patient
        net = self._net(moment)
        charge = at_once + bought - net if net > 0 else at_once + bought + min(-net, self._most(moment))
        return battery_action(self.dwelling, moment, [charge] if self.dwelling.home.vehicle else [])

    def learn(self, price: int) -> None:
        """It looks at no past price."""

    def _net(self, moment: Moment) -> int:
        generation = int(self.dwelling.home.generation_wh[moment.position])
        return self.dwelling.load_wh(moment.position) - generation

    def _most(self, moment: Moment) -> int:
        return sum(missing_wh(store)[0] for store in self.dwelling.stores(moment.position, self.horizon))

    def _wishes(self, moment: Moment) -> tuple[int, int, int]:
        """Energy to spare, energy needed at once, and energy that can wait, Wh."""
        stores = self.dwelling.stores(moment.position, self.horizon)
        most = sum(missing_wh(store)[0] for store in stores)
        must = sum(missing_wh(store)[1] for store in stores)
        net = self._net(moment)
        if net >= 0:
            return 0, net + must, most - must
        own = min(-net, most)
        at_once = max(must - own, 0)
        return -net - own, at_once, most - own - at_once
