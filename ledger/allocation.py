"""Who gets the certificates of a slot: one deterministic rule over trades and meter readings.

1. What a member generates and consumes in the same slot is retired for that member at once: it never left the
   house. The rest of its generation is its surplus.
2. A seller's surplus, as far as it was sold, goes to its trades: in full if it delivered what it sold, pro rata by
   quantity if it fell short, whole Wh by largest remainder and the earlier trade first among equals.
3. A trade passes its share on to the buyer unless one side asked for energy without certificates. A buyer that
   asked for retirement has its share retired as far as its metered consumption is not covered yet, and holds the
   rest.
4. Everything else stays with the producer.

A member with several generating devices gives their certificates away in ascending order of device numbers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.batches import MemberReading
from ledger.trades import Trade
from matching.errors import WattbookError
from matching.orders import CertificatePreference


@dataclass(frozen=True, slots=True)
class Issuance:
    """What one device generated in a slot, in Wh, above zero; `owner` is the member it belongs to."""

    device: int
    owner: bytes
    amount_wh: int


@dataclass(frozen=True, slots=True)
class Move:
    """Certificates of one device that go from its owner to `account`, or are retired for it at once."""

    device: int
    account: bytes
    amount_wh: int
    retired: bool


class BrokenAllocationError(WattbookError):
    """An allocation broke an invariant: a defect of this module, never of the slot's data."""

    code = "certificates.broken_allocation"


class _Producer:
    """A member's certificates of the slot, as they are given away device by device."""

    def __init__(self, issuances: Sequence[Issuance]) -> None:
        self._left = {
            issuance.device: issuance.amount_wh for issuance in sorted(issuances, key=lambda i: i.device)
        }

    @property
    def left_wh(self) -> int:
        return sum(self._left.values())

    def give(self, amount_wh: int) -> list[tuple[int, int]]:
        """Take `amount_wh` from the devices in turn: pairs of device and Wh."""
        given = []
        for device, left in self._left.items():
            part = min(left, amount_wh)
            if part:
                self._left[device] -= part
                amount_wh -= part
                given.append((device, part))
        return given


def allocate(
    issuances: Sequence[Issuance], readings: Sequence[MemberReading], trades: Sequence[Trade]
) -> list[Move]:
    """Where the certificates of a slot go; at most one move per device, account and kind, in a fixed order."""
    producers = {
        owner: _Producer([issuance for issuance in issuances if issuance.owner == owner])
        for owner in sorted({issuance.owner for issuance in issuances})
    }
    # Who has no reading, as the utility, which may trade too, consumed nothing that could be claimed.
    consumption_left = Counter({reading.account: reading.consumption_wh for reading in readings})
    moves: dict[tuple[int, bytes, bool], int] = {}

    def move(producer: _Producer, account: bytes, amount_wh: int, *, retired: bool) -> None:
        for device, part in producer.give(amount_wh):
            key = (device, account, retired)
            moves[key] = moves.get(key, 0) + part

    for owner, producer in producers.items():
        self_consumed = min(producer.left_wh, consumption_left[owner])
        consumption_left[owner] -= self_consumed
        move(producer, owner, self_consumed, retired=True)

    shares = _delivered_shares(producers, trades)
    for trade in trades:
        seller, buyer = trade.seller.signed.order.account, trade.buyer.signed.order.account
        if not trade.carries_certificates or seller == buyer or seller not in producers:
            continue
        share = shares[trade.number]
        retired = 0
        if trade.buyer.signed.order.certificates == CertificatePreference.AUTO_RETIRE:
            retired = min(share, consumption_left[buyer])
            consumption_left[buyer] -= retired
        move(producers[seller], buyer, retired, retired=True)
        move(producers[seller], buyer, share - retired, retired=False)

    return _verified(
        issuances,
        readings,
        [
            Move(device=device, account=account, amount_wh=amount, retired=retired)
            for (device, account, retired), amount in moves.items()
        ],
    )


def _verified(issuances: Sequence[Issuance], readings: Sequence[MemberReading], moves: list[Move]) -> list[Move]:
    """The moves, if issued = generated, moved <= issued, and retired <= consumed."""
    issued, moved, retired = Counter[bytes](), Counter[int](), Counter[bytes]()
    for issuance in issuances:
        issued[issuance.owner] += issuance.amount_wh
    for move in moves:
        moved[move.device] += move.amount_wh
        retired[move.account] += move.amount_wh if move.retired else 0
    for reading in readings:
        where = f"0x{reading.account.hex()}"
        if issued[reading.account] != reading.generation_wh:
            raise BrokenAllocationError(
                f"{where} generated {reading.generation_wh} Wh: {issued[reading.account]} issued"
            )
        if retired[reading.account] > reading.consumption_wh:
            raise BrokenAllocationError(
                f"{where} consumed {reading.consumption_wh} Wh: {retired[reading.account]} retired"
            )
    for issuance in issuances:
        if moved[issuance.device] > issuance.amount_wh:
            raise BrokenAllocationError(
                f"device {issuance.device}: {moved[issuance.device]} Wh moved of {issuance.amount_wh}"
            )
    return moves


def _delivered_shares(producers: dict[bytes, _Producer], trades: Sequence[Trade]) -> dict[int, int]:
    """What each trade got of its seller's surplus, in Wh, by trade number."""
    by_seller: dict[bytes, list[Trade]] = {}
    for trade in trades:
        by_seller.setdefault(trade.seller.signed.order.account, []).append(trade)
    shares: dict[int, int] = {}
    for seller, sold in by_seller.items():
        surplus = producers[seller].left_wh if seller in producers else 0
        parts = pro_rata(surplus, [trade.quantity_wh for trade in sold])
        shares |= dict(zip((trade.number for trade in sold), parts, strict=True))
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
