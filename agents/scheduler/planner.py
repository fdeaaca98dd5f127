"""A household's planner: plans its next slots again and again, and says what a Wh in the first is worth."""

from collections.abc import Sequence

from agents.scheduler.curve import Demand, trace
from agents.scheduler.model import Model, SolverError
from agents.scheduler.outlook import Floats, Outlook
from agents.scheduler.plan import Plan, plan_of
from agents.scheduler.shortfall import InfeasibleError, explain, relaxed
from agents.scheduler.store import Store
from matching.book import Mask


class Planner:
    """Plans for one household, whose stores keep their number, order and shapes from plan to plan.

    The model is built at the first plan and reused; a later plan starts from the basis of the one before, moved on
    by the slots between them. The model with binaries is built only when some plan needs one.
    """

    def __init__(self) -> None:
        self._model: Model | None = None
        self._exclusive: Model | None = None
        self._solved: Model | None = None
        self._first_slot = 0
        self._reach = (0.0, 0.0)

    def plan(self, outlook: Outlook, stores: Sequence[Store]) -> Plan:
        """The plan of least cost.

        Raises:
            InfeasibleError: no plan keeps all limits; says which, and by how much.
        """
        model = self._loaded(outlook, stores)
        values = model.solve()
        if values is None:
            raise self._explained(model, outlook, stores)[0]
        return self._settled(model, values, outlook, stores)

    def best_effort(self, outlook: Outlook, stores: Sequence[Store]) -> tuple[Plan, InfeasibleError | None]:
        """The plan of least cost among those that come closest to the goals, and what they miss, if anything.

        Raises:
            InfeasibleError: even without any goal of a store, the connection's limits cannot be kept.
        """
        model = self._loaded(outlook, stores)
        values = model.solve()
        if values is not None:
            return self._settled(model, values, outlook, stores), None
        error, elastic = self._explained(model, outlook, stores)
        if any(shortfall.store is None for shortfall in error.shortfalls):
            raise error
        return self.plan(outlook, relaxed(model.blocks, elastic, stores)), error

    def demand(self, low_price: int, high_price: int) -> Demand:
        """Net flow that the household wants in the first slot of its last plan at each price between these two.

        Prices are what a Wh costs all in, nano-credit. See `agents.scheduler.curve`.
        """
        model = self._last
        model.net_in_first_slot(*self._reach)

        def at_price(price: float) -> tuple[float, float]:
            model.price_in_first_slot(price)
            values = model.solved()
            return model.objective_nano, float(values[0])

        return trace(at_price, low_price, high_price)

    def at_net(self, net_wh: float) -> Plan:
        """The plan of least cost whose net flow in the first slot is this; call it after `demand`.

        The flow must be one that is possible, as every flow between the demand's two ends is (`Demand.clamp`).

        Raises:
            SolverError: it is not.
        """
        model = self._last
        model.net_in_first_slot(net_wh, net_wh)
        model.price_in_first_slot(0.0)
        return plan_of(model, model.solved())

    @property
    def _last(self) -> Model:
        if self._solved is None:
            raise SolverError("there is no plan yet")
        return self._solved

    def _loaded(self, outlook: Outlook, stores: Sequence[Store]) -> Model:
        if self._model is None:
            self._model = Model(outlook.slots, [store.shape for store in stores])
        else:
            moved = (outlook.first_slot - self._first_slot) // outlook.slot_s
            if 0 < moved < outlook.slots:
                self._model.shift_basis(moved)
        self._first_slot = outlook.first_slot
        self._reach = (-float(outlook.export_limit_wh[0]), float(outlook.import_limit_wh[0]))
        self._model.load(outlook, stores)
        return self._model

    def _settled(self, model: Model, values: Floats, outlook: Outlook, stores: Sequence[Store]) -> Plan:
        """The plan, made once more with binaries in those slots in which it would waste energy."""
        plan = plan_of(model, values)
        self._solved = model
        forbidden: Mask = (outlook.export_price < 0) & plan.wasteful.any()
        while plan.wasteful.any():
            forbidden = forbidden | plan.wasteful
            if self._exclusive is None:
                self._exclusive = Model(outlook.slots, [store.shape for store in stores], exclusive=True)
            model = self._exclusive
            model.load(outlook, stores)
            model.restrict(forbidden)
            found = model.solve()
            if found is None:
                raise self._explained(self._loaded(outlook, stores), outlook, stores)[0]
            model.fix_modes(found, forbidden)
            plan = plan_of(model, model.solved())
            self._solved = model
        return plan

    @staticmethod
    def _explained(model: Model, outlook: Outlook, stores: Sequence[Store]) -> tuple[InfeasibleError, Floats]:
        model.elastic()
        values = model.solved()
        return explain(model.blocks, values, outlook, stores), values
