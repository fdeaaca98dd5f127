"""Certificates of a market's slot: issued once, within limits, moved to buyers and matched with consumption.

One thing: the call `certify`, argument by argument. What else issues, retires or corrects is tested elsewhere.
"""

from typing import Any

import pytest
from eth_abi.abi import encode

from ledger.abi import interface
from ledger.deployment import CERTIFICATE_LIFETIME_S
from ledger.transactions import build
from tests.contracts.devices import (
    AREA,
    CHARGE,
    DAY_S,
    DEVICE,
    GENERATOR,
    IMPORTED,
    LOAD,
    MATCHED,
    NAMEPLATE_W,
    SELF_CONSUMED,
    STORAGE,
    TOKEN,
    add_area,
    certificates,
    certify,
    claimed,
    consumption_id,
    events,
    held,
    on_devices,
    on_issuance,
    register,
    send,
    token_id,
    totals,
)
from tests.world import MARKET, SLOT, World, refused

OTHER_MARKET = b"lugano".ljust(32, b"\0")
LAST_SECOND = SLOT + CERTIFICATE_LIFETIME_S - 1
DAY = SLOT // DAY_S
HOME, NEIGHBOUR = 20, 21
AT_HOME, NEXT_DOOR = consumption_id(HOME), consumption_id(NEIGHBOUR)
NOBODY = bytes(20)


@pytest.fixture
def solar(world: World) -> World:
    """Member 0 owns a generator."""
    register(world, DEVICE, world.members[0].address)
    return world


@pytest.fixture
def issued(solar: World) -> World:
    """Member 0's device generated 500 Wh in the slot."""
    certify(solar, [(DEVICE, 500)])
    return solar


@pytest.fixture
def homes(solar: World) -> World:
    """Member 0 has a load too, and member 1 another."""
    register(solar, HOME, solar.members[0].address, kind=LOAD)
    register(solar, NEIGHBOUR, solar.members[1].address, kind=LOAD)
    return solar


# ------------------------------------------------------------------------------------------- deployment


PARTS = {"certificates": ("devices", "issuance"), "issuance": ("devices", "certificates")}


@pytest.mark.parametrize(
    ("contract", "missing", "reason"),
    [
        ("certificates", "devices", "certificates: devices"),
        ("certificates", "issuance", "certificates: issuance"),
        ("issuance", "devices", "issuance: devices"),
        ("issuance", "certificates", "issuance: certificates"),
    ],
)
def test_the_contracts_need_one_another(world: World, contract: str, missing: str, reason: str) -> None:
    arguments: list[object] = [bytes(20) if part == missing else b"\1" * 20 for part in PARTS[contract]]
    data = interface(contract).creation(*arguments, *[1] * (contract == "certificates"))
    with refused(reason):
        build(world.chain, world.strangers[0], to=None, data=data)


def test_the_contracts_name_one_another_and_their_interfaces(world: World) -> None:
    read, contracts = certificates(world).read, world.contracts
    assert read("devices") == contracts.issuance.read("devices") == contracts.devices.address
    assert read("issuance") == contracts.issuance.address
    assert contracts.issuance.read("certificates") == contracts.certificates.address
    assert read("lifetime_s") == CERTIFICATE_LIFETIME_S
    supported = {"01ffc9a7": True, "d9b67a26": True, "ffffffff": False}
    assert {number: read("supportsInterface", bytes.fromhex(number)) for number in supported} == supported


# --------------------------------------------------------------------------------------------- issuance


def test_generation_is_issued_to_the_devices_owner(solar: World) -> None:
    owner = solar.members[0].address
    receipt = certify(solar, [(DEVICE, 500)])
    assert held(solar, owner) == 500
    assert totals(solar) == (500, 0)
    transfer = {
        "_operator": solar.contracts.issuance.address,
        "_from": NOBODY,
        "_to": owner,
        "_id": TOKEN,
        "_value": 500,
    }
    counts = {"issuances": 1, "consumptions": 0, "moves": 0, "matches": 0}
    assert events(solar, receipt) == [
        ("TransferSingle", transfer),
        ("Certified", {"market": MARKET, "slot": SLOT, **counts}),
    ]


