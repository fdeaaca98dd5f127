"""Run a scenario slot by slot: everybody quotes, the market clears, everybody acts, the meters are read."""

from collections.abc import Callable, Sequence

import numpy as np

from matching.book import Ints
from matching.orders import Side
from simulation.accounting import member_columns
from simulation.engine.slots import Flows, empty_flows
from simulation.origins import initial_holdings
from simulation.results import Results, RunInfo, TradeTable, slot_columns
from simulation.scenario import Scenario
from simulation.stepwise.behaviours import Behaviour, Moment
from simulation.stepwise.market import Traded, trade


def run_stepwise(
    scenario: Scenario,
    behaviours: Sequence[Behaviour],
    info: RunInfo,
    *,
    updates: int,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """What these members do in the scenario's slots.

    Args:
        scenario: the community; `behaviours` are its households', in their order.
        behaviours: how the members decide.
        info: recorded with the results; its `initial_stored_wh` is what the dwellings hold now.
        updates: how often prices change within a slot.
        progress: told after each slot how many of how many are done.
    """
    members, slots = len(behaviours), len(scenario.slots)
    flows = empty_flows(*np.zeros((2, members, slots), dtype=np.int64))
    holdings = initial_holdings(np.array(info.initial_stored_wh, dtype=np.int64))
    log: list[tuple[int, Traded]] = []
    for position in range(slots):
        moment = moment_at(scenario, position)
        quotes = [tuple(behaviour.quote(moment)) for behaviour in behaviours]
        traded = trade([quote for own in quotes for quote in own], updates)
        log.append((int(scenario.slots[position]), traded))
        end = 0
        for member, (behaviour, own) in enumerate(zip(behaviours, quotes, strict=True)):
            rows = slice(end, end + len(own))
            end = rows.stop
            action = behaviour.act(moment, traded.fills_wh[rows].tolist())
            metered = behaviour.dwelling.act(position, action)
            for name in metered.__slots__:
                getattr(flows, name)[member, position] = getattr(metered, name)
            bids = np.array([quote.side == Side.BID for quote in own], dtype=bool)
            flows.bought_wh[member, position] = traded.fills_wh[rows][bids].sum()
            flows.sold_wh[member, position] = traded.fills_wh[rows][~bids].sum()
            flows.amount_nano[member, position] = traded.amounts_nano[rows].sum()
        price = worth_of_a_wh(moment, traded, flows, position)
        for behaviour in behaviours:
            behaviour.learn(price)
        if progress is not None:
            progress(position + 1, slots)
    columns = member_columns(flows, scenario.utility, holdings)
    by_slot = trade_table(log)
    return Results(
        info=info,
        slots=slot_columns(scenario.slots, columns, scenario.utility.retail_price, scenario.utility.feed_in_price),
        members=columns,
        trades=summed(by_slot, members),
        trades_by_slot=by_slot,
    )


def moment_at(scenario: Scenario, position: int) -> Moment:
    """The slot in this position and its tariff."""
    utility = scenario.utility
    return Moment(
        position=position,
        retail_price=int(utility.retail_price[position]),
        feed_in_price=int(utility.feed_in_price[position]),
        grid_fee=utility.grid_fee,
    )


def worth_of_a_wh(moment: Moment, traded: Traded, flows: Flows, position: int) -> int:
    """What everybody sees of a slot: the market's price or, where nothing traded, the utility's at the border.

    That is the retail price if the community imported, the feed-in price if it exported.
    """
    if traded.price is not None:
        return traded.price
    came = flows.generation_wh[:, position].sum() + flows.discharged_wh[:, position].sum()
    went = flows.consumption_wh[:, position].sum() + flows.charged_wh[:, position].sum()
    return moment.low if came > went else moment.retail_price


def trade_table(log: Sequence[tuple[int, Traded]]) -> TradeTable:
    """All trades by slot."""
    columns = [(traded.seller, traded.buyer, traded.quantity_wh, traded.paid_nano) for _, traded in log]
    seller, buyer, quantity, paid = (np.concatenate(column) for column in zip(*columns, strict=True))
    slots = np.array([slot for slot, _ in log], dtype=np.int64)
    counts = [len(traded.seller) for _, traded in log]
    return TradeTable(seller, buyer, quantity, paid, slot=np.repeat(slots, counts))


def summed(table: TradeTable, members: int) -> TradeTable:
    """A table of trades, summed over the slots; ordered by seller, then buyer."""
    pairs, where = np.unique(table.seller * members + table.buyer, return_inverse=True)
    sums: list[Ints] = []
    for column in (table.quantity_wh, table.amount_nano):
        total = np.zeros(len(pairs), dtype=np.int64)
        np.add.at(total, where, column)
        sums.append(total)
    return TradeTable(pairs // members, pairs % members, *sums)
