"""Evidence that was forged, used again, signed with the wrong key, or anchored as something else."""

from dataclasses import replace
from random import Random

from ledger.evidence.evidence import Evidence
from ledger.evidence.tree import DayTree
from tests.ledger.audit.campaign.kind import Kind, numbers, pick
from tests.ledger.audit.changes import plus, with_fields
from tests.ledger.audit.edited import EditedChain
from tests.ledger.audit.origins import BATTERY, HOME, KITCHEN, METERED, PANELS, ROOF, SHOP, evidence_of


def bent_signature(c: EditedChain, turn: int, random: Random) -> None:
    place = turn % len(c.evidence)
    signed = c.evidence[place].statements[0]
    signature = bytearray(signed.signature)
    signature[random.randrange(64)] ^= 1 << random.randrange(8)
    c.evidence[place] = replace(c.evidence[place], statements=(replace(signed, signature=bytes(signature)),))


def bent_message(c: EditedChain, turn: int, random: Random) -> None:
    """The evidence, or what was signed, says something else."""
    place = turn % len(c.evidence)
    piece = c.evidence[place]
    if turn % 2:
        c.evidence[place] = replace(piece, energy_wh=piece.energy_wh + random.randrange(1, 100))
        return
    signed = piece.statements[0]
    message = bytearray(signed.message)
    message[random.randrange(len(message))] ^= 1 << random.randrange(8)
    c.evidence[place] = replace(piece, statements=(replace(signed, message=bytes(message)),))


def used_again(c: EditedChain, turn: int, _: Random) -> None:
    """For another device, or twice for the same slot."""
    piece = c.evidence[turn % len(c.evidence)]
    device = (HOME, SHOP, KITCHEN, BATTERY, piece.device)[turn % 5]
    c.evidence.append(replace(piece, device=device))


def no_valid_key(c: EditedChain, turn: int, _: Random) -> None:
    """The key was given up before the slot."""
    device, place = ((PANELS, 4), (ROOF, 1), (ROOF, 3), (ROOF, 5))[turn]
    none = {"algorithm": 0, "key": bytes(32), "from_slot": c.town.slots[place]}
    c.insert("devices", "KeyRotated", ("KeyRotated", 0), device=device, key=none)


def another_key(c: EditedChain, turn: int, random: Random) -> None:
    """The meter's key is another one than that which signed."""
    devices = [each["device"] for each in c.events("DeviceRegistered")]
    key = random.randbytes(32)
    if turn == 0:
        c.edit("KeyRotated", key=with_fields(key=key))
        return
    number = devices.index((PANELS, ROOF)[turn % 2])
    details = c.events("DeviceRegistered")[number]["details"]
    c.edit("DeviceRegistered", number, details=with_fields(key={**details["key"], "key": key}))


def other_leaves(c: EditedChain, turn: int, random: Random) -> None:
    """The last anchors are the ones that count."""
    c.edit("Anchored", -1 - turn % 2, root=random.randbytes(32))


def other_count(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Anchored", -1 - turn % 2, leaves=plus(random.randrange(1, 90)))


def evidence_withheld(c: EditedChain, turn: int, _: Random) -> None:
    del c.evidence[turn % len(c.evidence)]


def other_amount(c: EditedChain, turn: int, random: Random) -> None:
    """A meter signs, and the issuer anchors, other amounts than were certified."""
    place = (0, 4)[turn % 2]
    metered = {slot: METERED[each].get(PANELS, 0) for each, slot in enumerate(c.town.slots)}
    metered[c.town.slots[place]] -= random.randrange(1, 300)
    corrected = {c.town.slots[3]: 200, c.town.slots[5]: 150}
    pieces = evidence_of(c.town, PANELS, metered, corrected)
    c.evidence = [*pieces, *(each for each in c.evidence if each.device != PANELS)]
    anchored = numbers(c, "Anchored", lambda each: each["device"] == PANELS)[-1]
    c.edit("Anchored", anchored, root=DayTree(PANELS, c.town.day, pieces).root)


def substitute_by_nobody(c: EditedChain, turn: int, random: Random) -> None:
    """A substitute value that its authority never signed."""
    places = [place for place, each in enumerate(c.evidence) if is_substitute(each)]
    place = pick(places, turn)
    signed = c.evidence[place].statements[0]
    c.evidence[place] = replace(c.evidence[place], statements=(replace(signed, signature=random.randbytes(64)),))


def is_substitute(piece: Evidence) -> bool:
    return piece.quality.value == 1


def key_backwards(c: EditedChain, turn: int, _: Random) -> None:
    c.edit("KeyRotated", device=(ROOF, PANELS)[turn], key=with_fields(from_slot=0))


def uncounted_correction(c: EditedChain, turn: int, random: Random) -> None:
    c.edit("Anchored", turn % 4, revision=random.randrange(2, 100))


KINDS = (
    Kind("forged signature", 6, "evidence.signature", bent_signature),
    Kind("evidence says something else than was signed", 6, "evidence.reading", bent_message),
    Kind("evidence used again", 5, "evidence.once", used_again),
    Kind("key not valid", 4, "evidence.key", no_valid_key),
    Kind("signed with another key", 3, "evidence.signature", another_key),
    Kind("anchored root of other leaves", 3, "evidence.root", other_leaves),
    Kind("anchored with another count", 3, "evidence.leaves", other_count),
    Kind("evidence withheld", 4, "evidence.leaves", evidence_withheld),
    Kind("certified otherwise than the evidence shows", 4, "evidence.amount", other_amount),
    Kind("substitute value that nobody signed", 2, "evidence.signature", substitute_by_nobody),
    Kind("key that goes back in time", 2, "key.ascending", key_backwards),
    Kind("correction of an anchor not counted", 3, "anchor.revision", uncounted_correction),
)
