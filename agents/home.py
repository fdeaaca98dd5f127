"""A home: one member with a load, perhaps a photovoltaic system, and one order a slot."""

from dataclasses import dataclass
from typing import Protocol

from agents.devices.load import Load
from agents.devices.photovoltaic import Photovoltaic
from agents.forecast import persistence
from matching.orders import MAX_QUANTITY_WH, Order, Side
from matching.tariff import Tariff


class Strategy(Protocol):
    """How a home prices its orders; None means: do not trade."""

    def bid_price(self, tariff: Tariff) -> int | None:
        """Limit price of a bid, nano-credit per Wh, grid fee excluded."""

    def offer_price(self, tariff: Tariff) -> int | None:
        """Limit price of an offer, nano-credit per Wh."""


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """A member's devices and the strategy that trades for them.

    Attributes:
        account: the member's 20-byte address.
        market: the market's 32-byte id.
        load: what the home consumes.
        photovoltaic: what it generates, or None.
        strategy: how it prices its orders.
    """

    account: bytes
    market: bytes
    load: Load
    photovoltaic: Photovoltaic | None
    strategy: Strategy

    @property
    def devices(self) -> tuple[Load | Photovoltaic, ...]:
        """The devices, each of which has a meter."""
        return (self.load,) if self.photovoltaic is None else (self.load, self.photovoltaic)

    def expected_net_wh(self, slot: int) -> int | None:
        """Forecast consumption less generation, Wh: what the home will need (+) or have to spare (-).

        None if either forecast is missing.
        """
        consumption_wh = persistence(self.load, slot)
        generation_wh = 0 if self.photovoltaic is None else persistence(self.photovoltaic, slot)
        if consumption_wh is None or generation_wh is None:
            return None
        return consumption_wh - generation_wh

    def order_for(self, slot: int, tariff: Tariff) -> Order | None:
        """The home's order for a slot: a bid for what it will need, an offer of what it will have to spare.

        None if it expects neither, cannot tell, or trading gains nothing. The same slot and tariff always give
        the same order, so placing it again after a crash places no second one.
        """
        net_wh = self.expected_net_wh(slot)
        if net_wh is None or net_wh == 0:
            return None
        side = Side.BID if net_wh > 0 else Side.OFFER
        price = self.strategy.bid_price(tariff) if side is Side.BID else self.strategy.offer_price(tariff)
        if price is None:
            return None
        return Order(
            account=self.account,
            market=self.market,
            slot=slot,
            side=side,
            price=price,
            quantity_wh=min(abs(net_wh), MAX_QUANTITY_WH),
        )
