"""Cuts a slot's allocation into parts, each of which one certification can carry.

Nearly always there is one part. A slot with more devices than that is certified in several transactions, none of
which needs more gas than a block has, or is longer than the 128 KiB that nodes pass on. The contract only gives
away what it issues in the same call, so an issuance's moves and matches stay with it. Consumption belongs to one
part, the one that covers most of it: from then on its owner may claim the rest of it, before the next part comes.
What charges a storage goes on chain with all of its lots at once, and the rest of it as a lot without origin; not
before its storage's discharge, which must not take the lots of the same slot.

What a part has no room for, and what would have to be matched with consumption in another part, is not matched:
the buyer gets to hold those certificates, and may still retire them itself, while the owner's own stay with it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.allocation.model import Allocation, Consumption, Issuance, Match, Move, by_device, verified
from ledger.devices import DeviceKind

MAX_ISSUANCES = 128
MAX_CONSUMPTIONS = 128
MAX_MOVES = 256
MAX_MATCHES = 256
"""Most of each in one certification; as in `contracts/issuance.vy`."""

PART_GAS = 25_000_000
"""Gas that one certification may need, by the figures below: a block's usual 30 million less some room."""

GAS = {
    DeviceKind.GENERATOR: 32_000,
    DeviceKind.STORAGE: 70_000,
    DeviceKind.LOAD: 32_000,
    DeviceKind.CHARGE: 92_000,
}
"""Gas to put what a device metered on chain, measured and rounded up; below, to match with it, and to move."""

LOT_GAS = 5_300
"""Besides, for each lot that a discharge takes from."""

MATCH_GAS = {DeviceKind.LOAD: 42_000, DeviceKind.CHARGE: 92_000}
MOVE_GAS = 32_000

Pair = tuple[int, int]
Arguments = tuple[list[Pair], list[Pair], list[tuple[int, bytes, int]], list[tuple[int, int, int]]]
"""Issuances, consumptions, moves and matches as the contract's `certify` takes them."""


@dataclass(frozen=True, slots=True)
class SlotPart:
    """What one certification carries, everything in ascending order of its devices.

    Attributes:
        issuances: issued by it.
        consumptions: what its matches refer to, and what has to be on chain without any match.
        moves: of its issuances, to buyers.
        matches: of its issuances, with its consumptions.
    """

    issuances: tuple[Issuance, ...]
    consumptions: tuple[Consumption, ...]
    moves: tuple[Move, ...]
    matches: tuple[Match, ...]

    def arguments(self) -> Arguments:
        """The last four arguments of the contract's `certify`, in which places in the lists stand for devices."""
        place = {issuance.device: number for number, issuance in enumerate(self.issuances)}
        place_of_consumption = {each.device: number for number, each in enumerate(self.consumptions)}
        return (
            [(each.device, each.amount_wh) for each in self.issuances],
            [(each.device, each.amount_wh) for each in self.consumptions],
            [(place[move.device], move.account, move.amount_wh) for move in self.moves],
            [
                (place[match.device], place_of_consumption[match.consumption], match.amount_wh)
                for match in self.matches
            ],
        )


def parts_of(
    issuances: Sequence[Issuance], consumptions: Sequence[Consumption], allocation: Allocation
) -> list[SlotPart]:
    """The certifications that carry an allocation, in the order in which they have to be made.

    Raises:
        InvalidMeteringError: a device is named twice.
        BrokenAllocationError: the parts broke an invariant.
    """
    given, taken = by_device(issuances), by_device(consumptions)
    moves: dict[int, list[Move]] = {device: [] for device in given}
    matches: dict[int, list[Match]] = {device: [] for device in given}
    for move in allocation.moves:
        moves[move.device].append(move)
    for match in allocation.matches:
        matches[match.device].append(match)
    cut = _Cut(taken)
    # Discharges first, so that what charges the same storages comes after them; then members, so that what one
    # covers behind its meter is in one part.
    for issuance in sorted(
        issuances, key=lambda each: (each.kind is not DeviceKind.STORAGE, each.owner, each.device)
    ):
        cut.issue(issuance, moves[issuance.device], matches[issuance.device])
    cut.give_away()
    cut.add_unmatched()
    parts = cut.parts()
    placed = Allocation(
        moves=tuple(move for part in parts for move in part.moves),
        matches=tuple(match for part in parts for match in part.matches),
    )
    verified(placed, given, taken)
    return parts


@dataclass
class _Draft:
    """A part that is being filled: what is wanted of it, and what has a place in it, by its two parties."""

    issuances: list[Issuance] = field(default_factory=list)
    wanted_moves: list[Move] = field(default_factory=list)
    wanted_matches: list[Match] = field(default_factory=list)
    wanted_consumptions: set[int] = field(default_factory=set)
    wanted_gas: int = 0
    consumptions: dict[int, Consumption] = field(default_factory=dict)
    moves: dict[tuple[int, bytes], int] = field(default_factory=dict)
    matches: dict[tuple[int, int], int] = field(default_factory=dict)
    gas: int = 0

    def has_room(self, moves: Sequence[Move], matches: Sequence[Match], gas: int) -> bool:
        wanted = self.wanted_consumptions | {match.consumption for match in matches}
        return (
            self.wanted_gas + gas <= PART_GAS
            and len(self.issuances) < MAX_ISSUANCES
            and len(wanted) <= MAX_CONSUMPTIONS
            and len(self.wanted_moves) + len(moves) <= MAX_MOVES
            and len(self.wanted_matches) + len(matches) <= MAX_MATCHES
        )

    def move(self, device: int, account: bytes, amount_wh: int) -> None:
        """Note a move; without room for it, the certificates stay where they are."""
        if (device, account) in self.moves:
            self.moves[device, account] += amount_wh
        elif len(self.moves) < MAX_MOVES and self.gas + MOVE_GAS <= PART_GAS:
            self.moves[device, account] = amount_wh
            self.gas += MOVE_GAS


