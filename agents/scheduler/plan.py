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

    Charging is rounded up and discharging down, so that no level is lower than planned. What this changes in the
    net flow, a Wh or so a store, the first store makes up for whose limits and planned level allow it.
    """
    charge, discharge = [], []
    for number, store in enumerate(stores):
        flow = plan.charge_wh[number, 0] - plan.discharge_wh[number, 0]
        taken, given = _within(store, math.ceil(max(flow, 0) - TOLERANCE), math.floor(max(-flow, 0) + TOLERANCE))
        charge.append(taken)
        discharge.append(given)
    curtailed = min(math.floor(plan.curtailed_wh[0] + TOLERANCE), int(outlook.generation_wh[0]))
    own = int(outlook.load_wh[0] - outlook.generation_wh[0]) + curtailed
    target = round(float(plan.net_wh[0]))
    for number, store in enumerate(stores):
        gap = target - (own + sum(charge) - sum(discharge))
        wanted = charge[number] - discharge[number] + gap
        candidate = (max(wanted, 0), max(-wanted, 0))
        planned = math.floor(plan.level_wh[number, 0] + TOLERANCE)
        kept = store.level_after(*candidate) >= planned
        if gap and kept and _within(store, *candidate) == candidate:
            charge[number], discharge[number] = candidate
    return Action(
        net_wh=own + sum(charge) - sum(discharge),
        curtailed_wh=curtailed,
        charge_wh=tuple(charge),
        discharge_wh=tuple(discharge),
        level_wh=tuple(
            store.level_after(taken, given) for store, taken, given in zip(stores, charge, discharge, strict=True)
        ),
    )


def _within(store: Store, charge_wh: int, discharge_wh: int) -> tuple[int, int]:
    """The nearest charge and discharge, one of them zero, that keep the store's limits in its first slot.

    A level that is too low raises charging as far as the charger can, one that is too high lowers it.
    """
    charge_wh = min(charge_wh, int(store.charge_limit_wh[0]))
    discharge_wh = min(discharge_wh, int(store.discharge_limit_wh[0]))
    short = int(store.least_wh[0]) - store.level_after(charge_wh, discharge_wh)
    while short > 0 and (discharge_wh or charge_wh < store.charge_limit_wh[0]):
        if discharge_wh:
            discharge_wh -= min(discharge_wh, short)
        else:
            charge_wh += 1
        short = int(store.least_wh[0]) - store.level_after(charge_wh, discharge_wh)
    while charge_wh and store.level_after(charge_wh, discharge_wh) > store.most_wh[0]:
        charge_wh -= 1
    return charge_wh, discharge_wh
