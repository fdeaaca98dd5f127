"""Certificates that were moved, matched or claimed as they should not have been."""

from collections.abc import Callable
from random import Random

from eth_abi.abi import encode

from ledger.chain import ZERO_ADDRESS
from tests.contracts.devices import CONSUMPTION, EXPORTED, MATCHED, RETIRED, SELF_CONSUMED, token_id
from tests.ledger.audit.campaign.kind import (
    Kind,
    certified_in,
    is_burnt_consumption,
    is_issuance_of,
    is_transfer,
    numbers,
    people,
    pick,
)
from tests.ledger.audit.edited import Arguments, EditedChain
from tests.ledger.audit.origins import DAY_S, HOME, KITCHEN, NO_MARKET, SHOP, ZONE


def moved_too_much(c: EditedChain, turn: int, random: Random) -> None:
    places = numbers(c, "TransferSingle", is_transfer)
    c.edit("TransferSingle", pick(places, turn), _value=random.randrange(1_000, 10**6))


def retired_too_much(c: EditedChain, turn: int, random: Random) -> None:
    """Burnt and claimed alike."""
    amount_wh = random.randrange(1_000, 10**6)
    number = pick(numbers(c, "ClaimSingle", lambda each: each["topic"] in (RETIRED, EXPORTED)), turn)
    claimed = c.events("ClaimSingle")[number]
    burnt = c.number_in_call_of("TransferSingle", "ClaimSingle", number)
    c.edit("ClaimSingle", number, value=amount_wh)
    c.edit("TransferSingle", burnt, _value=amount_wh)
    if claimed["topic"] == EXPORTED:
        c.edit("Exported", c.number_in_call_of("Exported", "ClaimSingle", number), amounts=[amount_wh])


def wrong_slot(c: EditedChain, turn: int, _: Random) -> None:
    number = pick(numbers(c, "ClaimSingle", lambda each: each["topic"] == MATCHED), turn)
    certificate = c.events("ClaimSingle")[number]["id"]
    others = [
        token_id(device, slot, kind=CONSUMPTION)
        for device in (SHOP, HOME, KITCHEN)
        for slot in c.town.slots
        if slot // 300 != certificate >> 8 & 2**64 - 1
    ]
    c.edit("ClaimSingle", number, claimData=encode(["uint256"], [pick(others, turn)]))


def wrong_zone(c: EditedChain, turn: int, _: Random) -> None:
    """An import from elsewhere was retired against consumption here."""
    zone = pick(("10YAT-APG------L", "10YIT-GRTN-----B", "10YCZ-CEPS-----N", "10YPL-AREA-----S"), turn)
    area = numbers(c, "AreaAdded", lambda each: each["market"] == NO_MARKET and each["zone"] == ZONE)[0]
    c.edit("AreaAdded", area, zone=zone)


def strangers_consumption(c: EditedChain, turn: int, _: Random) -> None:
    """What another consumed is said to be self-consumed."""
    c.edit(
        "ClaimSingle",
        pick(numbers(c, "ClaimSingle", lambda each: each["topic"] == MATCHED), turn),
        topic=SELF_CONSUMED,
    )


def stolen_claim(c: EditedChain, turn: int, _: Random) -> None:
    places = numbers(c, "ClaimSingle", lambda each: each["topic"] in (MATCHED, SELF_CONSUMED))
    c.edit("ClaimSingle", pick(places, turn), claimSubject=pick(people(c), turn))


def claimed_twice(c: EditedChain, turn: int, _: Random) -> None:
    c.repeat("ClaimSingle", turn % len(c.events("ClaimSingle")))


def never_claimed(c: EditedChain, turn: int, _: Random) -> None:
    c.drop("ClaimSingle", turn % len(c.events("ClaimSingle")))


