"""Every whole-Wh plan of a household with one store, tried out: what the planner is held against."""

from functools import cache

from agents.scheduler.outlook import Outlook
from agents.scheduler.store import Store

INFEASIBLE = float("inf")


def least_cost(outlook: Outlook, store: Store, first_net_wh: int | None = None) -> float:
    """Least cost, nano-credit, of all whole-Wh plans; with the first slot's net flow given, without its price."""

    @cache
    def best(slot: int, level: int) -> float:
        if slot == outlook.slots:
            return 0.0
        costs = []
        for taken in range(int(store.charge_limit_wh[slot]) + 1):
            for given in range(int(store.discharge_limit_wh[slot]) + 1 if not taken else 1):
                after = level + taken * store.shape.efficiency_ppm // 10**6 - given - int(store.use_wh[slot])
                if not store.least_wh[slot] <= after <= store.most_wh[slot]:
                    continue
                for curtailed in range(int(outlook.generation_wh[slot]) + 1 if outlook.curtailable else 1):
                    own = int(outlook.load_wh[slot] - outlook.generation_wh[slot])
                    net = own + curtailed + taken - given
                    cost = flow_cost(slot, net) + store.wear_nano_per_wh * given
                    if cost < INFEASIBLE:
                        costs.append(cost + best(slot + 1, after))
        return min(costs, default=INFEASIBLE)

    def flow_cost(slot: int, net: int) -> float:
        if net > outlook.import_limit_wh[slot] or -net > outlook.export_limit_wh[slot]:
            return INFEASIBLE
        if slot == 0 and first_net_wh is not None:
            return 0.0 if net == first_net_wh else INFEASIBLE
        return float((outlook.import_price if net > 0 else outlook.export_price)[slot]) * net

    return best(0, store.initial_wh)
