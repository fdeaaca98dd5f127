"""Tables of trades made of the engine's log: with the utility's part, and summed over a run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from agents.devices.utility import Utility
from matching.book import Ints
from simulation.engine.auction import Trades
from simulation.results import TradeTable


class TradeRows(NamedTuple):
    """Columns of a `TradeTable`, by slot."""

    seller: Ints
    buyer: Ints
    quantity_wh: Ints
    amount_nano: Ints
    slot: Ints


def log_of(log: Trades, slots: Ints) -> TradeRows:
    """The trades of an engine's log of these slots."""
    made = slice(int(log.made[0]))
    amount_nano = log.quantity_wh[made] * log.price[made]
    return TradeRows(
        log.seller[made].copy(),
        log.buyer[made].copy(),
        log.quantity_wh[made].copy(),
        amount_nano,
        slots[log.slot[made]],
    )


def with_utility(trades: TradeRows, columns: Mapping[str, Ints], utility: Utility, slots: Ints) -> TradeRows:
    """The same, followed by each member's trade with the utility, numbered after the members."""
    members = len(columns["imported_wh"])
    parts = [trades]
    for name, prices in (("imported_wh", utility.retail_price), ("exported_wh", utility.feed_in_price)):
        at, member = np.nonzero(columns[name].T)
        quantity_wh = columns[name][member, at]
        outside = np.full_like(member, members)
        seller, buyer = (outside, member) if name == "imported_wh" else (member, outside)
        parts.append(TradeRows(seller, buyer, quantity_wh, quantity_wh * prices[at], slots[at]))
    return TradeRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def summed(parts: Sequence[TradeRows], members: int) -> TradeTable:
    """Who traded how much with whom, by seller and then buyer."""
    parties = members + 1
    energy, money = np.zeros((2, parties * parties), dtype=np.int64)
    for part in parts:
        pair = part.seller * parties + part.buyer
        np.add.at(energy, pair, part.quantity_wh)
        np.add.at(money, pair, part.amount_nano)
    pairs = np.flatnonzero(energy)
    return TradeTable(pairs // parties, pairs % parties, energy[pairs], money[pairs])
