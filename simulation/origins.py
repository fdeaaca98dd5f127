"""Where the consumed energy came from, through trades and storages, to the Wh.

A member's sources in a slot are its generation, what its storages give, what it bought, and the utility; its
uses are consumption, what it sold, what its storages take, and what it exports. Sources are used up in that
order by the uses in that order. What all members sold is one pool, and each buyer gets the same mix of it: a
market does not say whose Wh is whose. A storage gives the mix that it holds and loses the mix that it takes in.
Mixes are split into whole Wh by cumulated shares rounded down.

The source of a Wh is the member that generated it, the utility, or nobody known: what a storage held when the run
began is neither local nor free. So energy in a neighbour's battery is counted once, where it is consumed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from matching.book import Ints
from matching.kernel import compiled
from simulation.engine.slots import Flows
from simulation.results import BrokenRunError


class OriginColumns(NamedTuple):
    """Where each slot's consumption came from, int64 arrays (members, slots); see `simulation.results`."""

    from_generation_wh: Ints
    from_storage_wh: Ints
    from_initial_wh: Ints
    from_utility_wh: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """Whose energy the storages hold and the members have consumed; both are written to by `trace`.

    Attributes:
        stored_wh: int64 array (members, members + 2): for each member's storages what they hold of each member's
            generation, then of what they held at the start, then of the utility's.
        consumed_wh: likewise, what each member has consumed of each source, through storages or not.
    """

    stored_wh: Ints
    consumed_wh: Ints


def initial_holdings(initial_stored_wh: Ints) -> Holdings:
    """The holdings when a run begins."""
    members = len(initial_stored_wh)
    stored, consumed = np.zeros((2, members, members + 2), dtype=np.int64)
    stored[:, members] = initial_stored_wh
    return Holdings(stored, consumed)


def trace(flows: Flows, holdings: Holdings) -> OriginColumns:
    """The origins of the consumption in consecutive slots, the first of which begins with these holdings.

    Raises:
        BrokenRunError: storages give what they do not hold, or the holdings do not end as the flows say.
    """
    columns = OriginColumns(*np.zeros((4, *flows.consumption_wh.shape), dtype=np.int64))
    if not _trace(flows, holdings.stored_wh, holdings.consumed_wh, columns):
        raise BrokenRunError("a storage gives more than it holds")
    if (holdings.stored_wh.sum(axis=1) != flows.stored_wh[:, -1]).any():
        raise BrokenRunError("stored energy does not add up to what the storages hold by origin")
    return columns


@compiled
def draw(mix_wh: Ints, amount_wh: int, drawn_wh: Ints) -> None:
    """Move this much of a mix, at most all of it, into `drawn_wh`, in proportion."""
    total_wh = mix_wh.sum()
    if amount_wh == 0 or total_wh == 0:
        return
    passed_wh = before_wh = 0
    for source in range(len(mix_wh)):
        if mix_wh[source] == 0:
            continue
        passed_wh += mix_wh[source]
        up_to_wh = passed_wh * amount_wh // total_wh
        mix_wh[source] -= up_to_wh - before_wh
        drawn_wh[source] += up_to_wh - before_wh
        before_wh = up_to_wh


@compiled
def use(needed_wh: Ints, available_wh: int, uses_wh: Ints) -> None:
    """Split a source over the uses in their order: what of it each gets goes into `uses_wh`."""
    for number in range(len(needed_wh)):
        uses_wh[number] = min(needed_wh[number], available_wh)
        needed_wh[number] -= uses_wh[number]
        available_wh -= uses_wh[number]


@compiled
def consume(columns: OriginColumns, consumed: Ints, member: int, slot: int, mix: Ints) -> None:
    """Count a mix of direct and stored sources as consumed by a member, and empty it."""
    members = len(consumed)
    for source in range(len(mix)):
        quantity_wh, origin = mix[source], source % (members + 2)
        if quantity_wh == 0:
            continue
        if origin == members + 1:
            columns.from_utility_wh[member, slot] += quantity_wh
        elif origin == members:
            columns.from_initial_wh[member, slot] += quantity_wh
        elif source < members:
            columns.from_generation_wh[member, slot] += quantity_wh
        else:
            columns.from_storage_wh[member, slot] += quantity_wh
        consumed[member, origin] += quantity_wh
        mix[source] = 0


@compiled
def put_away(holding: Ints, mix: Ints, lost_wh: int) -> None:
    """Add a mix of direct and stored sources to what a storage holds, less what is lost, and empty it.

    The loss is borne by what comes in and, if it is more, by what was there.
    """
    sources = len(holding)
    incoming, lost = mix[:sources] + mix[sources:], np.zeros_like(holding)
    lost_of_incoming_wh = min(lost_wh, incoming.sum())
    draw(incoming, lost_of_incoming_wh, lost)
    holding += incoming
    draw(holding, lost_wh - lost_of_incoming_wh, lost)
    mix[:] = 0


@compiled
def _trace(flows: Flows, stored: Ints, consumed: Ints, columns: OriginColumns) -> bool:
    """Fill the columns; whether no storage gave more than it held. Mixes: direct sources, then stored ones."""
    members = len(stored)
    sources = members + 2
    pool, mix, given = np.zeros((3, 2 * sources), dtype=np.int64)
    # what consumption, sale and storage still need, by member, and what of it a source gives
    needs, uses = np.zeros((members, 3), dtype=np.int64), np.zeros(3, dtype=np.int64)
    taken = np.zeros((members, 2 * sources), dtype=np.int64)
    for slot in range(flows.consumption_wh.shape[1]):
        for member in range(members):
            resold_wh = min(flows.bought_wh[member, slot], flows.sold_wh[member, slot])
            needs[member, 0] = flows.consumption_wh[member, slot]
            needs[member, 1] = flows.sold_wh[member, slot] - resold_wh
            needs[member, 2] = flows.charged_wh[member, slot]
            use(needs[member], flows.generation_wh[member, slot], uses)
            mix[member] = uses[0]
            consume(columns, consumed, member, slot, mix)
            pool[member] += uses[1]
            taken[member, member] = uses[2]
            if flows.discharged_wh[member, slot] == 0:
                continue
            if flows.discharged_wh[member, slot] > stored[member].sum():
                return False
            given[:] = 0
            draw(stored[member], flows.discharged_wh[member, slot], given[sources:])
            use(needs[member], flows.discharged_wh[member, slot], uses)
            draw(given, uses[0], mix)
            consume(columns, consumed, member, slot, mix)
            draw(given, uses[1], pool)
            draw(given, uses[2], taken[member])
        for member in range(members):
            pool[sources - 1] += needs[member, 1]  # sold, and neither generated nor stored: bought of the utility
        for member in range(members):
            bought_wh = flows.bought_wh[member, slot] - min(
                flows.bought_wh[member, slot], flows.sold_wh[member, slot]
            )
            if bought_wh > 0:
                needs[member, 1] = 0
                given[:] = 0
                draw(pool, bought_wh, given)
                use(needs[member], bought_wh, uses)
                draw(given, uses[0], mix)
                consume(columns, consumed, member, slot, mix)
                draw(given, uses[2], taken[member])
            mix[sources - 1] = needs[member, 0]
            consume(columns, consumed, member, slot, mix)
            if flows.charged_wh[member, slot] > 0 or flows.lost_wh[member, slot] > 0:
                taken[member, sources - 1] += needs[member, 2]
                put_away(stored[member], taken[member], flows.lost_wh[member, slot])
    return True
