"""A market in one process, for agents that else trade over HTTP with a node: same orders, same fills."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from matching import designs
from matching.book import from_orders
from matching.orders import Order
from matching.readings import SignedReading
from matching.tariff import Tariff


@dataclass(frozen=True, slots=True)
class LocalReceipt:
    """That the market took an order; see `agents.protocol.Receipt`."""

    order_hash: bytes
    slot: int


@dataclass(frozen=True, slots=True)
class Fill:
    """What clearing made of an order: the energy it trades, and the credits it receives (+) or pays (-) for it."""

    fill_wh: int
    amount_nano: int


class LocalMarket:
    """A market without node and chain; what `agents.protocol.Market` asks for, for all members at once.

    Orders of a slot are received in the order in which they are placed. It does not look at escrow.

    Args:
        tariff: the market's tariff, in every slot.
        hash_of: an order's 32-byte hash, which names it and ranks it among equals, as on chain.
        open_slot: start of the slot that takes orders; None if none does.
        design: the market's design.
    """

    def __init__(
        self,
        tariff: Tariff,
        hash_of: Callable[[Order], bytes],
        *,
        open_slot: int | None = None,
        design: str = "uniform",
    ) -> None:
        self._tariff = tariff
        self._hash_of = hash_of
        self._open_slot = open_slot
        self._design = design
        self._orders: dict[int, dict[bytes, Order]] = {}
        self.readings: list[SignedReading] = []

    def tariff(self) -> Tariff:
        """The market's tariff."""
        return self._tariff

    def open_slot(self) -> int | None:
        """Start of the slot that takes orders."""
        return self._open_slot

    def place(self, order: Order) -> LocalReceipt:
        """Take an order; the same order again changes nothing."""
        order_hash = self._hash_of(order)
        self._orders.setdefault(order.slot, {}).setdefault(order_hash, order)
        return LocalReceipt(order_hash, order.slot)

    def submit(self, reading: SignedReading) -> None:
        """Keep a meter reading."""
        self.readings.append(reading)

    def orders(self, slot: int) -> Mapping[bytes, Order]:
        """A slot's orders by hash, in the order of their arrival."""
        return MappingProxyType(self._orders.get(slot, {}))

    def clear(self, slot: int) -> dict[bytes, Fill]:
        """What clearing makes of each of a slot's orders, by hash."""
        taken = self._orders.get(slot, {})
        clearing = designs.clear(self._design, from_orders(list(taken.values()), list(taken)))
        return {
            order_hash: Fill(fill_wh, amount_nano)
            for order_hash, fill_wh, amount_nano in zip(
                taken, clearing.fills_wh.tolist(), clearing.amounts_nano.tolist(), strict=True
            )
        }