def test_consumption_is_issued_to_whom_consumed(homes: World) -> None:
    certify(homes, [], [(HOME, 300)])
    assert held(homes, homes.members[0].address, AT_HOME) == 300
    assert totals(homes, AT_HOME) == (300, 0)
    assert totals(homes) == (0, 0)


def test_a_certificate_is_described(issued: World) -> None:
    send(issued, issued.members[0], "safeTransferFrom", issued.members[0].address, b"\5" * 20, TOKEN, 90, b"")
    assert certificates(issued).read("state_of", TOKEN) == {
        "owner": issued.members[0].address,
        "issued_wh": 500,
        "held_by_owner_wh": 410,
        "retired_wh": 0,
        "exists": True,
        "withdrawn": False,
        "expires_at": SLOT + CERTIFICATE_LIFETIME_S,
    }
    nothing = certificates(issued).read("state_of", TOKEN + 1)
    assert (nothing["exists"], nothing["owner"], nothing["expires_at"]) == (False, NOBODY, 0)
    assert certificates(issued).read("title_of", TOKEN) == issued.contracts.devices.read("word_of", DEVICE)


def test_the_token_id_says_what_it_certifies(world: World) -> None:
    for kind, device, slot in ((1, DEVICE, SLOT), (2, 0, 0), (3, 2**64 - 1, SLOT + 300), (4, 1, 2**40 - 1)):
        token = certificates(world).read("token_id", kind, device, slot, 15)
        assert token == token_id(device, slot, kind=kind, revision=15)
        fields = (token >> 136, token >> 72 & 2**64 - 1, token >> 8 & 2**64 - 1, token & 255)
        assert fields == (kind, device, slot // 300, 15)


def test_two_slots_of_a_word_do_not_touch_one_another(solar: World) -> None:
    owner, most = solar.members[0], NAMEPLATE_W * 900 // 3_600
    slots = [SLOT + 900 * number for number in range(4)]
    for slot in (slots[2], slots[0], slots[3], slots[1]):
        certify(solar, [(DEVICE, most)], slot=slot)
    for number, slot in enumerate(slots):
        send(solar, owner, "safeTransferFrom", owner.address, b"\5" * 20, token_id(slot=slot), number, b"")
    assert [held(solar, owner.address, token_id(slot=slot)) for slot in slots] == [most - n for n in range(4)]
    assert [totals(solar, token_id(slot=slot)) for slot in slots] == [(most, 0)] * 4


@pytest.mark.parametrize("slot_length_s", [300, 900, 1_800, 3_600])
def test_an_id_between_two_slots_is_none(world: World, slot_length_s: int) -> None:
    owner, hour = world.members[0].address, SLOT // 3_600 * 3_600
    register(world, DEVICE, owner, slot_length_s=slot_length_s)
    world.time.now = SLOT + 3_600
    certify(world, [(DEVICE, 300)], slot=hour)
    between = [token_id(slot=slot) for slot in range(hour, hour + 3_600, 300)]
    assert [held(world, owner, token) for token in between] == [300] + [0] * 11
    if slot_length_s > 300:
        with refused("certificates: not issued"):
            send(world, world.members[0], "safeTransferFrom", owner, b"\5" * 20, between[1], 1, b"")


@pytest.mark.parametrize("where", ["one call", "two calls"])
def test_the_same_generation_is_not_issued_twice(solar: World, where: str) -> None:
    if where == "two calls":
        certify(solar, [(DEVICE, 500)])
    with refused("certificates: issued"):
        certify(solar, [(DEVICE, 1)] * (1 if where == "two calls" else 2))


def test_the_same_consumption_is_not_issued_twice(homes: World) -> None:
    certify(homes, [], [(HOME, 1)])
    with refused("certificates: issued"):
        certify(homes, [], [(HOME, 1)])


def test_the_next_slot_and_the_next_device_are_other_certificates(issued: World) -> None:
    owner = issued.members[0].address
    register(issued, DEVICE + 1, owner)
    certify(issued, [(DEVICE + 1, 3)])
    certify(issued, [(DEVICE, 4)], slot=SLOT + 900)
    tokens = [token_id(DEVICE, SLOT), token_id(DEVICE + 1, SLOT), token_id(DEVICE, SLOT + 900)]
    assert [held(issued, owner, token) for token in tokens] == [500, 3, 4]


@pytest.mark.parametrize("side", ["generation", "consumption"])
def test_a_slot_is_certified_when_it_is_over_and_not_a_second_before(homes: World, side: str) -> None:
    lists = ([(DEVICE, 500)], []) if side == "generation" else ([], [(HOME, 500)])
    homes.at(SLOT + 899)
    with refused("issuance: slot not over"):
        on_issuance(homes, "issuer", "certify", MARKET, SLOT, *lists, [], [])
    homes.at(SLOT + 900)
    on_issuance(homes, "issuer", "certify", MARKET, SLOT, *lists, [], [])


@pytest.mark.parametrize("lists", [([(DEVICE, 500)], []), ([], [(HOME, 500)])])
def test_what_comes_too_late_to_be_used_is_not_issued(homes: World, lists: Any) -> None:
    homes.at(LAST_SECOND + 1)
    with refused("certificates: expired"):
        certify(homes, *lists)


def test_what_comes_in_the_last_second_is_issued(homes: World) -> None:
    homes.at(LAST_SECOND)
    certify(homes, [(DEVICE, 500)], [(HOME, 500)])


def test_a_certification_of_nothing_is_refused(solar: World) -> None:
    with refused("issuance: nothing metered"):
        certify(solar, [])


def test_a_slot_out_of_time_is_not_certified(solar: World) -> None:
    solar.at(SLOT + 900)
    slot = 2**40 // 900 * 900 + 900
    with refused("issuance: slot out of time"):
        on_issuance(solar, "issuer", "certify", MARKET, slot, [(DEVICE, 500)], [], [], [])


def test_what_is_not_a_slot_is_not_certified(solar: World) -> None:
    with refused("issuance: slot"):
        certify(solar, [(DEVICE, 500)], slot=SLOT + 300)


def test_a_device_is_certified_from_its_first_day_until_it_is_closed(world: World) -> None:
    register(world, DEVICE, world.members[0].address, commissioned_day=DAY)
    on_devices(world, "registrar", "close_device", DEVICE, DAY + 1)
    midnight = DAY * DAY_S
    world.time.now = midnight + 2 * DAY_S
    with refused("issuance: not commissioned"):
        certify(world, [(DEVICE, 1)], slot=midnight - 900)
    with refused("issuance: closed"):
        certify(world, [(DEVICE, 1)], slot=midnight + DAY_S)
    certify(world, [(DEVICE, 1)], slot=midnight)
    certify(world, [(DEVICE, 1)], slot=midnight + DAY_S - 900)


@pytest.mark.parametrize(("slot_length_s", "most"), [(300, 333), (900, 1_000), (1_800, 2_000), (3_600, 4_000)])
@pytest.mark.parametrize("kind", [GENERATOR, LOAD])
def test_a_device_meters_at_most_its_nameplate_power(
    world: World, kind: int, slot_length_s: int, most: int
) -> None:
    limits = {"slot_length_s": slot_length_s, "nameplate_w": 4_000}
    register(world, DEVICE, world.members[0].address, kind=kind, **limits)
    slot = SLOT // 3_600 * 3_600
    world.time.now = SLOT + 3_600

    def certified(wh: int) -> None:
        certify(world, *(([(DEVICE, wh)], []) if kind == GENERATOR else ([], [(DEVICE, wh)])), slot=slot)

    with refused("issuance: nameplate"):
        certified(most + 1)
    certified(most)


def test_a_load_without_a_nameplate_is_limited_by_the_record(homes: World) -> None:
    with refused("issuance: nameplate"):
        certify(homes, [], [(HOME, 2**31)])
    with refused("issuance: nameplate"):
        certify(homes, [], [(HOME, 2**256 - 1)])
    certify(homes, [], [(HOME, 2**31 - 1)])
    assert totals(homes, AT_HOME) == (2**31 - 1, 0)


def test_an_issuance_of_nothing_is_refused(solar: World) -> None:
    with refused("issuance: empty"):
        certify(solar, [(DEVICE, 0)])


@pytest.mark.parametrize("kind", [LOAD, CHARGE])
def test_a_load_generates_nothing(world: World, kind: int) -> None:
    owner = world.members[0].address
    register(world, DEVICE + 1, owner, kind=STORAGE)
    register(world, DEVICE, owner, kind=kind, storage=DEVICE + 1 if kind == CHARGE else 0)
    with refused("issuance: not a generator"):
        certify(world, [(DEVICE, 1)])


def test_a_generator_consumes_nothing(solar: World) -> None:
    with refused("issuance: not a load"):
        certify(solar, [], [(DEVICE, 1)])
    register(solar, DEVICE + 1, solar.members[0].address)
    with refused("certificates: not a consumption"):
        certify(solar, [(DEVICE, 5)], [(DEVICE + 1, 0)], matches=[(DEVICE, DEVICE + 1, 1)])


@pytest.mark.parametrize("market", [MARKET, OTHER_MARKET, bytes(32)])
def test_an_unknown_device_meters_nothing(world: World, market: bytes) -> None:
    for lists in (([(DEVICE, 1)], []), ([], [(DEVICE, 1)])):
        with refused("issuance: no such device"):
            certify(world, *lists, market=market)


def test_a_device_is_certified_in_its_own_market_only(homes: World) -> None:
    with refused("issuance: market"):
        certify(homes, [(DEVICE, 1)], market=OTHER_MARKET)
    with refused("issuance: market"):
        certify(homes, [], [(HOME, 1)], market=OTHER_MARKET)
    elsewhere = add_area(homes, OTHER_MARKET)
    register(homes, DEVICE + 1, homes.members[0].address, area=elsewhere)
    with refused("issuance: market"):
        certify(homes, [(DEVICE, 1), (DEVICE + 1, 1)])
    certify(homes, [(DEVICE + 1, 1)], market=OTHER_MARKET)


def test_a_slot_is_certified_for_who_asked_for_all_of_them(world: World) -> None:
    register(world, DEVICE, world.members[0].address, standing=False)
    with refused("issuance: no standing request"):
        certify(world, [(DEVICE, 1)])


def test_one_bad_issuance_undoes_the_whole_certification(solar: World) -> None:
    with refused("issuance: no such device"):
        certify(solar, [(DEVICE, 5), (DEVICE + 1, 5)])
    assert totals(solar) == (0, 0)


def test_the_arrays_of_a_certification_have_limits(homes: World) -> None:
    source, move, match = (DEVICE, 0), (HOME, NOBODY, 1), (HOME, HOME, 1)
    with refused("issuance: empty"):
        certify(homes, [source] * 128)
    certify(homes, [], [(HOME, 0)] * 128)
    with refused("issuance: no such issuance"):
        certify(homes, [], [(HOME, 0)], moves=[move] * 256)
    with refused("issuance: no such issuance"):
        certify(homes, [], [(HOME, 0)], matches=[match] * 256)
    for refused_lists in ({"moves": [move] * 257}, {"matches": [match] * 257}):
        with refused(""):  # the ABI decoder's own refusal
            certify(homes, [], [(HOME, 0)], **refused_lists)  # type: ignore[arg-type]
    for lists in (([source] * 129, []), ([], [(HOME, 0)] * 129)):
        with refused(""):
            certify(homes, *lists)


# ----------------------------------------------------------------------------------------------- moves


def test_certificates_go_to_the_buyers(solar: World) -> None:
    owner, buyer, other = (key.address for key in solar.members[:3])
    receipt = certify(solar, [(DEVICE, 500)], moves=[(DEVICE, buyer, 100), (DEVICE, other, 50)])
    assert [held(solar, account) for account in (owner, buyer, other)] == [350, 100, 50]
    assert totals(solar) == (500, 0)
    token = {"_operator": solar.contracts.issuance.address, "_id": TOKEN}
    assert events(solar, receipt)[1:3] == [
        ("TransferSingle", {**token, "_from": owner, "_to": buyer, "_value": 100}),
        ("TransferSingle", {**token, "_from": owner, "_to": other, "_value": 50}),
    ]


def test_no_more_is_moved_than_was_issued(solar: World) -> None:
    buyer = solar.members[1].address
    for parts in ([501], [300, 201]):
        with refused("certificates: balance"):
            certify(solar, [(DEVICE, 500)], moves=[(DEVICE, buyer, wh) for wh in parts])
    certify(solar, [(DEVICE, 500)], moves=[(DEVICE, buyer, 500)])


def test_nothing_is_moved_that_is_not_issued_with_it(issued: World) -> None:
    producer, buyer = issued.members[0].address, issued.members[1].address
    register(issued, DEVICE + 1, producer)
    with refused("issuance: no such issuance"):
        certify(issued, [(DEVICE + 1, 5)], moves=[(DEVICE, buyer, 1)])
    assert held(issued, producer) == 500


@pytest.mark.parametrize(
    ("to", "wh", "reason"),
    [
        ("owner", 1, "issuance: move to the owner"),
        ("nobody", 1, "certificates: no receiver"),
        ("buyer", 0, "issuance: empty"),
    ],
)
def test_a_move_goes_to_somebody_else(solar: World, to: str, wh: int, reason: str) -> None:
    owner, buyer = (key.address for key in solar.members[:2])
    account = {"owner": owner, "buyer": buyer, "nobody": NOBODY}[to]
    with refused(reason):
        certify(solar, [(DEVICE, 500)], moves=[(DEVICE, account, wh)])


def test_an_account_with_code_gets_what_it_bought_and_is_not_asked(solar: World) -> None:
    """A member may give its account code of its choice: that holds up nobody else's certificates."""
    buyer = solar.exchange.address
    receipt = certify(solar, [(DEVICE, 500)], moves=[(DEVICE, buyer, 100)])
    assert held(solar, buyer) == 100
    assert {log.address for log in receipt.logs} == {
        solar.contracts.issuance.address,
        solar.contracts.certificates.address,
    }


# --------------------------------------------------------------------------------------------- matches


def test_generation_is_matched_with_the_consumption_of_a_buyer(homes: World) -> None:
    owner, buyer = (key.address for key in homes.members[:2])
    receipt = certify(homes, [(DEVICE, 500)], [(NEIGHBOUR, 300)], matches=[(DEVICE, NEIGHBOUR, 200)])
    assert [held(homes, account) for account in (owner, buyer)] == [300, 0]
    assert [claimed(homes, account) for account in (owner, buyer)] == [0, 200]
    assert totals(homes) == (500, 200)
    assert (held(homes, buyer, NEXT_DOOR), claimed(homes, buyer, NEXT_DOOR)) == (100, 200)
    assert totals(homes, NEXT_DOOR) == (300, 200)
    burnt = {"_operator": homes.contracts.issuance.address, "_to": NOBODY, "_value": 200}
    issuer = homes.keys["issuer"].address
    data = encode(["uint256"], [NEXT_DOOR])
    claim = {"claimIssuer": issuer, "claimSubject": buyer, "topic": MATCHED, "claimData": data}
    assert events(homes, receipt)[2:5] == [
        ("TransferSingle", {**burnt, "_from": owner, "_id": TOKEN}),
        ("TransferSingle", {**burnt, "_from": buyer, "_id": NEXT_DOOR}),
        ("ClaimSingle", {**claim, "id": TOKEN, "value": 200}),
    ]


def test_what_the_owner_consumed_itself_is_told_apart(homes: World) -> None:
    owner = homes.members[0].address
    receipt = certify(homes, [(DEVICE, 500)], [(HOME, 200)], matches=[(DEVICE, HOME, 200)])
    assert (held(homes, owner), claimed(homes, owner), totals(homes)) == (300, 200, (500, 200))
    (topic,) = [fields["topic"] for name, fields in events(homes, receipt) if name == "ClaimSingle"]
    assert topic == SELF_CONSUMED


def test_no_more_is_matched_than_was_generated(homes: World) -> None:
    with refused("certificates: balance"):
        certify(homes, [(DEVICE, 500)], [(NEIGHBOUR, 900)], matches=[(DEVICE, NEIGHBOUR, 501)])


def test_no_more_is_matched_than_was_consumed(homes: World) -> None:
    for parts in ([301], [200, 101]):
        with refused("certificates: balance"):
            certify(homes, [(DEVICE, 500)], [(NEIGHBOUR, 300)], matches=[(DEVICE, NEIGHBOUR, wh) for wh in parts])
    certify(homes, [(DEVICE, 500)], [(NEIGHBOUR, 300)], matches=[(DEVICE, NEIGHBOUR, 300)])


def test_a_consumption_is_matched_again_by_a_later_certification(homes: World) -> None:
    register(homes, DEVICE + 1, homes.members[2].address)
    certify(homes, [(DEVICE, 500)], [(HOME, 300)], matches=[(DEVICE, HOME, 200)])
    for wh, reason in ((101, "certificates: balance"), (100, "")):
        arguments = ([(DEVICE + 1, 500)], [(HOME, 0)])
        if reason:
            with refused(reason):
                certify(homes, *arguments, matches=[(DEVICE + 1, HOME, wh)])
        else:
            certify(homes, *arguments, matches=[(DEVICE + 1, HOME, wh)])
    assert totals(homes, AT_HOME) == (300, 300)


def test_a_consumption_that_is_not_there_is_not_matched(homes: World) -> None:
    with refused("certificates: not issued"):
        certify(homes, [(DEVICE, 500)], [(HOME, 0)], matches=[(DEVICE, HOME, 1)])
    with refused("issuance: no such consumption"):
        certify(homes, [(DEVICE, 500)], [(HOME, 5)], matches=[(DEVICE, NEIGHBOUR, 1)])
    with refused("issuance: no such issuance"):
        certify(homes, [], [(HOME, 5)], matches=[(DEVICE, HOME, 1)])


def test_a_match_of_nothing_is_refused(homes: World) -> None:
    with refused("certificates: empty"):
        certify(homes, [(DEVICE, 500)], [(HOME, 5)], matches=[(DEVICE, HOME, 0)])


def test_energy_is_matched_within_a_zone(homes: World) -> None:
    same, other = add_area(homes, OTHER_MARKET), add_area(homes, MARKET, "elsewhere")
    register(homes, 30, homes.members[1].address, kind=LOAD, area=other)
    register(homes, 31, homes.members[1].address, area=other)
    with refused("certificates: zone"):
        certify(homes, [(DEVICE, 500)], [(30, 5)], matches=[(DEVICE, 30, 1)])
    certify(homes, [(DEVICE, 500), (31, 500)], [(30, 5)], matches=[(31, 30, 1)])
    assert same != AREA


def test_energy_is_matched_where_slots_are_as_long(homes: World) -> None:
    hour = SLOT // 3_600 * 3_600 + 3_600
    register(homes, 30, homes.members[1].address, kind=LOAD, slot_length_s=3_600)
    homes.time.now = hour + 3_600
    with refused("certificates: slot lengths"):
        certify(homes, [(DEVICE, 500)], [(30, 5)], matches=[(DEVICE, 30, 1)], slot=hour)


# --------------------------------------------------------------------------- what only the issuance does


@pytest.mark.parametrize("who", ["issuer", "registrar", "owner", "deployer"])
def test_nobody_issues_past_the_issuance(issued: World, who: str) -> None:
    owner, title = issued.members[0].address, issued.contracts.devices.read("word_of", DEVICE)
    entry = (TOKEN, title)
    for function, *arguments in (
        ("issue", TOKEN + 1, title, 5),
        ("issue", token_id(1, kind=IMPORTED), title, 5),
        ("issue_all", title, [TOKEN + 1], [5]),
        ("move", TOKEN, title, b"\5" * 20, 5),
        ("match", owner, entry, entry, 5),
        ("claim_rest", entry),
    ):
        with refused("certificates: not the issuance"):
            send(issued, who, function, *arguments)
