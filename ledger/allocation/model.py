"""What an allocation is made of: what a slot's devices gave and took, and where the certificates go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ledger.devices import DeviceKind
from matching.errors import WattbookError


class BrokenAllocationError(WattbookError):
    """An allocation broke an invariant: a defect of this package, never of the slot's data."""

    code = "certificates.broken_allocation"


class InvalidMeteringError(WattbookError):
    """What a slot's devices are said to have given or taken is contradictory."""

    code = "certificates.metering"


@dataclass(frozen=True, slots=True)
class Issuance:
    """What one device gave in a slot.

    Attributes:
        device: its number.
        owner: the member it belongs to.
        kind: GENERATOR or STORAGE.
        area: where it is; certificates are matched with consumption of the same area only.
        amount_wh: what its meter counted, Wh, above zero.
        certified_wh: what of it certificates are issued for: of a storage what its lots give, of a device that
            owes for earlier certificates that were corrected what is left, else the same.
        lots: how many lots a storage's discharge takes from; none of a generator.
    """

    device: int
    owner: bytes
    kind: DeviceKind
    area: int
    amount_wh: int
    certified_wh: int
    lots: int = 0

    def __post_init__(self) -> None:
        """Check the kind and the amounts."""
        where = f"issuance of device {self.device}"
        if self.kind not in (DeviceKind.GENERATOR, DeviceKind.STORAGE):
            raise InvalidMeteringError(f"{where}: kind is {self.kind!r}: must be GENERATOR or STORAGE")
        _check_amounts(where, self.amount_wh, self.certified_wh)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What one device took in a slot.

    Attributes:
        device: its number.
        owner: the member it belongs to.
        kind: LOAD or CHARGE.
        area: where it is.
        amount_wh: what its meter counted, Wh, above zero.
        certified_wh: what of it certificates may be matched with: less than metered if the device owes for earlier
            consumption that was corrected.
        storage: of a CHARGE, the number of the STORAGE that it charges; else 0.
    """

    device: int
    owner: bytes
    kind: DeviceKind
    area: int
    amount_wh: int
    certified_wh: int
    storage: int = 0

    def __post_init__(self) -> None:
        """Check the kind and the amounts."""
        where = f"consumption of device {self.device}"
        if self.kind not in (DeviceKind.LOAD, DeviceKind.CHARGE):
            raise InvalidMeteringError(f"{where}: kind is {self.kind!r}: must be LOAD or CHARGE")
        _check_amounts(where, self.amount_wh, self.certified_wh)


Metered = TypeVar("Metered", Issuance, Consumption)


@dataclass(frozen=True, slots=True)
class Move:
    """Certificates of one device that go from its owner to `account`, which then holds them."""

    device: int
    account: bytes
    amount_wh: int


@dataclass(frozen=True, slots=True)
class Match:
    """Certificates of one device that are retired against what the device `consumption` took, for its owner.

    If that device charges a storage, they become a lot of it instead.
    """

    device: int
    consumption: int
    amount_wh: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where a slot's certificates go; what is in neither list stays with the device's owner."""

    moves: tuple[Move, ...] = ()
    matches: tuple[Match, ...] = ()


def verified(
    allocation: Allocation, issuances: Mapping[int, Issuance], consumptions: Mapping[int, Consumption]
) -> Allocation:
    """The allocation, if nothing is given away twice and nobody's consumption is covered twice.

    Raises:
        BrokenAllocationError: it breaks an invariant.
    """
    given, covered = Counter[int](), Counter[int]()
    for move in allocation.moves:
        _require(move.amount_wh > 0, f"device {move.device}: {move.amount_wh} Wh moved")
        _require(move.account != issuances[move.device].owner, f"device {move.device}: moved to its owner")
        given[move.device] += move.amount_wh
    for match in allocation.matches:
        issuance, consumption = issuances[match.device], consumptions[match.consumption]
        where = f"device {match.device} matched with {match.consumption}"
        _require(match.amount_wh > 0, f"{where}: {match.amount_wh} Wh")
        _require(issuance.area == consumption.area, f"{where}: areas {issuance.area} and {consumption.area}")
        given[match.device] += match.amount_wh
        covered[match.consumption] += match.amount_wh
    for device, amount_wh in given.items():
        certified_wh = issuances[device].certified_wh
        _require(amount_wh <= certified_wh, f"device {device}: {amount_wh} Wh given of {certified_wh}")
    for device, amount_wh in covered.items():
        certified_wh = consumptions[device].certified_wh
        _require(amount_wh <= certified_wh, f"device {device}: {amount_wh} Wh covered of {certified_wh}")
    return allocation


def by_device(metered: Sequence[Metered]) -> dict[int, Metered]:
    """The entries by device.

    Raises:
        InvalidMeteringError: a device has two.
    """
    found = {entry.device: entry for entry in metered}
    if len(found) < len(metered):
        twice = min(device for device, count in Counter(entry.device for entry in metered).items() if count > 1)
        raise InvalidMeteringError(f"device {twice} has two entries of a slot: at most one")
    return found


def _check_amounts(where: str, amount_wh: int, certified_wh: int) -> None:
    if amount_wh <= 0:
        raise InvalidMeteringError(f"{where}: amount_wh is {amount_wh}: must be above 0")
    if not 0 <= certified_wh <= amount_wh:
        raise InvalidMeteringError(
            f"{where}: certified_wh is {certified_wh}: must be 0 to {amount_wh}, what was metered"
        )


def _require(holds: bool, broken: str) -> None:
    if not holds:
        raise BrokenAllocationError(broken)
