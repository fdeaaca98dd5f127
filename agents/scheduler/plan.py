"""A plan: what to do in each slot, and the whole Wh to do in the first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.scheduler.model import Blocks, Model
from agents.scheduler.outlook import Floats, Outlook
from agents.scheduler.store import Store
from matching.book import Mask

TOLERANCE = 1e-6
"""The solver keeps limits up to about this many Wh."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is planned for each slot, Wh; stores in rows, slots in columns, in the order of the model's.

    Attributes:
        cost_nano: what it costs over all slots, nano-credit.
        worth: what one Wh more would be worth in each slot, nano-credit: the balance rows' duals.
        net_wh: import less export at the connection.
        curtailed_wh: generation left unused.
        charge_wh, discharge_wh: of each store.
        level_wh: of each store at the end of each slot.
    """

    cost_nano: float
    worth: Floats
    net_wh: Floats
    curtailed_wh: Floats
    charge_wh: Floats
    discharge_wh: Floats
    level_wh: Floats

    @property
    def wasteful(self) -> Mask:
        """Slots in which a store charges and discharges at once."""
        both = np.minimum(self.charge_wh, self.discharge_wh) > 1e3 * TOLERANCE
        return np.asarray(both.any(axis=0))


def plan_of(model: Model, values: Floats) -> Plan:
    """The plan in these values of the model's columns, the last it found."""
    blocks = model.blocks

    def rows(offset: int) -> Floats:
        columns = [values[blocks.columns(blocks.charge(store) + offset)] for store in range(blocks.stores)]
        return np.array(columns).reshape(blocks.stores, blocks.slots)

    return Plan(
        cost_nano=model.objective_nano,
        worth=model.worth,
        net_wh=values[blocks.columns(Blocks.IMPORT)] - values[blocks.columns(Blocks.EXPORT)],
        curtailed_wh=values[blocks.columns(Blocks.CURTAILED)],
        charge_wh=rows(0),
        discharge_wh=rows(1),
        level_wh=rows(2),
    )


@dataclass(frozen=True, slots=True)
class Action:
    """What a household does in one slot, whole Wh.

    Attributes:
        net_wh: import less export at its connection.
        curtailed_wh: generation left unused.
        charge_wh, discharge_wh: of each store.
        level_wh: of each store at the end of the slot.
    """

    net_wh: int
    curtailed_wh: int
    charge_wh: tuple[int, ...]
    discharge_wh: tuple[int, ...]
    level_wh: tuple[int, ...]


def first_action(plan: Plan, outlook: Outlook, stores: Sequence[Store]) -> Action:
    """The plan's first slot in whole Wh, within every limit, at the planned net flow to the Wh where it can be.

    Charging and curtailment are rounded up and discharging down, so that no level is lower than planned. What
    this adds to the net flow, a Wh or so a store, is taken back from stores whose limits and planned level allow
    it, and from any store whose limits do where the connection's limit would be passed.
    """
    flows = []
    for number, store in enumerate(stores):
        planned = plan.charge_wh[number, 0] - plan.discharge_wh[number, 0]
        flows.append(_within(store, math.ceil(planned - TOLERANCE)))
    curtailed = min(math.ceil(plan.curtailed_wh[0] - TOLERANCE), int(outlook.generation_wh[0]))
    own = int(outlook.load_wh[0] - outlook.generation_wh[0]) + curtailed
    levels = [math.floor(level + TOLERANCE) for level in plan.level_wh[:, 0]]
    _adjust(flows, round(float(plan.net_wh[0])) - own, stores, levels)
    limit = int(outlook.import_limit_wh[0]) - own
    if sum(flows) > limit:
        _adjust(flows, limit, stores, _floors(stores))
    charge, discharge = [max(flow, 0) for flow in flows], [max(-flow, 0) for flow in flows]
    return Action(
        net_wh=own + sum(flows),
        curtailed_wh=curtailed,
        charge_wh=tuple(charge),
        discharge_wh=tuple(discharge),
        level_wh=tuple(
            store.level_after(taken, given) for store, taken, given in zip(stores, charge, discharge, strict=True)
        ),
    )


def _floors(stores: Sequence[Store]) -> list[int]:
    """The lowest level that each store may have after its first slot, Wh."""
    return [int(store.least_wh[0]) for store in stores]


def _adjust(flows: list[int], target_wh: int, stores: Sequence[Store], floors: Sequence[int]) -> None:
    """Change the stores' flows, charge less discharge, so that they sum to the target, as far as they may.

    No store may break its limits, or end below its floor.
    """
    for number, store in enumerate(stores):
        wanted = flows[number] + target_wh - sum(flows)
        allowed = _within(store, wanted) == wanted
        if allowed and store.level_after(max(wanted, 0), max(-wanted, 0)) >= floors[number]:
            flows[number] = wanted


def _within(store: Store, flow_wh: int) -> int:
    """The nearest flow, charge less discharge, that keeps the store's limits in its first slot.

    A level that is too low raises charging as far as the charger can, one that is too high lowers it.
    """
    low, high = -int(store.discharge_limit_wh[0]), int(store.charge_limit_wh[0])
    flow_wh = min(max(flow_wh, low), high)
    while flow_wh < high and store.level_after(max(flow_wh, 0), max(-flow_wh, 0)) < store.least_wh[0]:
        flow_wh += 1
    while flow_wh > 0 and store.level_after(flow_wh, 0) > store.most_wh[0]:
        flow_wh -= 1
    return flow_wh
