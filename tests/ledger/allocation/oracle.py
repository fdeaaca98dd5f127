"""The rule of allocations once more, as slowly and plainly as can be: one Wh after another."""

from collections import Counter
from fractions import Fraction

from ledger.allocation import Consumption, Issuance
from ledger.devices import DeviceKind
from ledger.trades import Trade
from matching.orders import CertificatePreference
from tests.ledger.allocation.slots import Slot

Given = tuple[Counter[tuple[int, bytes]], Counter[tuple[int, int]]]
"""Wh moved by device and account, and matched by device and consuming device."""


def by_the_wh(slot: Slot) -> Given:
    """Moves and matches of a slot, a Wh at a time."""
    given = [each for each in sorted(slot.issuances, key=_place) for _ in range(each.certified_wh)]
    taken = [each for each in sorted(slot.consumptions, key=_place) for _ in range(each.certified_wh)]
    moves: Counter[tuple[int, bytes]] = Counter()
    matches: Counter[tuple[int, int]] = Counter()

    def cover(seller: bytes, buyer: bytes, kinds: set[DeviceKind]) -> bool:
        for wanted in taken:
            for offered in given:
                whose = (offered.owner, wanted.owner) == (seller, buyer)
                if whose and wanted.kind in kinds and _fits(offered, wanted):
                    given.remove(offered)
                    taken.remove(wanted)
                    matches[offered.device, wanted.device] += 1
                    return True
        return False

    for owner in {each.owner for each in slot.issuances}:
        while cover(owner, owner, set(DeviceKind)):
            pass
    shares = {
        trade.number: share
        for seller in {seller_of(trade) for trade in slot.trades}
        for trade, share in in_proportion(
            sum(each.owner == seller for each in given), [t for t in slot.trades if seller_of(t) == seller]
        )
    }
    for trade in slot.trades:
        seller, buyer = seller_of(trade), trade.buyer.signed.order.account
        wishes = {each.signed.order.certificates for each in (trade.seller, trade.buyer)}
        if seller == buyer or CertificatePreference.UNBUNDLED in wishes:
            continue
        retires = trade.buyer.signed.order.certificates is CertificatePreference.AUTO_RETIRE
        kinds = {DeviceKind.CHARGE} | ({DeviceKind.LOAD} if retires else set())
        left = shares[trade.number]
        while left and cover(seller, buyer, kinds):
            left -= 1
        for _ in range(left):
            first = next(each for each in given if each.owner == seller)
            given.remove(first)
            moves[first.device, buyer] += 1
    return moves, matches


def _place(each: Issuance | Consumption) -> tuple[int, int]:
    return each.kind, each.device


def _fits(offered: Issuance, wanted: Consumption) -> bool:
    from_storage_to_storage = (offered.kind, wanted.kind) == (DeviceKind.STORAGE, DeviceKind.CHARGE)
    return offered.area == wanted.area and not (from_storage_to_storage and offered.owner == wanted.owner)


def seller_of(trade: Trade) -> bytes:
    return trade.seller.signed.order.account


def in_proportion(available: int, trades: list[Trade]) -> list[tuple[Trade, int]]:
    """Each trade's whole Wh, then one more to whoever misses most, the earlier first."""
    total = sum(trade.quantity_wh for trade in trades)
    available = min(available, total)
    exact = [Fraction(available * trade.quantity_wh, total) for trade in trades]
    whole = [int(share) for share in exact]
    while sum(whole) < available:
        missing = [share - part for share, part in zip(exact, whole, strict=True)]
        whole[missing.index(max(missing))] += 1
    return list(zip(trades, whole, strict=True))
