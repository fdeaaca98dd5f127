"""A day's certificates under one root: what many devices generated, committed to in one word, and proved later.

Instead of issuing every slot of every device, the issuer may commit to a market's whole day: a leaf for each
device with the amounts of all its slots. Anybody can then have slots issued, to their device's owner, by showing
the leaf and its way to the root. The tree is that of `ledger.merkle`, and `contracts/certificates.vy` computes the
same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger import merkle
from ledger.certificates.ids import MAX_DEVICE
from matching.errors import WattbookError

DAY_S = 86_400

SLOT_LENGTHS_S = (900, 1_800, 3_600)
"""A leaf has room for the 96 slots of a day of quarter hours; days of 5-minute slots are issued slot by slot."""

_COUNTS = tuple(DAY_S // length for length in SLOT_LENGTHS_S)

MAX_AMOUNT_WH = 2**31 - 1
"""Most Wh of one certificate."""


class DayError(WattbookError):
    """A day's certificates cannot be committed to, or proved, as they are."""

    code = "certificates.day"


@dataclass(frozen=True, slots=True)
class Proof:
    """What it takes to have a device's slots issued: its leaf's place, and the hashes from it to the root."""

    device: int
    amounts_wh: tuple[int, ...]
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Day:
    """One market's day.

    Attributes:
        day: counted from the Unix epoch, UTC.
        amounts_wh: for each device, what it generated in each slot of the day, in order.

    Raises:
        DayError: there is no device, or a device's amounts are not a day's.
    """

    day: int
    amounts_wh: Mapping[int, Sequence[int]]

    def __post_init__(self) -> None:
        """Check the limits."""
        if not self.amounts_wh:
            raise DayError(f"day {self.day} has no device: must have at least one")
        for device, amounts in self.amounts_wh.items():
            _check(device, amounts)

    @cached_property
    def devices(self) -> tuple[int, ...]:
        """The devices in the order of their leaves: by number."""
        return tuple(sorted(self.amounts_wh))

    @cached_property
    def _leaves(self) -> list[bytes]:
        return [leaf(device, self.day, self.amounts_wh[device]) for device in self.devices]

    @cached_property
    def root(self) -> bytes:
        """The tree's root."""
        return merkle.root(self._leaves)

    @property
    def leaves(self) -> int:
        """How many leaves the tree has."""
        return len(self.devices)

    @cached_property
    def total_wh(self) -> int:
        """What all devices generated together, Wh."""
        return sum(sum(amounts) for amounts in self.amounts_wh.values())

    def proof(self, device: int) -> Proof:
        """What shows that a device's amounts are the day's.

        Raises:
            DayError: the day has no such device.
        """
        if device not in self.amounts_wh:
            raise DayError(f"day {self.day} has no device {device}")
        index = self.devices.index(device)
        path = merkle.path(self._leaves, index)
        return Proof(device, tuple(self.amounts_wh[device]), index, tuple(path))


def leaf(device: int, day: int, amounts_wh: Sequence[int]) -> bytes:
    """What stands for one device's day in the tree."""
    return keccak(encode(["uint64", "uint256", "uint256[]"], [device, day, list(amounts_wh)]))


def proves(proof: Proof, *, day: int, root: bytes, leaves: int) -> bool:
    """Whether these are the amounts of a device in the day with this root."""
    here = leaf(proof.device, day, proof.amounts_wh)
    return merkle.root_by_path(here, proof.index, leaves, proof.path) == root


def _check(device: int, amounts_wh: Sequence[int]) -> None:
    where = f"day field 'amounts_wh' of device {device}"
    if not 0 <= device <= MAX_DEVICE:
        raise DayError(f"{where}: the device's number must be from 0 to {MAX_DEVICE}")
    if len(amounts_wh) not in _COUNTS:
        counts = ", ".join(str(count) for count in _COUNTS)
        raise DayError(f"{where} has {len(amounts_wh)} slots: must be one of {counts}")
    for place, amount in enumerate(amounts_wh):
        if not 0 <= amount <= MAX_AMOUNT_WH:
            raise DayError(f"{where} is {amount} at place {place}: must be from 0 to {MAX_AMOUNT_WH}")
