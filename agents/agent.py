"""The agent: trades for one home and hands in its meters' readings."""

from collections.abc import Sequence

from agents.home import Home
from agents.meter import Meter
from agents.protocol import Market, Receipt


class Agent:
    """Trades for one home. It keeps no state of its own, so it may stop and start at any moment.

    Args:
        home: the devices it trades for.
        meters: the meters of these devices.
        market: where it trades.
    """

    def __init__(self, home: Home, meters: Sequence[Meter], market: Market) -> None:
        self._home = home
        self._meters = tuple(meters)
        self._market = market

    def trade(self, slot: int) -> Receipt | None:
        """Place the home's order for a slot; None if it has none. Raises what `Market.place` raises."""
        order = self._home.order_for(slot, self._market.tariff())
        return None if order is None else self._market.place(order)

    def report(self, slot: int) -> None:
        """Hand in the readings of a slot that is over. Raises what `Market.submit` and `Meter.read` raise."""
        for meter in self._meters:
            self._market.submit(meter.read(slot))