class _Cut:
    """The parts of a slot: first what each issues, then what of that each gives away."""

    def __init__(self, taken: dict[int, Consumption]) -> None:
        self._taken = taken
        self._drafts: list[_Draft] = []
        # By issuing device.
        self._owner_of: dict[int, bytes] = {}
        self._part_of: dict[int, int] = {}

    def issue(self, issuance: Issuance, moves: Sequence[Move], matches: Sequence[Match]) -> None:
        """Put an issuance into the last part, or into a new one if that has no room for all of it."""
        sinks = {match.consumption: self._taken[match.consumption].kind for match in matches}
        issue_gas = GAS[issuance.kind] + LOT_GAS * issuance.lots
        gas = issue_gas + MOVE_GAS * len(moves) + sum(MATCH_GAS[kind] for kind in sinks.values())

        def gas_in(draft: _Draft) -> int:
            new = sinks.keys() - draft.wanted_consumptions
            return gas + sum(GAS[sinks[device]] for device in new)

        if not self._drafts or not self._drafts[-1].has_room(moves, matches, gas_in(self._drafts[-1])):
            self._drafts.append(_Draft())
        draft = self._drafts[-1]
        draft.wanted_gas += gas_in(draft)
        draft.gas += issue_gas
        draft.issuances.append(issuance)
        draft.wanted_moves += moves
        draft.wanted_matches += matches
        draft.wanted_consumptions |= sinks.keys()
        self._owner_of[issuance.device] = issuance.owner
        self._part_of[issuance.device] = len(self._drafts) - 1

    def give_away(self) -> None:
        """Move and match what is issued, once it is known in which part each device issues."""
        covering = self._covering_parts()
        for number, draft in enumerate(self._drafts):
            for move in draft.wanted_moves:
                draft.move(move.device, move.account, move.amount_wh)
            for match in draft.wanted_matches:
                consumption = self._taken[match.consumption]
                gas = MATCH_GAS[consumption.kind]
                is_here = covering.get(consumption.device) == number
                if is_here and len(draft.matches) < MAX_MATCHES and self._has_place(consumption, number, gas):
                    self._place(consumption, number)
                    draft.gas += gas
                    draft.matches[match.device, match.consumption] = match.amount_wh
                elif consumption.owner != self._owner_of[match.device]:
                    draft.move(match.device, consumption.owner, match.amount_wh)

    def add_unmatched(self) -> None:
        """Put on chain what has to be there without any match: what charges storages, and what pays a debt."""
        placed = {device for draft in self._drafts for device in draft.consumptions}
        for consumption in sorted(self._taken.values(), key=lambda each: each.device):
            pays_debt = consumption.certified_wh < consumption.amount_wh
            if consumption.device in placed or (consumption.kind is DeviceKind.LOAD and not pays_debt):
                continue
            places = (number for number in range(len(self._drafts)) if self._has_place(consumption, number))
            number = next(places, len(self._drafts))
            if number == len(self._drafts):
                self._drafts.append(_Draft())
            self._place(consumption, number)

    def parts(self) -> list[SlotPart]:
        """The finished parts."""
        return [
            SlotPart(
                issuances=tuple(sorted(draft.issuances, key=lambda each: each.device)),
                consumptions=tuple(draft.consumptions[device] for device in sorted(draft.consumptions)),
                moves=tuple(Move(device, account, wh) for (device, account), wh in sorted(draft.moves.items())),
                matches=tuple(Match(device, taker, wh) for (device, taker), wh in sorted(draft.matches.items())),
            )
            for draft in self._drafts
        ]

    def _covering_parts(self) -> dict[int, int]:
        """By consumption, the part that covers most of it, the earlier among equals, of those it may be in."""
        covered: dict[int, Counter[int]] = {}
        for number, draft in enumerate(self._drafts):
            for match in draft.wanted_matches:
                if self._may_be_in(self._taken[match.consumption], number):
                    covered.setdefault(match.consumption, Counter())[number] += match.amount_wh
        return {device: by_part.most_common(1)[0][0] for device, by_part in covered.items()}

    def _may_be_in(self, consumption: Consumption, number: int) -> bool:
        """Whether it may be put on chain by a part; if its storage gives nothing in the slot, by any."""
        is_load = consumption.kind is DeviceKind.LOAD
        return is_load or self._part_of.get(consumption.storage, number) <= number

    def _has_place(self, consumption: Consumption, number: int, gas: int = 0) -> bool:
        """Whether a part may refer to this consumption, and spend so much gas besides."""
        draft = self._drafts[number]
        if consumption.device not in draft.consumptions:
            if len(draft.consumptions) == MAX_CONSUMPTIONS:
                return False
            gas += GAS[consumption.kind]
        return draft.gas + gas <= PART_GAS and self._may_be_in(consumption, number)

    def _place(self, consumption: Consumption, number: int) -> None:
        draft = self._drafts[number]
        if consumption.device not in draft.consumptions:
            draft.consumptions[consumption.device] = consumption
            draft.gas += GAS[consumption.kind]