def unreadable_claim(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("ClaimSingle", turn % len(c.events("ClaimSingle")), claimData=random.randbytes(random.randrange(31)))


def less_consumed(c: EditedChain, turn: int, random: Random) -> None:
    """Less consumption was recorded than was claimed against it."""
    places = numbers(c, "TransferSingle", is_issuance_of(CONSUMPTION))
    matched = [each for each in places if c.events("TransferSingle")[each]["_id"] >> 72 & 255 in (HOME, KITCHEN)]
    c.edit("TransferSingle", pick(matched, turn), _value=random.randrange(1, 40))


def consumption_moved(c: EditedChain, turn: int, _: Random) -> None:
    places = numbers(c, "TransferSingle", is_burnt_consumption)
    c.edit("TransferSingle", pick(places, turn), _to=pick(people(c), turn))


def handed_by(c: EditedChain) -> Callable[[Arguments], bool]:
    """What a certification, and no correction, moved to buyers."""
    issuance = c.world.contracts.issuance.address
    return lambda each: (
        each["_operator"] == issuance
        and ZERO_ADDRESS not in (each["_from"], each["_to"])
        and not each["_id"] & 255
    )


def bent_allocation(c: EditedChain, turn: int, _: Random) -> None:
    """Call and event agree: somebody else got what a buyer was to get."""
    moves = numbers(c, "TransferSingle", handed_by(c))
    number, account = pick(moves, turn), pick(people(c), turn // 2)

    def bent(call: Arguments) -> None:
        call["moves"][0]["account"] = account

    c.calldata("Certified", bent, certified_in(c, number))
    c.edit("TransferSingle", number, _to=account)


def kept_back(c: EditedChain, turn: int, random: Random) -> None:
    """Call and event agree: a buyer got less than its share."""
    moves = numbers(c, "TransferSingle", handed_by(c))
    number, less_wh = pick(moves, turn), random.randrange(1, 30)

    def bent(call: Arguments) -> None:
        call["moves"][0]["amount_wh"] -= less_wh

    c.calldata("Certified", bent, certified_in(c, number))
    c.edit("TransferSingle", number, _value=lambda wh: wh - less_wh)


def stolen(c: EditedChain, turn: int, _: Random) -> None:
    places = numbers(c, "TransferSingle", is_transfer)
    c.edit("TransferSingle", pick(places, turn), _operator=pick(people(c), turn))


def after_expiry(c: EditedChain, turn: int, random: Random) -> None:
    places = numbers(c, "TransferSingle", is_transfer)
    c.shift("TransferSingle", random.randrange(366, 4_000) * DAY_S, pick(places, turn))


def exported_twice(c: EditedChain, turn: int, random: Random) -> None:
    if turn == 0:
        c.edit("Exported", 1, serial="X-1")
    else:
        c.edit("Exported", 0, serial="X-2")


def exported_unretired(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Exported", turn % 2, amounts=[random.randrange(16, 10**6)])


KINDS = (
    Kind("transferred more than was held", 5, "certificate.negative", moved_too_much),
    Kind("retired more than was held", 6, "certificate.negative", retired_too_much),
    Kind("claimed against consumption of another slot", 6, "claim.slot", wrong_slot),
    Kind("claimed against consumption in another zone", 4, "claim.zone", wrong_zone),
    Kind("self-consumption of a stranger", 4, "claim.self", strangers_consumption),
    Kind("claimed for somebody else", 4, "claim.subject", stolen_claim),
    Kind("claimed twice", 4, "claim.burnt", claimed_twice),
    Kind("retired and never claimed", 4, "claim.burnt", never_claimed),
    Kind("claimed for nothing that can be read", 3, "claim.data", unreadable_claim),
    Kind("more claimed than was consumed", 4, "claim.consumption", less_consumed),
    Kind("consumption transferred", 3, "certificate.consumption", consumption_moved),
    Kind("allocation bent to somebody else", 6, "certify.allocation", bent_allocation),
    Kind("buyer's share kept back", 3, "certify.allocation", kept_back),
    Kind("moved by a stranger", 4, "certificate.mover", stolen),
    Kind("moved after its expiry", 4, "certificate.expired", after_expiry),
    Kind("exported twice to one serial number", 2, "export.serial", exported_twice),
    Kind("exported more than was retired", 3, "export.claims", exported_unretired),
)
