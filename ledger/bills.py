"""Bills: what a member's trades and meters come to, by the same rules as the Exchange's `settle` and `deliver`.

A bill is made of nothing but integers that are on chain: fills and their amounts, the readings that slots were
delivered with, and the tariff. Its total is therefore what left the member's escrow, or became its debt, to the
last nano-credit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter

from matching.tariff import Tariff


@dataclass(frozen=True, slots=True)
class SlotTrades:
    """What a member bought and sold in a slot's market, Wh, and paid and received for it, nano-credits."""

    bought_wh: int = 0
    sold_wh: int = 0
    paid_nano: int = 0
    received_nano: int = 0


@dataclass(frozen=True, slots=True)
class SlotMetered:
    """What a member's devices took and gave in a slot, Wh, as it was delivered."""

    consumption_wh: int = 0
    generation_wh: int = 0


@dataclass(frozen=True, slots=True)
class Charges:
    """What a member traded and metered, Wh, and what that costs it, nano-credits.

    Attributes:
        bought_wh: bought in the market.
        sold_wh: sold in the market.
        paid_nano: to sellers, for what was bought.
        received_nano: from buyers, for what was sold.
        grid_fee_nano: to the utility, for the energy bought, less that sold in the same slot.
        from_utility_wh: metered above what was contracted: the imbalance that the utility supplied.
        from_utility_nano: for that, at the retail price.
        to_utility_wh: metered below what was contracted: the imbalance that the utility took.
        to_utility_nano: for that, at the feed-in price.
        consumption_wh: what the member's devices took.
        generation_wh: what they gave.
        utility_alone_nano: what the metered energy would have cost with the utility alone.
    """

    bought_wh: int = 0
    sold_wh: int = 0
    paid_nano: int = 0
    received_nano: int = 0
    grid_fee_nano: int = 0
    from_utility_wh: int = 0
    from_utility_nano: int = 0
    to_utility_wh: int = 0
    to_utility_nano: int = 0
    consumption_wh: int = 0
    generation_wh: int = 0
    utility_alone_nano: int = 0

    @property
    def total_nano(self) -> int:
        """What it all costs the member; negative if it receives more than it pays."""
        market_nano = self.paid_nano - self.received_nano
        return market_nano + self.grid_fee_nano + self.from_utility_nano - self.to_utility_nano

    @property
    def saving_nano(self) -> int:
        """What the market saved the member; negative if it cost it, as large forecast errors can."""
        return self.utility_alone_nano - self.total_nano


_AMOUNTS = attrgetter(*(each.name for each in fields(Charges)))


def charges_of(trades: SlotTrades, metered: SlotMetered | None, tariff: Tariff) -> Charges:
    """One slot's charges; without readings, those of its trades only, as nothing else is due before delivery."""
    charged = Charges(trades.bought_wh, trades.sold_wh, trades.paid_nano, trades.received_nano)
    if metered is None:
        return charged
    contracted_wh = trades.bought_wh - trades.sold_wh
    net_wh = metered.consumption_wh - metered.generation_wh
    from_utility_wh, to_utility_wh = _parts(net_wh - contracted_wh)
    needed_wh, spare_wh = _parts(net_wh)
    return Charges(
        bought_wh=trades.bought_wh,
        sold_wh=trades.sold_wh,
        paid_nano=trades.paid_nano,
        received_nano=trades.received_nano,
        grid_fee_nano=tariff.grid_fee * max(contracted_wh, 0),
        from_utility_wh=from_utility_wh,
        from_utility_nano=tariff.retail_price * from_utility_wh,
        to_utility_wh=to_utility_wh,
        to_utility_nano=tariff.feed_in_price * to_utility_wh,
        consumption_wh=metered.consumption_wh,
        generation_wh=metered.generation_wh,
        utility_alone_nano=tariff.retail_price * needed_wh - tariff.feed_in_price * spare_wh,
    )


def summed(charges: Iterable[Charges]) -> Charges:
    """The charges of many slots together."""
    columns = zip(*map(_AMOUNTS, charges), strict=True)
    return Charges(*(sum(column) for column in columns))


def _parts(net_wh: int) -> tuple[int, int]:
    """What has to come from elsewhere, and what can go there."""
    return max(net_wh, 0), max(-net_wh, 0)
