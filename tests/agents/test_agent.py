from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.agent import Agent
from agents.meter import Meter
from agents.protocol import Receipt
from matching.orders import Order
from matching.readings import SignedReading
from matching.tariff import Tariff
from tests.agents.parts import DAY_SLOTS, TARIFF, home, slot


@dataclass(frozen=True)
class Taken:
    order_hash: bytes
    slot: int


@dataclass
class Marketplace:
    """The smallest market there can be: it takes every order and reading."""

    orders: list[Order] = field(default_factory=list)
    readings: list[SignedReading] = field(default_factory=list)

    def tariff(self) -> Tariff:
        return TARIFF

    def open_slot(self) -> int | None:
        return None

    def place(self, order: Order) -> Receipt:
        self.orders.append(order)
        return Taken(sha256(repr(order).encode()).digest(), order.slot)

    def submit(self, reading: SignedReading) -> None:
        self.readings.append(reading)


def agent_of(consumption_wh: list[int], generation_wh: list[int], market: Marketplace) -> Agent:
    its_home = home(consumption_wh, generation_wh)
    meters = [
        Meter(device, Ed25519PrivateKey.generate(), chain_id=1, market=its_home.market)
        for device in its_home.devices
    ]
    return Agent(its_home, meters, market)


def test_an_agent_places_its_homes_order_and_keeps_the_receipt() -> None:
    market = Marketplace()
    receipt = agent_of([900] * DAY_SLOTS, [200] * DAY_SLOTS, market).trade(slot(DAY_SLOTS))
    assert [order.quantity_wh for order in market.orders] == [700]
    assert receipt is not None
    assert receipt.slot == slot(DAY_SLOTS)


def test_an_agent_without_an_order_places_none() -> None:
    market = Marketplace()
    assert agent_of([200] * DAY_SLOTS, [200] * DAY_SLOTS, market).trade(slot(DAY_SLOTS)) is None
    assert market.orders == []


def test_an_agent_reports_what_every_device_metered() -> None:
    market = Marketplace()
    agent_of([900, 901], [200, 201], market).report(slot(1))
    assert [(one.reading.device, one.reading.energy_wh) for one in market.readings] == [(0, 901), (1, 201)]
