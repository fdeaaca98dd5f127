"""Trades, derived from what a settlement carries: the same for the node, which settles, and for an auditor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.batches import FilledOrder
from matching.book import from_orders
from matching.orders import CertificatePreference
from matching.trades import pair


@dataclass(frozen=True, slots=True)
class Trade:
    """One seller, one buyer, one quantity in Wh; `number` counts from 0 within the slot."""

    number: int
    seller: FilledOrder
    buyer: FilledOrder
    quantity_wh: int

    @property
    def carries_certificates(self) -> bool:
        """Whether the certificates of the traded energy go to the buyer."""
        preferences = (self.seller.signed.order.certificates, self.buyer.signed.order.certificates)
        return CertificatePreference.UNBUNDLED not in preferences


def trades_of(fills: Sequence[FilledOrder]) -> list[Trade]:
    """The trades behind a slot's fills, by the rule of `matching.trades`."""
    if not fills:
        return []
    book = from_orders([fill.signed.order for fill in fills], [fill.signed.hash for fill in fills])
    pairs = pair(book, np.array([fill.fill_wh for fill in fills], dtype=np.int64))
    columns = zip(pairs.seller.tolist(), pairs.buyer.tolist(), pairs.quantity_wh.tolist(), strict=True)
    return [
        Trade(number=number, seller=fills[seller], buyer=fills[buyer], quantity_wh=quantity)
        for number, (seller, buyer, quantity) in enumerate(columns)
    ]
