"""A continuous book so slow and simple that it is plainly right: a list, sorted anew for every order."""

from dataclasses import dataclass, field

from matching.orderbook import Action, Event, RestingOrder, Snapshot
from matching.orders import Side


@dataclass
class NaiveBook:
    waiting: list[RestingOrder] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)
    events: int = 0

    def apply(self, event: Event) -> None:
        number, self.events = self.events, self.events + 1
        if event.action >= Action.AMEND:
            found = [order for order in self.waiting if order.number == event.number]
            if not found:
                return
            old = found[0]
            if event.action == Action.AMEND and event.price == old.price and event.quantity_wh <= old.left_wh:
                self._replace(old, event.quantity_wh)
                return
            self.waiting.remove(old)
            if event.action == Action.AMEND:
                self._enter(old.side, event.price, event.quantity_wh, old.account, Action.LIMIT, number=number)
            return
        self._enter(event.side, event.price, event.quantity_wh, event.account, event.action, number=number)

    def snapshot(self) -> Snapshot:
        last_price = self.trades[-1][2] if self.trades else None
        return Snapshot(tuple(sorted(self.waiting, key=lambda order: order.number)), self.events, last_price)

    def _enter(
        self, side: Side, price: int, quantity_wh: int, account: int, action: Action, *, number: int
    ) -> None:
        def crosses(order: RestingOrder) -> bool:
            return order.side != side and (order.price <= price if side == Side.BID else order.price >= price)

        facing = [order for order in self.waiting if crosses(order)]
        facing.sort(key=lambda order: (order.price if side == Side.BID else -order.price, order.number))
        others_wh = sum(order.left_wh for order in facing if order.account != account)
        if (action == Action.FOK and others_wh < quantity_wh) or (action == Action.POST_ONLY and others_wh):
            return
        for order in facing:
            if not quantity_wh:
                break
            if order.account == account:
                self.waiting.remove(order)
                continue
            traded_wh = min(quantity_wh, order.left_wh)
            self.trades.append((order.number, number, order.price, traded_wh))
            quantity_wh -= traded_wh
            self._replace(order, order.left_wh - traded_wh)
        if quantity_wh and action != Action.IOC:
            self.waiting.append(RestingOrder(number, side, price, quantity_wh, account))

    def _replace(self, order: RestingOrder, left_wh: int) -> None:
        self.waiting.remove(order)
        if left_wh:
            self.waiting.append(RestingOrder(order.number, order.side, order.price, left_wh, order.account))
