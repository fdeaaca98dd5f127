"""Certificates are retired once and forever: for a claim, against one's own consumption, for another registry."""

from typing import Any

import pytest
from eth_abi.abi import encode

from ledger.deployment import CERTIFICATE_LIFETIME_S
from ledger.keys import Key
from tests.contracts.devices import (
    DEVICE,
    EXPORTED,
    LOAD,
    MATCHED,
    RETIRED,
    SELF_CONSUMED,
    TOKEN,
    add_area,
    certificates,
    certify,
    claim,
    claimed,
    consumption_id,
    events,
    held,
    register,
    retire,
    send,
    token_id,
    totals,
)
from tests.world import MARKET, SLOT, World, refused

SECOND = token_id(DEVICE + 1)
HOME, NEIGHBOUR = 20, 21
AT_HOME, NEXT_DOOR = consumption_id(HOME), consumption_id(NEIGHBOUR)
NOBODY = bytes(20)
LAST_SECOND = SLOT + CERTIFICATE_LIFETIME_S - 1
HASH = b"\xcd" * 32


@pytest.fixture
def issued(world: World) -> World:
    """Member 0's devices generated 500 and 300 Wh; member 1 bought 200 and 100 of that; each consumed 400 Wh."""
    anna, bert = (key.address for key in world.members[:2])
    for device in (DEVICE, DEVICE + 1):
        register(world, device, anna)
    register(world, HOME, anna, kind=LOAD)
    register(world, NEIGHBOUR, bert, kind=LOAD)
    certify(
        world,
        [(DEVICE, 500), (DEVICE + 1, 300)],
        [(HOME, 400), (NEIGHBOUR, 400)],
        moves=[(DEVICE, bert, 200), (DEVICE + 1, bert, 100)],
    )
    return world


def all_retired(world: World, who: Key, tokens: list[int], amounts: list[int], **changes: object) -> Any:
    return send(world, who, "retire", tokens, amounts, claim(**changes))


def claims(world: World, receipt: Any) -> list[dict[str, Any]]:
    return [fields for name, fields in events(world, receipt) if name in ("ClaimSingle", "ClaimBatch")]


# ----------------------------------------------------------------------------------------- for a claim


def test_a_holder_retires_its_certificates_once_and_forever(issued: World) -> None:
    owner = issued.members[0]
    receipt = retire(issued, owner, TOKEN, 200, text_hash=HASH)
    assert (held(issued, owner.address), claimed(issued, owner.address), totals(issued)) == (100, 200, (500, 200))
    subject = {"claimIssuer": issued.keys["issuer"].address, "claimSubject": owner.address}
    data = encode(["uint256", "string", "uint256", "uint256", "bytes32"], [1, "CH", SLOT, SLOT, HASH])
    burnt = {"_operator": owner.address, "_from": owner.address, "_to": NOBODY, "_id": TOKEN, "_value": 200}
    assert events(issued, receipt) == [
        ("TransferSingle", burnt),
        ("ClaimSingle", {**subject, "topic": RETIRED, "id": TOKEN, "value": 200, "claimData": data}),
    ]
    with refused("certificates: balance"):
        retire(issued, owner, TOKEN, 101)
    retire(issued, owner, TOKEN, 100)
    with refused("certificates: balance"):
        retire(issued, owner, TOKEN, 1)


def test_a_buyer_retires_what_it_holds(issued: World) -> None:
    bert = issued.members[1]
    with refused("certificates: balance"):
        retire(issued, bert, TOKEN, 201)
    retire(issued, bert, TOKEN, 200)
    assert (held(issued, bert.address), claimed(issued, bert.address), totals(issued)) == (0, 200, (500, 200))
    assert held(issued, issued.members[0].address) == 300


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("beneficiary", [0, 1, 2])
def test_whoever_is_named_claims(issued: World, holder: int, beneficiary: int) -> None:
    keys = issued.members
    receipt = retire(issued, keys[holder], TOKEN, 50, beneficiary=keys[beneficiary].address)
    expected = [50 if member == beneficiary else 0 for member in range(3)]
    assert [claimed(issued, key.address) for key in keys[:3]] == expected
    assert claims(issued, receipt)[0]["claimSubject"] == keys[beneficiary].address
    assert held(issued, keys[holder].address) == (250 if holder == 0 else 150)
    assert totals(issued) == (500, 50)


