"""From flows of energy and money to a run's tables: the utility's part, the origins, the checks."""

from collections.abc import Mapping

import numpy as np

from agents.devices.utility import Utility
from matching.book import Ints
from simulation.engine.slots import Flows
from simulation.origins import Holdings, trace


def member_columns(flows: Flows, utility: Utility, holdings: Holdings) -> dict[str, Ints]:
    """The member columns of consecutive slots; `holdings` become those after the last.

    Whatever a member's sources lack it buys from the utility, and whatever they leave over it sells to it.

    Args:
        flows: by member and slot.
        utility: its prices in these slots.
        holdings: whose energy the storages hold before the first slot.

    Raises:
        BrokenRunError: a storage gives what it does not hold.
    """
    net = flows.consumption_wh + flows.charged_wh + flows.sold_wh
    net = net - flows.generation_wh - flows.discharged_wh - flows.bought_wh
    imported, exported = np.maximum(net, 0), np.maximum(-net, 0)
    return {
        **flows._asdict(),
        "imported_wh": imported,
        "exported_wh": exported,
        "fee_nano": utility.grid_fee * flows.bought_wh,
        "utility_nano": utility.feed_in_price * exported - utility.retail_price * imported,
        **trace(flows, holdings)._asdict(),
    }


def joined(parts: list[Mapping[str, Ints]]) -> dict[str, Ints]:
    """Columns of consecutive slots, put one after the other."""
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
