"""The same agents in one process and over HTTP with a node on a chain: the same orders and the same fills."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.agent import Agent
from agents.devices.load import Load
from agents.devices.photovoltaic import Photovoltaic
from agents.devices.series import Series
from agents.home import Home, Strategy
from agents.protocol import Market
from agents.strategies.asking import LastPrice
from agents.strategies.gain_share import spread
from agents.strategies.pricing import FixedPrice, Ramps, Truthful, ZeroIntelligence
from ledger.devchain import dev_accounts
from ledger.eip712 import order_hash
from ledger.keys import Key
from ledger.onboarding import fund
from matching.orders import Order
from node.client import WattbookClient
from node.composition import Node, open_node, serving
from node.config import Config
from node.parties import FIRST_MEMBER_ACCOUNT
from simulation.fontana import SUNNY_DAY, load_fontana
from simulation.local_market import LocalMarket
from tests.system.demo import free_port

FONTANA = load_fontana()
DAY = FONTANA.slots[FONTANA.day(SUNNY_DAY)].tolist()
ESCROW = 10_000 * 10**9
STRATEGIES: list[Strategy] = [
    *spread(2),
    LastPrice(Ramps()),
    LastPrice(Truthful()),
    LastPrice(FixedPrice()),
    LastPrice(ZeroIntelligence(), seed=1),
    LastPrice(ZeroIntelligence(), seed=2),
    LastPrice(Ramps(interval_s=120)),
]


@dataclass(frozen=True)
class World:
    node: Node
    keys: list[Key]
    clients: list[WattbookClient]

    def homes(self) -> list[Home]:
        """Eight of Fontana's homes, each with another strategy."""
        first_slot = int(FONTANA.slots[0])
        return [
            Home(
                account=key.address,
                market=self.node.market.id,
                load=Load(2 * number, Series(first_slot, FONTANA.slot_s, data.consumption_wh)),
                photovoltaic=Photovoltaic(
                    2 * number + 1, Series(first_slot, FONTANA.slot_s, data.generation_wh), data.pv_nameplate_w
                ),
                strategy=strategy,
            )
            for number, (key, data, strategy) in enumerate(zip(self.keys, FONTANA.homes, STRATEGIES, strict=False))
        ]


@contextmanager
def world(data: Path, design: str) -> Iterator[World]:
    config = Config(
        data=data, port=free_port(), chain_port=free_port(), stepped_from=DAY[0] - 3_600, design=design
    )
    accounts = dev_accounts()[FIRST_MEMBER_ACCOUNT : FIRST_MEMBER_ACCOUNT + len(STRATEGIES)]
    keys = [Key(account.private_key) for account in accounts]
    with open_node(config) as node, serving(node):
        for number, key in enumerate(keys):
            node.registration.register_member(key.address, f"home {number}")
            fund(node.contracts, node.config.parties.treasurer, key.address, ESCROW)
        yield World(node, keys, [WattbookClient(node.url, key) for key in keys])


def agents(homes: Sequence[Home], markets: Sequence[Market]) -> list[Agent]:
    return [Agent(home, (), market) for home, market in zip(homes, markets, strict=True)]


def check_same_day(data: Path, design: str, slots: Sequence[int]) -> None:
    with world(data, design) as live:
        node, homes = live.node, live.homes()
        here = LocalMarket(
            live.clients[0].tariff(), lambda order: order_hash(node.services.domain, order), design=design
        )
        over_http, in_process = agents(homes, live.clients), agents(homes, [here] * len(homes))
        filled = 0
        for slot in slots:
            for agent in over_http:
                agent.trade(slot)
            for agent in in_process:
                agent.trade(slot)
            live.clients[0].advance_clock(slot - node.market.gate_lead_s, api_key=node.services.operator_api_key)
            there = sorted(node.store.orders(slot=slot), key=lambda record: record.index)
            placed: list[Order] = [record.signed.order for record in there]
            assert placed == list(here.orders(slot).values())
            fills = here.clear(slot)
            assert {record.signed.hash: record.fill_wh for record in there} == {
                hashed: fill.fill_wh for hashed, fill in fills.items()
            }
            traded = {
                record.signed.hash: trade.price
                for trade in node.store.trades(slot=slot)
                for record in there
                if record.signed.hash in (trade.seller_order, trade.buyer_order)
            }
            for hashed, price in traded.items():
                if design == "uniform":
                    assert abs(fills[hashed].amount_nano) == price * fills[hashed].fill_wh
            filled += sum(1 for fill in fills.values() if fill.fill_wh)
        assert filled > len(slots)


def test_some_slots_are_the_same_in_both_worlds(tmp_path: Path) -> None:
    check_same_day(tmp_path, "uniform", DAY[40:43])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("design", ["uniform", "continuous"])
def test_a_day_is_the_same_in_both_worlds(tmp_path: Path, design: str) -> None:
    check_same_day(tmp_path, design, DAY)
