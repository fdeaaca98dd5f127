"""Who gets the certificates of a slot: one deterministic rule over what devices metered, and over trades.

1. Behind the meter: what a member's devices give covers what its own devices take. Loads come first, then what
   charges its storages, each in ascending order of device numbers: what a home consumes at once should not go
   through its battery and lose a part on the way. What a storage gives covers loads only; it charges no storage of
   its own owner, or stored energy would go in circles.
2. What a seller has left goes to its trades: in full if it delivered what it sold, pro rata by quantity if it fell
   short, whole Wh by largest remainder and the earlier trade first among equals.
3. A trade passes its share on to the buyer unless one side asked for energy without certificates. A buyer that
   asked for retirement has its share matched with what its devices took and is not covered yet, in the order of
   rule 1; one that asked to hold certificates only with what charges its storages, so that what they give later
   has an origin. The rest of the share the buyer holds.
4. Everything else stays with the owner of the device that gave it.

A member with several devices that give has them give in turn, generators before storages, each in ascending order
of device numbers. Certificates are matched within one area only; a buyer elsewhere holds them.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from ledger.allocation.model import Allocation, Consumption, Issuance, Match, Move, by_device, verified
from ledger.devices import DeviceKind
from ledger.trades import Trade
from matching.orders import CertificatePreference

_COVERED = {
    CertificatePreference.AUTO_RETIRE: (DeviceKind.LOAD, DeviceKind.CHARGE),
    CertificatePreference.BUNDLED: (DeviceKind.CHARGE,),
}
"""What a buyer's share of certificates is matched with, by its preference."""


def allocate(
    issuances: Sequence[Issuance], consumptions: Sequence[Consumption], trades: Sequence[Trade]
) -> Allocation:
    """Where the certificates of a slot go: at most one move or match of each two parties, in a fixed order.

    Raises:
        InvalidMeteringError: a device is named twice.
        BrokenAllocationError: the result broke an invariant.
    """
    slot = _Slot(issuances, consumptions)
    for owner in sorted({issuance.owner for issuance in issuances}):
        slot.match(owner, owner, slot.left_wh(owner), tuple(DeviceKind))
    # What each trade gets is fixed before the first one takes its share.
    for trade, share_wh in zip(trades, _shares(slot, trades), strict=True):
        seller, buyer = trade.seller.signed.order.account, trade.buyer.signed.order.account
        if not trade.carries_certificates or seller == buyer:
            continue
        kinds = _COVERED[trade.buyer.signed.order.certificates]
        matched_wh = slot.match(seller, buyer, share_wh, kinds)
        slot.move(seller, buyer, share_wh - matched_wh)
    return verified(slot.allocation(), by_device(issuances), by_device(consumptions))


class _Slot:
    """What is still to be given, and still to be covered, as the rule goes through a slot."""

    def __init__(self, issuances: Sequence[Issuance], consumptions: Sequence[Consumption]) -> None:
        self._giving: dict[bytes, list[Issuance]] = {}
        self._taking: dict[bytes, list[Consumption]] = {}
        for issuance in sorted(issuances, key=lambda each: (each.kind, each.device)):
            self._giving.setdefault(issuance.owner, []).append(issuance)
        for consumption in sorted(consumptions, key=lambda each: (each.kind, each.device)):
            self._taking.setdefault(consumption.owner, []).append(consumption)
        self._left_wh = {issuance.device: issuance.certified_wh for issuance in issuances}
        self._uncovered_wh = {consumption.device: consumption.certified_wh for consumption in consumptions}
        self._moves: Counter[tuple[int, bytes]] = Counter()
        self._matches: Counter[tuple[int, int]] = Counter()

    def left_wh(self, owner: bytes) -> int:
        """What the owner's devices have not given yet."""
        return sum(self._left_wh[issuance.device] for issuance in self._giving.get(owner, []))

    def match(self, seller: bytes, buyer: bytes, amount_wh: int, kinds: Collection[DeviceKind]) -> int:
        """Cover what the buyer's devices of these kinds took, with up to so much of the seller's; returns it."""
        matched_wh = 0
        for consumption in self._taking.get(buyer, []):
            for issuance in self._giving.get(seller, []):
                if consumption.kind not in kinds or not _fits(issuance, consumption):
                    continue
                part_wh = min(
                    amount_wh - matched_wh,
                    self._left_wh[issuance.device],
                    self._uncovered_wh[consumption.device],
                )
                if part_wh:
                    self._left_wh[issuance.device] -= part_wh
                    self._uncovered_wh[consumption.device] -= part_wh
                    self._matches[issuance.device, consumption.device] += part_wh
                    matched_wh += part_wh
        return matched_wh

    def move(self, seller: bytes, buyer: bytes, amount_wh: int) -> None:
        """Let the buyer hold so much of the seller's."""
        for issuance in self._giving.get(seller, []):
            part_wh = min(amount_wh, self._left_wh[issuance.device])
            if part_wh:
                self._left_wh[issuance.device] -= part_wh
                self._moves[issuance.device, buyer] += part_wh
                amount_wh -= part_wh

    def allocation(self) -> Allocation:
        """Everything given so far, in the order in which it was first given."""
        return Allocation(
            moves=tuple(Move(device, account, wh) for (device, account), wh in self._moves.items()),
            matches=tuple(Match(device, consumption, wh) for (device, consumption), wh in self._matches.items()),
        )


def _fits(issuance: Issuance, consumption: Consumption) -> bool:
    in_circles = (
        issuance.kind is DeviceKind.STORAGE
        and consumption.kind is DeviceKind.CHARGE
        and issuance.owner == consumption.owner
    )
    return issuance.area == consumption.area and not in_circles


def _shares(slot: _Slot, trades: Sequence[Trade]) -> list[int]:
    """What each trade gets of what its seller has left, in Wh."""
    sold: dict[bytes, list[int]] = {}
    for position, trade in enumerate(trades):
        sold.setdefault(trade.seller.signed.order.account, []).append(position)
    shares = [0] * len(trades)
    for seller, positions in sold.items():
        parts = pro_rata(slot.left_wh(seller), [trades[position].quantity_wh for position in positions])
        for position, part in zip(positions, parts, strict=True):
            shares[position] = part
    return shares


def pro_rata(available: int, claims: Sequence[int]) -> list[int]:
    """Divide `available` among `claims` in proportion, nobody above its claim; integers that add up.

    Largest remainder, the earlier claim first among equal remainders.
    """
    total = sum(claims)
    if available >= total:
        return list(claims)
    parts = [available * claim // total for claim in claims]
    remainders = [available * claim % total for claim in claims]
    order = sorted(range(len(claims)), key=lambda i: (-remainders[i], i))
    for i in order[: available - sum(parts)]:
        parts[i] += 1
    return parts
