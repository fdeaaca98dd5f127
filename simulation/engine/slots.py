"""Consecutive slots of a community: behind the meters, in the market, into the batteries; on plain arrays.

A trader is a household, or a battery of the community's. In each slot a battery first serves its own household: it
takes the surplus of its photovoltaic system and gives what its load needs. What then is needed or left over is the
household's order, and what then is free of the battery's power and capacity its storage orders. Orders are made of
the energy metered in this very slot, as if it were known: the reference exchange updates orders during delivery.
"""

from typing import NamedTuple

import numpy as np

from matching.book import Ints
from matching.kernel import compiled
from simulation.engine.auction import Orders, Trades, empty_trades
from simulation.engine.slot import (
    ROWS_PER_TRADER,
    Book,
    Rows,
    empty_book,
    empty_rows,
    trade_continuous,
    trade_uniform,
)

MILLION = 1_000_000
NO_MARKET, UNIFORM, CONTINUOUS = 0, 1, 2


class Storages(NamedTuple):
    """Each trader's battery; zeros if it has none. Energy limits are those of a slot, Wh."""

    capacity_wh: Ints
    charge_wh: Ints
    discharge_wh: Ints
    efficiency_ppm: Ints
    degradation: Ints


class Stock(NamedTuple):
    """What the batteries hold, and the mean price it cost, nano-credit per Wh, rounded up. Written to."""

    stored_wh: Ints
    cost_price: Ints


class Quotes(NamedTuple):
    """Prices at a slot's start and at its last update; negative where none is quoted.

    Attributes:
        first: int64 array (4 · traders, slots): prices of the households' bids, the storages' bids, the storages'
            offers and the households' offers.
        last: likewise.
        updates: how often a price changes in a slot.
    """

    first: Ints
    last: Ints
    updates: int


class Flows(NamedTuple):
    """Energy and money by trader and slot, int64 arrays (traders, slots); see `simulation.results`."""

    consumption_wh: Ints
    generation_wh: Ints
    charged_wh: Ints
    discharged_wh: Ints
    lost_wh: Ints
    stored_wh: Ints
    bought_wh: Ints
    sold_wh: Ints
    amount_nano: Ints


def empty_flows(consumption_wh: Ints, generation_wh: Ints) -> Flows:
    """The flows of these metered energies before anything is traded or stored."""
    return Flows(consumption_wh, generation_wh, *np.zeros((7, *consumption_wh.shape), dtype=np.int64))


class Market(NamedTuple):
    """How consecutive slots are traded.

    Attributes:
        design: `NO_MARKET`, `UNIFORM` or `CONTINUOUS`.
        quotes: prices of the orders.
        arrivals: for each slot the rows in the order in which they arrive, int64 array (slots, rows).
        feed_in: the utility's feed-in price in each slot: what its own surplus costs a household's battery.
        fee: grid fee.
    """

    design: int
    quotes: Quotes
    arrivals: Ints
    feed_in: Ints
    fee: int


class Space(NamedTuple):
    """Working space, and the log of trades, which ends up by trader."""

    rows: Rows
    book: Book
    log: Trades


def working_space(traders: int, slots: int, updates: int) -> Space:
    """Room for these slots; there are never more trades than rows in a slot, as each uses one up."""
    log = empty_trades(ROWS_PER_TRADER * traders * slots)
    return Space(empty_rows(traders), empty_book(traders, updates), log)


@compiled
def behind_the_meter(flows: Flows, storages: Storages, stock: Stock, orders: Orders, slot: int) -> None:
    """Let each battery serve its own household, and enter what is left as the quantities of the slot's rows."""
    traders = len(stock.stored_wh)
    for trader in range(traders):
        stored_wh = stock.stored_wh[trader]
        takes_wh, gives_wh = 0, 0
        if storages.capacity_wh[trader] > 0:
            room_wh = (storages.capacity_wh[trader] - stored_wh) * MILLION // storages.efficiency_ppm[trader]
            takes_wh = min(room_wh, storages.charge_wh[trader])
            gives_wh = min(stored_wh, storages.discharge_wh[trader])
        net_wh = flows.consumption_wh[trader, slot] - flows.generation_wh[trader, slot]
        charged_wh, discharged_wh = min(max(-net_wh, 0), takes_wh), min(max(net_wh, 0), gives_wh)
        flows.charged_wh[trader, slot] = charged_wh
        flows.discharged_wh[trader, slot] = discharged_wh
        net_wh += charged_wh - discharged_wh
        orders.side[trader] = 0 if net_wh > 0 else 1
        orders.left_wh[trader] = abs(net_wh)
        orders.left_wh[traders + trader] = takes_wh - charged_wh if discharged_wh == 0 else 0
        orders.left_wh[2 * traders + trader] = gives_wh - discharged_wh if charged_wh == 0 else 0


