"""Certificates that should not have been issued, or not so: twice, too many, unasked, by nobody's right."""

from random import Random

from tests.contracts.devices import CONSUMPTION, GENERATION
from tests.ledger.audit.campaign.kind import (
    Kind,
    certified_in,
    device_of,
    is_issuance,
    is_issuance_of,
    numbers,
    people,
    pick,
)
from tests.ledger.audit.changes import Tampering, put, with_fields
from tests.ledger.audit.edited import Arguments, EditedChain
from tests.ledger.audit.origins import CHARGER, DAY_S, PANELS, ROOF, SHOP

BY_ISSUER = ("Certified", "DayCommitted", "Imported", "Reissued", "Anchored", "RequestDecided")


def issued_twice(c: EditedChain, turn: int, random: Random) -> None:
    c.repeat(
        "TransferSingle", pick(numbers(c, "TransferSingle", is_issuance), turn), _value=random.randrange(1, 900)
    )


def of_one(c: EditedChain, number: int, change: int) -> Tampering:
    """Change what a certification says that one of its devices was metered with."""
    device = device_of(c.events("TransferSingle")[number]["_id"])

    def changed(call: Arguments) -> None:
        for entry in (*call["issuances"], *call["consumptions"]):
            if entry["device"] == device:
                entry["amount_wh"] += change

    return lambda chain: chain.calldata("Certified", changed, certified_in(chain, number))


def more_than_metered(kind: int) -> object:
    """Both the call and the event say so."""

    def damage(c: EditedChain, turn: int, random: Random) -> None:
        places = [each for each in numbers(c, "TransferSingle", is_issuance_of(kind)) if is_certified(c, each)]
        # Of what charges storages, some may be another load's that is not recorded: see "What it cannot see".
        places = [each for each in places if device_of(c.events("TransferSingle")[each]["_id"]) != CHARGER]
        number, more_wh = pick(places, turn), random.randrange(1, 50) + turn
        of_one(c, number, more_wh)(c)
        c.edit("TransferSingle", number, _value=lambda wh: wh + more_wh)

    return damage


def is_certified(c: EditedChain, number: int) -> bool:
    """Whether a certification is the reason of an issuance that no debt was paid from."""
    issued = c.events("TransferSingle")[number]["_id"]
    owing = [(each["device"], each["slot"] // 300) for each in c.events("DebtPaid")]
    try:
        certified_in(c, number)
    except StopIteration:
        return False
    return (device_of(issued), issued >> 8 & 2**64 - 1) not in owing


def less_than_said(c: EditedChain, turn: int, random: Random) -> None:
    """Only the event says so."""
    places = [each for each in numbers(c, "TransferSingle", is_issuance_of(GENERATION)) if is_certified(c, each)]
    c.edit("TransferSingle", pick(places, turn), _value=lambda wh: wh - random.randrange(1, 90) - turn)


def above_nameplate(c: EditedChain, turn: int, random: Random) -> None:
    number = pick(numbers(c, "TransferSingle", is_issuance_of(GENERATION)), turn)
    c.edit("TransferSingle", number, _value=random.randrange(1_001, 10**6))


def without_ground(c: EditedChain, turn: int, random: Random) -> None:
    """In a transaction of somebody else's."""
    owner = c.town.member(3)
    certificate = GENERATION << 136 | ROOF << 72 | c.town.slots[3 + turn % 3] // 300 << 8
    after = ("ClaimSingle", -1 - turn % 2)
    c.insert(
        "certificates", "TransferSingle", after, _operator=owner, _from=bytes(20), _to=owner, _id=certificate,
        _value=random.randrange(1, 1_000),
    )  # fmt: skip


def foreign_issuer(name: str) -> object:
    def damage(c: EditedChain, turn: int, _: Random) -> None:
        c.call_of(name, turn % len(c.events(name)), sender=pick(people(c), turn))

    return damage


def unasked(c: EditedChain, turn: int, _: Random) -> None:
    if turn == 0:
        c.edit("RequestDecided", approved=False)
    elif turn == 1:
        c.edit("Requested", last_slot=lambda slot: slot - 900)
    elif turn == 2:
        c.edit("Requested", first_slot=lambda slot: slot + 900)
    else:
        c.calldata("TransferBatch", put("request", turn), is_issuance)


def before_commissioning(c: EditedChain, turn: int, random: Random) -> None:
    devices = [each["device"] for each in c.events("DeviceRegistered")]
    late = with_fields(commissioned_day=c.town.day + random.randrange(1, 1_000))
    c.edit("DeviceRegistered", devices.index(pick((PANELS, ROOF, SHOP), turn)), details=late)


def after_closing(c: EditedChain, turn: int, _: Random) -> None:
    device, day = pick((PANELS, ROOF, SHOP), turn), c.town.day - turn // 3
    c.insert("devices", "DeviceClosed", ("KeyRotated", 0), device=device, day=day)


def no_root(c: EditedChain, turn: int, random: Random) -> None:
    def damaged(call: Arguments) -> None:
        if turn % 3 == 0:
            call["path"][0] = random.randbytes(32)
        elif turn % 3 == 1:
            call["amounts"][random.randrange(6, 96)] += random.randrange(1, 900)
        else:
            call["index"] = random.randrange(1, 100)

    if turn == 0:
        c.drop("DayCommitted")
    elif turn == 1:
        c.edit("DayCommitted", root=random.randbytes(32))
    else:
        c.calldata("TransferBatch", damaged, -1)


def above_total(c: EditedChain, _: int, random: Random) -> None:
    c.edit("DayCommitted", total_wh=random.randrange(1, 850))


def of_another_market(c: EditedChain, _: int, random: Random) -> None:
    c.edit("AreaAdded", 0, market=random.randbytes(32))


def too_early(c: EditedChain, turn: int, random: Random) -> None:
    """The block that issues is older than the slot's end."""
    number = pick(numbers(c, "TransferSingle", is_issuance_of(GENERATION)), turn)
    c.shift("TransferSingle", -random.randrange(20, 300) * DAY_S, number)


KINDS = (
    Kind("issued twice", 10, "certificate.once", issued_twice),
    Kind("more certified than was generated", 6, "certify.generation", more_than_metered(GENERATION)),
    Kind("more recorded than was consumed", 6, "certify.consumption", more_than_metered(CONSUMPTION)),
    Kind("less issued than was certified", 4, "certify.issued", less_than_said),
    Kind("more than the nameplate", 6, "certificate.nameplate", above_nameplate),
    Kind("issued for no reason", 6, "certificate.ground", without_ground),
    Kind("a foreign issuer certifies", 4, "certify.issuer", foreign_issuer("Certified")),
    Kind("a foreign issuer imports", 3, "import.issuer", foreign_issuer("Imported")),
    Kind("a foreign issuer re-issues", 3, "correct.issuer", foreign_issuer("Reissued")),
    Kind("a foreign issuer commits to a day", 3, "day.issuer", foreign_issuer("DayCommitted")),
    Kind("issued without an approved request", 4, "issue.request", unasked),
    Kind("certified of before the commissioning", 4, "certificate.period", before_commissioning),
    Kind("certified of after the closing", 4, "certificate.period", after_closing),
    Kind("minted against no root", 8, "mint.root", no_root),
    Kind("minted more than committed", 3, "mint.total", above_total),
    Kind("certified for another market", 2, "certificate.market", of_another_market),
    Kind("certified before the slot's end", 3, "certificate.slot", too_early),
)
