"""Batteries that give what they never took, or say that it came from somewhere else."""

from random import Random

from tests.ledger.audit.campaign.kind import Kind
from tests.ledger.audit.changes import plus, with_fields
from tests.ledger.audit.edited import Arguments, EditedChain
from tests.ledger.audit.origins import BATTERY, CHARGER, PANELS


def without_charge(c: EditedChain, turn: int, _: Random) -> None:
    c.drop("Stored", turn)


def wrong_order(c: EditedChain, turn: int, random: Random) -> None:
    """What has an origin is said to be given back first, or more of it."""
    if turn == 0:
        c.edit("Discharged", sources=lambda sources: sources[::-1])
    else:
        more_uwh = random.randrange(1, 60_000_000)
        c.edit("Discharged", outputs_uwh=lambda uwh: [uwh[0] + more_uwh, uwh[1] - more_uwh])


def without_origin(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Discharged", certified_wh=plus(random.randrange(1, 60) + turn))


def too_efficient(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Stored", turn % 2, output_uwh=plus(random.randrange(1, 10_000_000)))


def other_efficiency(c: EditedChain, turn: int, random: Random) -> None:
    devices = [each["device"] for each in c.events("DeviceRegistered")]
    changed = with_fields(efficiency_ppm=random.randrange(1, 900_000))
    c.edit("DeviceRegistered", devices.index(BATTERY), details=changed)


def back_in_time(c: EditedChain, turn: int, _: Random) -> None:
    """The discharge is certified again, or before what charged it."""
    if turn == 0:
        c.repeat("Discharged")
    else:
        before = c.town.slots[0] // 300 - 3 * turn

        def moved(certificate: int) -> int:
            return certificate & ~((2**64 - 1) << 8) | before << 8

        c.edit("Discharged", id=moved)


def foreign_storage(c: EditedChain, turn: int, _: Random) -> None:
    c.edit("Stored", turn % 2, storage=(PANELS, CHARGER, 999)[turn % 3])


def foreign_charge(c: EditedChain, turn: int, random: Random) -> None:
    devices = [each["device"] for each in c.events("DeviceRegistered")]
    owner = random.randbytes(20)

    def changed(details: Arguments) -> Arguments:
        return {**details, "owner": owner} if turn else {**details, "slot_length_s": 1_800}

    c.edit("DeviceRegistered", devices.index(CHARGER), details=changed)


def metering_point_shared(c: EditedChain, turn: int, _: Random) -> None:
    """But for a storage and what charges it, which may have one."""
    points = [each["details"]["metering_point"] for each in c.events("DeviceRegistered")]
    one, other = ((1, 0), (2, 0), (3, 1), (5, 2))[turn]
    c.edit("DeviceRegistered", one, details=with_fields(metering_point=points[other]))


KINDS = (
    Kind("discharged without charge", 2, "lots.fifo", without_charge),
    Kind("lots out of order", 5, "lots.fifo", wrong_order),
    Kind("certified of no origin", 4, "lots.certified", without_origin),
    Kind("more given than the efficiency allows", 4, "lots.efficiency", too_efficient),
    Kind("another efficiency than is registered", 2, "lots.efficiency", other_efficiency),
    Kind("a storage's slots descend", 3, "lots.slots", back_in_time),
    Kind("stored in what is no storage", 2, "lots.storage", foreign_storage),
    Kind("charged by another's device", 2, "device.storage", foreign_charge),
    Kind("metering point used twice", 4, "device.metering_point", metering_point_shared),
)
