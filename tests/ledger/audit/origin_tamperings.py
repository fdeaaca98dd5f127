"""For each rule of guarantees of origin a change of the honest history that breaks it."""

from dataclasses import replace

from eth_abi.abi import encode

from ledger.chain import ZERO_ADDRESS
from tests.contracts.devices import (
    CHARGE,
    CONSUMPTION,
    DEVICE,
    MATCHED,
    SELF_CONSUMED,
    STORED,
    token_id,
)
from tests.ledger.audit.changes import MANY, NOBODY, Tampering, first, of, plus, put, with_fields
from tests.ledger.audit.edited import Arguments, EditedChain
from tests.ledger.audit.origins import BATTERY, DAY_S, HOME, NO_MARKET, PANELS, ROOF, SHOP, ZONE

OTHER_MARKET = b"pergola".ljust(32, b"\0")


def kind(number: int, *, burnt: bool = False) -> object:
    """The first issuance of this kind of certificate, or the first time that some of it is retired."""

    def is_it(arguments: Arguments) -> bool:
        end = arguments["_to" if burnt else "_from"]
        return arguments["_id"] >> 136 == number and end == ZERO_ADDRESS

    return is_it


def handed(arguments: Arguments) -> bool:
    """A transfer by its holder."""
    return bool(arguments["_operator"] == arguments["_from"] and arguments["_to"] != ZERO_ADDRESS)


def issued(arguments: Arguments) -> bool:
    """A batch that is issued, for a request."""
    return bool(arguments["_from"] == ZERO_ADDRESS)


def minted(arguments: Arguments) -> bool:
    """A batch that is issued, from a day's root."""
    return issued(arguments) and len(arguments["_ids"]) == 2 and arguments["_ids"][0] >> 72 & 255 == PANELS


def shared(arguments: Arguments) -> bool:
    """What a buyer gets of a certificate that is issued anew."""
    number, revision = arguments["_id"] >> 72 & 255, arguments["_id"] & 255
    return (number, revision) == (ROOF, 1) and arguments["_from"] != ZERO_ADDRESS


def device_kind(number: int) -> object:
    """The first device of a kind."""
    return lambda arguments: arguments["details"]["kind"] == number


def of_certificate(arguments: Arguments) -> bool:
    """The first withdrawal of a certificate, and not of credits."""
    return "frozen_wh" in arguments


def of_topic(number: int) -> object:
    """The first claim of a topic."""
    return of(topic=number)


def many_matches(arguments: Arguments) -> bool:
    """The first certification of the town."""
    return bool(arguments["matches"] == 3)


def second_match_moves(call: Arguments) -> None:
    """What one consumption was covered with is said to be another's."""
    call["matches"][0]["consumption"], call["matches"][1]["consumption"] = (
        call["matches"][1]["consumption"],
        call["matches"][0]["consumption"],
    )


def shared_metering_point(c: EditedChain) -> None:
    point = c.event("DeviceRegistered", 0)[2]["details"]["metering_point"]
    c.edit("DeviceRegistered", 1, details=with_fields(metering_point=point))


def withdrawn_early(c: EditedChain) -> None:
    certificate = token_id(PANELS, c.town.slots[0])
    c.insert(
        "certificates", "Withdrawn", ("Certified", many_matches), id=certificate, frozen_wh=300, reason="early"
    )


def stored_corrected_upwards(c: EditedChain) -> None:
    certificate, owner = token_id(BATTERY, c.town.slots[2], kind=STORED), c.town.member(0)
    after = ("Reissued", 0)
    amounts = {"corrected_wh": 900, "issued_wh": 0, "shortfall_wh": 0}
    c.insert("issuance", "Reissued", after, id=certificate + 1, **amounts)
    c.insert(
        "certificates", "TransferSingle", after, _operator=NOBODY, _from=ZERO_ADDRESS, _to=owner,
        _id=certificate + 1, _value=0,
    )  # fmt: skip
    c.insert("certificates", "Withdrawn", after, id=certificate, frozen_wh=0, reason="again")