def test_several_are_one_claim(issued: World) -> None:
    bert = issued.members[1]
    receipt = all_retired(issued, bert, [TOKEN, SECOND], [150, 100])
    assert [held(issued, bert.address, token) for token in (TOKEN, SECOND)] == [50, 0]
    columns = {"ids": [TOKEN, SECOND], "values": [150, 100]}
    data = encode(["uint256", "string", "uint256", "uint256", "bytes32"], [1, "CH", SLOT, SLOT, bytes(32)])
    subject = {"claimIssuer": issued.keys["issuer"].address, "claimSubject": bert.address}
    burnt = {"_operator": bert.address, "_from": bert.address, "_to": NOBODY}
    assert events(issued, receipt) == [
        ("TransferBatch", {**burnt, "_ids": columns["ids"], "_values": columns["values"]}),
        ("ClaimBatch", {**subject, "topics": [RETIRED], **columns, "claimData": [data]}),
    ]
    read = certificates(issued).read
    owners, tokens = [bert.address, bert.address, issued.members[0].address], [TOKEN, SECOND, TOKEN]
    assert list(read("claimedBalanceOfBatch", owners, tokens)) == [150, 100, 0]


def test_several_that_fail_in_part_fail_as_a_whole(issued: World) -> None:
    for tokens, amounts in (([TOKEN, SECOND], [200, 101]), ([TOKEN, TOKEN], [150, 51])):
        with refused("certificates: balance"):
            all_retired(issued, issued.members[1], tokens, amounts)
    assert totals(issued) == (500, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"country": "C"}, "certificates: country"),
        ({"country": "ch"}, "certificates: letters of the country"),
        ({"country": "C1"}, "certificates: letters of the country"),
        ({"country": "@H"}, "certificates: letters of the country"),
        ({"country": "C["}, "certificates: letters of the country"),
        ({"first_slot": SLOT + 1}, "certificates: period"),
        ({"last_slot": 2**40}, "certificates: period out of time"),
    ],
    ids=str,
)
def test_a_claim_says_where_and_when(issued: World, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        retire(issued, issued.members[0], TOKEN, 1, **changes)


@pytest.mark.parametrize(
    "changes", [{"country": ""}, {"country": "AZ", "first_slot": 0, "last_slot": 2**40 - 1}], ids=str
)
def test_a_claim_may_leave_the_country_open(issued: World, changes: dict[str, Any]) -> None:
    retire(issued, issued.members[0], TOKEN, 1, **changes)


@pytest.mark.parametrize("purpose", [0, 5])
def test_a_claim_has_one_of_four_purposes(issued: World, purpose: int) -> None:
    with refused("certificates: purpose"):
        retire(issued, issued.members[0], TOKEN, 1, purpose=purpose)
    for known in range(1, 5):
        retire(issued, issued.members[0], TOKEN, 1, purpose=known)


def test_a_retirement_is_of_something(issued: World) -> None:
    with refused("certificates: none"):
        all_retired(issued, issued.members[0], [], [])
    with refused("certificates: empty"):
        retire(issued, issued.members[0], TOKEN, 0)
    for tokens, amounts in (([TOKEN], [1, 1]), ([TOKEN, SECOND], [1])):
        with refused("certificates: lengths"):
            all_retired(issued, issued.members[0], tokens, amounts)


def test_consumption_is_not_retired(issued: World) -> None:
    with refused("certificates: consumption is not retired"):
        retire(issued, issued.members[0], AT_HOME, 1)


@pytest.mark.parametrize("token", [TOKEN + 1, TOKEN + 256, TOKEN ^ 3 << 136, TOKEN ^ 1 << 200, 0, 3 << 136])
def test_what_was_not_issued_is_not_retired(issued: World, token: int) -> None:
    with refused("certificates: not issued"):
        retire(issued, issued.members[0], token, 1)


def test_a_certificate_lives_until_its_last_second(issued: World) -> None:
    owner, other = issued.members[0], issued.members[1].address
    ways: list[tuple[Any, ...]] = [
        ("retire", [TOKEN], [1], claim()),
        ("retire_pairs", [(TOKEN, AT_HOME, 1)]),
        ("export", [TOKEN], [1], "CH", "1"),
        ("safeTransferFrom", owner.address, other, TOKEN, 1, b""),
        ("safeBatchTransferFrom", owner.address, other, [TOKEN], [1], b""),
    ]
    for way in ways:
        issued.time.now = LAST_SECOND
        snapshot = issued.chain.snapshot()
        send(issued, owner, *way)
        issued.chain.revert(snapshot)
        issued.time.now = LAST_SECOND + 1
        with refused("certificates: expired"):
            send(issued, owner, *way)


# --------------------------------------------------------------------------- against one's own consumption


def pairs(world: World, member: int, *words: tuple[int, int, int]) -> Any:
    return send(world, world.members[member], "retire_pairs", list(words))


@pytest.mark.parametrize(
    ("member", "sink", "topic"), [(0, AT_HOME, SELF_CONSUMED), (1, NEXT_DOOR, MATCHED)], ids=["own", "bought"]
)
def test_a_holder_retires_against_its_consumption(issued: World, member: int, sink: int, topic: int) -> None:
    who = issued.members[member].address
    before = held(issued, who)
    receipt = pairs(issued, member, (TOKEN, sink, 120), (SECOND, sink, 60))
    assert (held(issued, who), claimed(issued, who), claimed(issued, who, SECOND)) == (before - 120, 120, 60)
    assert (held(issued, who, sink), claimed(issued, who, sink), totals(issued, sink)) == (220, 180, (400, 180))
    claim_of = {"claimIssuer": issued.keys["issuer"].address, "claimSubject": who, "topic": topic}
    data = encode(["uint256"], [sink])
    assert claims(issued, receipt) == [
        {**claim_of, "id": TOKEN, "value": 120, "claimData": data},
        {**claim_of, "id": SECOND, "value": 60, "claimData": data},
    ]
    burns = [fields for name, fields in events(issued, receipt) if name == "TransferSingle"]
    assert [(fields["_id"], fields["_value"]) for fields in burns] == [
        (TOKEN, 120),
        (sink, 120),
        (SECOND, 60),
        (sink, 60),
    ]


def test_no_more_is_claimed_than_was_consumed(issued: World) -> None:
    pairs(issued, 0, (TOKEN, AT_HOME, 300))
    with refused("certificates: balance"):
        pairs(issued, 0, (SECOND, AT_HOME, 101))
    pairs(issued, 0, (SECOND, AT_HOME, 100))


def test_no_more_is_retired_than_is_held(issued: World) -> None:
    for member, sink, most in ((0, AT_HOME, 300), (1, NEXT_DOOR, 200)):
        with refused("certificates: balance"):
            pairs(issued, member, (TOKEN, sink, most + 1))
        pairs(issued, member, (TOKEN, sink, most))


def test_nobody_claims_for_the_consumption_of_another(issued: World) -> None:
    with refused("certificates: consumption of another"):
        pairs(issued, 0, (TOKEN, NEXT_DOOR, 1))


def test_generation_is_paired_with_consumption(issued: World) -> None:
    with refused("certificates: not a consumption"):
        pairs(issued, 0, (TOKEN, SECOND, 1))
    with refused("certificates: consumption for consumption"):
        pairs(issued, 0, (AT_HOME, AT_HOME, 1))
    with refused("certificates: empty"):
        pairs(issued, 0, (TOKEN, AT_HOME, 0))
    with refused("certificates: not issued"):
        pairs(issued, 0, (TOKEN + 1, AT_HOME, 1))


def test_a_pair_is_of_one_slot(issued: World) -> None:
    certify(issued, [], [(HOME, 400)], slot=SLOT + 900)
    with refused("certificates: other slot"):
        pairs(issued, 0, (TOKEN, consumption_id(HOME, SLOT + 900), 1))


def test_a_pair_is_of_slots_of_one_length(issued: World) -> None:
    hour = SLOT // 3_600 * 3_600 + 3_600
    issued.time.now = hour + 3_600
    register(issued, 30, issued.members[0].address, kind=LOAD, slot_length_s=3_600)
    certify(issued, [(DEVICE, 5)], [(30, 5)], slot=hour)
    with refused("certificates: slot lengths"):
        pairs(issued, 0, (token_id(slot=hour), consumption_id(30, hour), 1))


def test_a_pair_is_of_one_zone(issued: World) -> None:
    near, far = add_area(issued, b"x" * 32), add_area(issued, MARKET, "elsewhere")
    for load, area, market in ((30, near, b"x" * 32), (31, far, MARKET)):
        register(issued, load, issued.members[0].address, kind=LOAD, area=area)
        certify(issued, [], [(load, 5)], market=market)
    pairs(issued, 0, (TOKEN, consumption_id(30), 1))
    with refused("certificates: zone"):
        pairs(issued, 0, (TOKEN, consumption_id(31), 1))


def test_at_most_128_pairs_come_at_once(issued: World) -> None:
    pairs(issued, 0, *[(TOKEN, AT_HOME, 1)] * 128)
    with refused(""):  # the ABI decoder's own refusal
        pairs(issued, 0, *[(TOKEN, AT_HOME, 1)] * 129)


# --------------------------------------------------------------------------------- for another registry


def export(
    world: World, registry: str = "CH-Pronovo", serial: str = "7/1", *, amounts: tuple[int, ...] = (9, 8)
) -> Any:
    return send(
        world, world.members[1], "export", [TOKEN, SECOND][: len(amounts)], list(amounts), registry, serial
    )


def test_an_export_retires_and_names_the_other_registry(issued: World) -> None:
    bert = issued.members[1].address
    receipt = export(issued)
    assert [held(issued, bert, token) for token in (TOKEN, SECOND)] == [191, 92]
    (of_claim,) = claims(issued, receipt)
    data = encode(["string", "string"], ["CH-Pronovo", "7/1"])
    assert (of_claim["topics"], of_claim["claimData"], of_claim["claimSubject"]) == ([EXPORTED], [data], bert)
    fields = {"holder": bert, "registry": "CH-Pronovo", "serial": "7/1", "ids": [TOKEN, SECOND], "amounts": [9, 8]}
    assert events(issued, receipt)[-1] == ("Exported", fields)
    anna = issued.members[0].address
    for holder, serial, is_exported in ((bert, "7/1", True), (bert, "7/2", False), (anna, "7/1", False)):
        assert certificates(issued).read("is_exported", holder, "CH-Pronovo", serial) is is_exported


def test_the_longest_names_of_an_export_fit(issued: World) -> None:
    receipt = export(issued, "r" * 32, "s" * 64, amounts=(1,))
    data = encode(["string", "string"], ["r" * 32, "s" * 64])
    assert claims(issued, receipt)[0]["claimData"] == data


def test_a_serial_number_is_exported_once(issued: World) -> None:
    export(issued)
    with refused("certificates: exported"):
        export(issued, amounts=(1,))
    export(issued, serial="7/2")
    export(issued, registry="DE")


def test_nobody_takes_a_serial_number_from_another(issued: World) -> None:
    anna, bert = issued.members[:2]
    export(issued, amounts=(1,))
    send(issued, anna, "export", [TOKEN], [1], "CH-Pronovo", "7/1")
    for holder in (anna, bert):
        assert certificates(issued).read("is_exported", holder.address, "CH-Pronovo", "7/1")


@pytest.mark.parametrize(
    ("registry", "serial", "reason"),
    [("", "7", "certificates: export to no registry"), ("CH", "", "certificates: export without a serial")],
)
def test_an_export_says_where_to(issued: World, registry: str, serial: str, reason: str) -> None:
    with refused(reason):
        export(issued, registry, serial)
