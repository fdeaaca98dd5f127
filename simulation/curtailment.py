"""What the connection does to a run: generation is curtailed, and what then still exceeds it is refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.limits import HOUR_S, slot_energy_wh
from matching.book import Ints
from matching.errors import WattbookError
from simulation.engine.slots import Flows
from simulation.scenario import Scenario


class ConnectionLimitError(WattbookError):
    """More flows through the community's connection than it can carry; says when, how much, and the limit."""

    code = "simulation.connection-limit"


def within_connection(flows: Flows, scenario: Scenario, slots: Ints) -> Flows:
    """The flows with generation curtailed where the community would else export more than its connection carries.

    Only what nobody consumed, bought or stored is curtailed, of the households that may be, each by its share of
    what they export together, in whole Wh.

    Raises:
        ConnectionLimitError: import exceeds its limit, or export does even so.
    """
    limits, slot_s = scenario.connection, scenario.slot_s
    if limits.max_import_w is None and limits.max_export_w is None:
        return flows
    came = flows.generation_wh + flows.discharged_wh + flows.bought_wh
    surplus = came - flows.consumption_wh - flows.charged_wh - flows.sold_wh
    generation = flows.generation_wh.copy()
    if limits.max_export_w is not None:
        over = np.maximum(surplus.sum(axis=0) - slot_energy_wh(limits.max_export_w, slot_s), 0)
        may_be = [home.curtailable for home in scenario.households]
        may_be += [False] * (len(generation) - len(may_be))
        spare = np.minimum(np.maximum(surplus, 0), generation) * np.array(may_be, dtype=np.int64)[:, np.newaxis]
        cut = _shared(spare, np.minimum(over, spare.sum(axis=0)))
        generation -= cut
        surplus = surplus - cut
    net = surplus.sum(axis=0)
    for direction, limit_w, flow_wh in (
        ("import", limits.max_import_w, -net),
        ("export", limits.max_export_w, net),
    ):
        if limit_w is None or int(flow_wh.max()) <= slot_energy_wh(limit_w, slot_s):
            continue
        worst = int(flow_wh.argmax())
        at = datetime.fromtimestamp(int(slots[worst]), ZoneInfo(scenario.time_zone))
        flow_w = int(flow_wh[worst]) * HOUR_S // slot_s
        raise ConnectionLimitError(
            f"the community would {direction} {flow_w} W on {at:%Y-%m-%d at %H:%M}: "
            f"its connection carries {limit_w} W"
        )
    return flows._replace(generation_wh=generation)


def _shared(available: Ints, amounts: Ints) -> Ints:
    """Each column's amount, split over its rows in proportion: cumulated shares rounded down."""
    cumulated = available.cumsum(axis=0)
    taken: Ints = cumulated * amounts // np.maximum(cumulated[-1], 1)
    shares: Ints = np.diff(taken, axis=0, prepend=0)
    return shares