def other_consumption(c: EditedChain) -> None:
    """Claimed against the consumption of another slot."""
    data = encode(["uint256"], [token_id(SHOP, c.town.slots[1], kind=CONSUMPTION)])
    c.edit("ClaimSingle", of(topic=MATCHED, value=50), claimData=data)


# Evidence


def piece(c: EditedChain, place: int, **changes: object) -> None:
    """Change a piece of evidence."""
    c.evidence[place] = replace(c.evidence[place], **changes)  # type: ignore[arg-type]


def statement(c: EditedChain, place: int, **changes: object) -> None:
    """Change what was signed."""
    changed = replace(c.evidence[place].statements[0], **changes)  # type: ignore[arg-type]
    piece(c, place, statements=(changed,))


def used_twice(c: EditedChain) -> None:
    c.evidence.append(replace(c.evidence[0], device=HOME))


def key_too_late(c: EditedChain) -> None:
    key = c.event("DeviceRegistered", of(device=PANELS))[2]["details"]["key"]
    late = with_fields(key={**key, "from_slot": c.town.slots[2]})
    c.edit("DeviceRegistered", of(device=PANELS), details=late)


ORIGIN_TAMPERINGS: dict[str, Tampering] = {
    "devices.holder": lambda c: c.call_of("RoleOffered", -1, sender=NOBODY),
    "devices.offered": lambda c: c.edit("RoleOffered", -1, account=NOBODY),
    "devices.accepts": lambda c: c.call_of("RoleTaken", -1, sender=NOBODY),
    "area.registrar": lambda c: c.call_of("AreaAdded", sender=NOBODY),
    "area.number": lambda c: c.edit("AreaAdded", area=9),
    "area.once": lambda c: c.repeat("AreaAdded"),
    "device.registrar": lambda c: c.call_of("DeviceRegistered", sender=NOBODY),
    "device.once": lambda c: c.repeat("DeviceRegistered"),
    "device.form": lambda c: c.edit("DeviceRegistered", details=with_fields(support=9)),
    "device.area": lambda c: c.edit("DeviceRegistered", details=with_fields(area=99)),
    "device.storage": lambda c: c.edit("DeviceRegistered", device_kind(CHARGE), details=with_fields(owner=NOBODY)),
    "device.metering_point": shared_metering_point,
    "device.known": lambda c: c.edit("KeyRotated", device=999),
    "key.registrar": lambda c: c.call_of("KeyRotated", sender=NOBODY),
    "key.form": lambda c: c.edit("KeyRotated", key=with_fields(algorithm=9)),
    "key.ascending": lambda c: c.edit("KeyRotated", key=with_fields(from_slot=0)),
    "close.registrar": lambda c: c.call_of("DeviceClosed", sender=NOBODY),
    "close.once": lambda c: c.repeat("DeviceClosed"),
    "anchor.issuer": lambda c: c.call_of("Anchored", sender=NOBODY),
    "anchor.over": lambda c: c.shift("Anchored", -9 * DAY_S),
    "anchor.revision": lambda c: c.edit("Anchored", revision=5),
    "request.number": lambda c: c.edit("Requested", number=7),
    "request.owner": lambda c: c.call_of("Requested", sender=NOBODY),
    "request.period": lambda c: c.edit("Requested", last_slot=plus(1)),
    "decide.issuer": lambda c: c.call_of("RequestDecided", sender=NOBODY),
    "decide.known": lambda c: c.edit("RequestDecided", number=9),
    "decide.once": lambda c: c.repeat("RequestDecided"),
    "certificate.once": lambda c: c.repeat("TransferSingle"),
    "certificate.ground": lambda c: c.drop("Certified"),
    "certificate.device": lambda c: c.edit("TransferSingle", _to=NOBODY),
    "certificate.kind": lambda c: c.edit("TransferSingle", _id=lambda id_: id_ ^ 3 << 136),
    "certificate.market": lambda c: c.edit("AreaAdded", market=OTHER_MARKET),
    "certificate.slot": lambda c: c.shift("TransferSingle", -DAY_S),
    "certificate.period": lambda c: c.edit("DeviceRegistered", details=with_fields(commissioned_day=60_000)),
    "certificate.nameplate": lambda c: c.edit("DeviceRegistered", details=with_fields(nameplate_w=1)),
    "issue.issuer": lambda c: c.call_of("TransferBatch", issued, sender=NOBODY),
    "issue.request": lambda c: c.edit("RequestDecided", approved=False),
    "issue.amounts": lambda c: c.calldata("TransferBatch", put("amounts", [1, 0, 200]), issued),
    "day.issuer": lambda c: c.call_of("DayCommitted", sender=NOBODY),
    "day.over": lambda c: c.shift("DayCommitted", -2 * DAY_S),
    "day.once": lambda c: c.repeat("DayCommitted"),
    "mint.root": lambda c: c.calldata("TransferBatch", put("index", 1), minted),
    "mint.amounts": lambda c: c.edit("TransferBatch", minted, _values=lambda wh: [wh[0] + 1, wh[1]]),
    "mint.total": lambda c: c.edit("DayCommitted", total_wh=1),
    "certify.issuer": lambda c: c.call_of("Certified", sender=NOBODY),
    "certify.delivered": lambda c: c.drop("Delivered"),
    "certify.side": lambda c: c.calldata("Certified", first("consumptions", device=DEVICE)),
    "certify.issued": lambda c: c.calldata("Certified", first("issuances", amount_wh=plus(1))),
    "certify.moves": lambda c: c.calldata("Certified", first("moves", amount_wh=plus(1)), 1),
    "certify.matches": lambda c: c.calldata("Certified", second_match_moves, many_matches),
    "certify.generation": lambda c: c.edit("TransferSingle", _value=plus(1)),
    "certify.consumption": lambda c: c.edit("TransferSingle", kind(CONSUMPTION), _value=plus(1)),
    "certify.allocation": lambda c: c.calldata("Certified", first("moves", account=NOBODY), many_matches),
    "certify.bought": lambda c: c.calldata("Certified", first("moves", amount_wh=plus(1)), 1),
    "certificate.mover": lambda c: c.edit("TransferSingle", handed, _operator=NOBODY),
    "certificate.negative": lambda c: c.edit("TransferSingle", handed, _value=MANY),
    "certificate.expired": lambda c: c.shift("TransferSingle", 400 * DAY_S, handed),
    "certificate.withdrawn": withdrawn_early,
    "certificate.consumption": lambda c: c.edit("TransferSingle", kind(CONSUMPTION, burnt=True), _to=NOBODY),
    "certificate.balance": lambda c: c.edit("ClaimSingle", value=1),
    "claim.issuer": lambda c: c.edit("ClaimSingle", claimIssuer=NOBODY),
    "claim.topic": lambda c: c.edit("ClaimSingle", of_topic(SELF_CONSUMED), topic=MATCHED),
    "claim.data": lambda c: c.edit("ClaimSingle", claimData=b"\x01"),
    "claim.burnt": lambda c: c.drop("ClaimSingle"),
    "claim.subject": lambda c: c.edit("ClaimSingle", of_topic(MATCHED), claimSubject=NOBODY),
    "claim.slot": other_consumption,
    "claim.zone": lambda c: c.edit("AreaAdded", of(market=NO_MARKET, zone=ZONE), zone="10YAT-APG------L"),
    "claim.self": lambda c: c.edit("ClaimSingle", of_topic(MATCHED), topic=SELF_CONSUMED),
    "claim.consumption": lambda c: c.edit("TransferSingle", kind(CONSUMPTION), _value=1),
    "correct.issuer": lambda c: c.call_of("Withdrawn", of_certificate, sender=NOBODY),
    "correct.withdrawn": lambda c: c.repeat("Withdrawn", of_certificate),
    "correct.frozen": lambda c: c.edit("Withdrawn", of_certificate, frozen_wh=plus(1)),
    "certificate.revision": lambda c: c.drop("Withdrawn", of_certificate),
    "correct.issued": lambda c: c.edit("Reissued", 1, issued_wh=plus(1)),
    "correct.amount": lambda c: c.edit("Reissued", 1, corrected_wh=plus(1)),
    "correct.shortfall": lambda c: c.edit("Reissued", shortfall_wh=plus(1)),
    "correct.stored": stored_corrected_upwards,
    "correct.held": lambda c: c.edit("TransferSingle", shared, _value=plus(1)),
    "correct.shares": lambda c: c.edit("TransferSingle", shared, _value=plus(-1)),
    "debt.paid": lambda c: c.edit("DebtPaid", amount_wh=plus(50)),
    "debt.first": lambda c: c.drop("DebtPaid"),
    "lots.storage": lambda c: c.edit("Stored", storage=999),
    "lots.charge": lambda c: c.drop("Stored"),
    "lots.efficiency": lambda c: c.edit("Stored", output_uwh=plus(1)),
    "lots.slots": lambda c: c.repeat("Discharged"),
    "lots.fifo": lambda c: c.edit("Discharged", sources=lambda sources: sources[::-1]),
    "lots.certified": lambda c: c.edit("Discharged", certified_wh=plus(1)),
    "import.issuer": lambda c: c.call_of("Imported", sender=NOBODY),
    "import.serial": lambda c: c.edit("Imported", 1, details=with_fields(serial="E-1")),
    "import.number": lambda c: c.edit("Imported", id=plus(1 << 72)),
    "import.area": lambda c: c.edit("Imported", details=with_fields(area=99)),
    "import.issued": lambda c: c.edit("Imported", details=with_fields(amount_wh=999)),
    "export.serial": lambda c: c.edit("Exported", 1, serial="X-1"),
    "export.claims": lambda c: c.drop("Exported"),
    "evidence.once": used_twice,
    "evidence.reading": lambda c: piece(c, 0, energy_wh=901),
    "evidence.key": key_too_late,
    "evidence.signature": lambda c: statement(c, 0, signature=bytes(64)),
    "evidence.leaves": lambda c: c.evidence.pop(),
    "evidence.root": lambda c: c.edit("Anchored", -1, root=b"\x01" * 32),
    "evidence.amount": lambda c: c.evidence.pop(0),
    "storage.area": lambda c: c.answer("devices", "area_of", with_fields(zone="elsewhere")),
    "storage.device": lambda c: c.answer("devices", "device_of", with_fields(support=3)),
    "storage.title": lambda c: c.answer("devices", "word_of", plus(1)),
    "storage.key": lambda c: c.answer("devices", "key_count", plus(1)),
    "storage.anchor": lambda c: c.answer("devices", "anchor_of", lambda _: b"\x01" * 32),
    "storage.request": lambda c: c.answer("devices", "request_of", with_fields(approved=False)),
    "storage.day": lambda c: c.answer("issuance", "day_of", with_fields(total_wh=1)),
    "storage.import": lambda c: c.answer("issuance", "import_of", plus(1)),
    "storage.export": lambda c: c.answer("certificates", "is_exported", lambda _: False),
    "storage.owed": lambda c: c.answer("issuance", "debt_of", plus(1)),
    "storage.lots": lambda c: c.answer("issuance", "queue_of", with_fields(carry_uwh=7)),
    "storage.record": lambda c: c.answer("certificates", "state_of", with_fields(issued_wh=1)),
    "storage.held": lambda c: c.answer("certificates", "balanceOf", plus(1)),
    "storage.claimed": lambda c: c.answer("certificates", "claimedBalanceOf", plus(1)),
}