@compiled
def quote(rows: Rows, quotes: Quotes, storages: Storages, stock: Stock, slot: int) -> None:
    """Enter the prices of the slot's rows; a storage never asks less than what it holds cost it and wears off."""
    traders, side = len(stock.stored_wh), rows.orders.side
    for row in range(len(side)):
        quoted = row + 3 * traders if row < traders and side[row] == 1 else row
        rows.first[row], rows.last[row] = quotes.first[quoted, slot], quotes.last[quoted, slot]
        if rows.first[row] < 0 or rows.last[row] < 0:
            rows.orders.left_wh[row] = 0
        elif row >= 2 * traders:
            cost = stock.cost_price[row - 2 * traders] + storages.degradation[row - 2 * traders]
            rows.first[row], rows.last[row] = max(rows.first[row], cost), max(rows.last[row], cost)


@compiled
def book_trades(flows: Flows, log: Trades, first: int, fee: int, cost_nano: Ints) -> None:
    """Enter trades into the flows, and what a storage paid, grid fee included, into its cost."""
    traders = len(cost_nano)
    for trade in range(first, log.made[0]):
        slot, quantity_wh = log.slot[trade], log.quantity_wh[trade]
        money_nano = quantity_wh * log.price[trade]
        seller, buyer = log.seller[trade] % traders, log.buyer[trade] % traders
        flows.sold_wh[seller, slot] += quantity_wh
        flows.bought_wh[buyer, slot] += quantity_wh
        flows.amount_nano[seller, slot] += money_nano
        flows.amount_nano[buyer, slot] -= money_nano
        if log.seller[trade] >= traders:
            flows.discharged_wh[seller, slot] += quantity_wh
        if log.buyer[trade] >= traders:
            flows.charged_wh[buyer, slot] += quantity_wh
            cost_nano[buyer] += money_nano + quantity_wh * fee
        log.seller[trade], log.buyer[trade] = seller, buyer


@compiled
def store(flows: Flows, storages: Storages, stock: Stock, slot: int, cost_nano: Ints) -> None:
    """Change what the batteries hold by what they charged, at this cost, and discharged in a slot."""
    for trader in range(len(stock.stored_wh)):
        charged_wh = flows.charged_wh[trader, slot]
        gained_wh = charged_wh * storages.efficiency_ppm[trader] // MILLION
        kept_wh = stock.stored_wh[trader] - flows.discharged_wh[trader, slot]
        flows.lost_wh[trader, slot] = charged_wh - gained_wh
        if gained_wh > 0:
            total_nano = stock.cost_price[trader] * kept_wh + cost_nano[trader]
            stock.cost_price[trader] = max(0, -(-total_nano // (kept_wh + gained_wh)))
        stock.stored_wh[trader] = kept_wh + gained_wh
        flows.stored_wh[trader, slot] = kept_wh + gained_wh


@compiled
def trade_slots(market: Market, flows: Flows, storages: Storages, stock: Stock, space: Space) -> None:
    """Trade consecutive slots: complete the flows, and leave in `stock` what the batteries hold in the end."""
    rows, log = space.rows, space.log
    cost_nano = np.zeros_like(stock.stored_wh)
    log.made[0] = 0
    for slot in range(len(market.feed_in)):
        behind_the_meter(flows, storages, stock, rows.orders, slot)
        cost_nano[:] = flows.charged_wh[:, slot] * market.feed_in[slot]
        if market.design != NO_MARKET:
            before = log.made[0]
            quote(rows, market.quotes, storages, stock, slot)
            rows.orders.arrival[:] = market.arrivals[slot]
            if market.design == UNIFORM:
                trade_uniform(rows, market.quotes.updates, slot, log)
            else:
                trade_continuous(rows, market.quotes.updates, slot, log, space.book)
            book_trades(flows, log, before, market.fee, cost_nano)
        store(flows, storages, stock, slot, cost_nano)
